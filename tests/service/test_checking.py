"""Which verdict stands, what settings make of it, and what a silent door comes to."""

import asyncio

import pytest

from sekisho.checks.ask import Ask, Client, SessionFacts
from sekisho.checks.registry import Entry, Policy
from sekisho.model.phrase import phrase
from sekisho.model.verdict import PASS, Act, Reply, Verdict, defer, reject
from sekisho.service.checking import SOFT_DELAY_S, Ruling, rule, softened
from sekisho.world import Unavailable

FACTS = SessionFacts(0, Client("s", "mx"))
NOTHING: Ask = None  # type: ignore[assignment]


class Script:
    """A check that says what it is told to, under a name of its own."""

    def __init__(self, name: str, answer: Verdict | Exception) -> None:
        self.__module__ = f"checks.{name}"
        self.answer = answer
        self.asked = 0

    async def __call__(self, facts: SessionFacts, ask: Ask) -> Verdict:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def ruled(*scripts: Script, last: tuple[str, ...] = (), soften: dict[str, Act] | None = None) -> Ruling:
    entries = [
        Entry("rcpt", script, phrase("?"), last=script.__module__.rpartition(".")[2] in last)
        for script in scripts
    ]
    return asyncio.run(rule(Policy({}, soften or {}, ""), entries, FACTS, NOTHING))


def test_the_strongest_wins_and_the_earlier_of_two() -> None:
    """All are asked and kept until one rejects; nothing can beat that."""
    after = Script("after", PASS)
    ruling = ruled(
        Script("one", PASS),
        Script("two", Verdict(Act.HOLD)),
        Script("three", defer(450, "4.7.1", "later")),
        Script("four", defer(451, "4.7.1", "also")),
        Script("five", reject(550, "5.7.1", "no")),
        after,
    )
    assert ("five", Reply(550, "5.7.1", "no")) == (ruling.verdict.by, ruling.refused)
    assert ["two", "three", "four", "five"] == [verdict.by for verdict in ruling.others]
    assert 0 == after.asked
    assert "three" == ruled(*[Script(n, defer(450, "4.7.1", n)) for n in ("three", "four")]).verdict.by
    assert (None, "") == (ruled(Script("one", PASS)).refused, ruled(Script("one", PASS)).verdict.by)
    assert ruled(Script("hold", Verdict(Act.HOLD))).refused is None


def test_the_guard_does_not_hear_of_what_is_put_off() -> None:
    """A `last` check is not asked once something refuses; other checks still are, for the stronger word."""
    last, other = Script("last", PASS), Script("other", reject(550, "5.1.1", "no"))
    ruling = ruled(Script("busy", defer(450, "4.7.1", "later")), last, other, last=("last",))
    assert (0, 1, "other") == (last.asked, other.asked, ruling.verdict.by)
    last = Script("last", PASS)
    ruled(Script("hold", Verdict(Act.HOLD)), last, last=("last",))
    assert 1 == last.asked


def test_a_door_that_does_not_answer_defers() -> None:
    """451 without the door's name to the client; the name is in `why`; our bugs are not hidden."""
    ruling = ruled(Script("one", Unavailable("house.db", "locked")))
    assert "451 4.3.0 Temporary failure, try again later" == str(ruling.refused)
    assert ("one", "house.db: locked") == (ruling.verdict.by, ruling.verdict.why)
    with pytest.raises(KeyError):
        ruled(Script("one", KeyError("x")))


@pytest.mark.parametrize(
    ("most", "wanted"),
    [
        (Act.DEFER, Verdict(Act.DEFER, Reply(450, "4.7.1", "no"), "softened from reject: w")),
        (Act.HOLD, Verdict(Act.HOLD, None, "softened from reject: w")),
        (Act.DELAY, Verdict(Act.DELAY, None, "softened from reject: w", delay_s=SOFT_DELAY_S)),
        (Act.TAG, Verdict(Act.TAG, None, "softened from reject: w")),
        (Act.PASS, Verdict(Act.PASS, None, "softened from reject: w")),
        (None, reject(550, "5.7.1", "no", "w")),
    ],
)
def test_a_verdict_can_be_made_milder(most: Act | None, wanted: Verdict) -> None:
    """To any act below it, with a reply that fits, and never stronger."""
    assert wanted == softened(reject(550, "5.7.1", "no", "w"), most)
    mild = Verdict(Act.TAG, why="w")
    assert mild is softened(mild, Act.DEFER)
    assert Act.DELAY is ruled(Script("x", reject(550, "5.7.1", "no")), soften={"x": Act.DELAY}).verdict.act
