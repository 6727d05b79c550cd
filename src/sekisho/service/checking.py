"""Asks the checks of one stage and tells which verdict stands; a door that did not answer defers, here and
only here.
"""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from sekisho.checks.ask import Ask, SessionFacts
from sekisho.checks.registry import Entry, Policy
from sekisho.model.verdict import PASS, Act, Reply, Verdict, defer
from sekisho.world import Unavailable

SOFT_DELAY_S = 300
"""How long a letter waits whose refusal was softened to a delay."""


class Ruling(Struct, frozen=True):
    """`verdict` stands; `others` are all that did not simply pass, in order, it among them."""

    verdict: Verdict
    others: tuple[Verdict, ...] = ()

    @property
    def refused(self) -> Reply | None:
        return self.verdict.reply if self.verdict.act >= Act.DEFER else None


CLEAR = Ruling(PASS)


async def rule(policy: Policy, entries: Sequence[Entry], facts: SessionFacts, ask: Ask) -> Ruling:
    """The strongest verdict wins, the earlier of two equal ones. Nothing can beat a rejection, so it is the
    last.
    """
    others: list[Verdict] = []
    best = PASS
    for entry in entries:
        if entry.last and best.act >= Act.DEFER:
            continue
        try:
            verdict: Verdict = await entry.check(facts, ask)
        except Unavailable as trouble:
            verdict = deferred(trouble)
        if verdict is PASS:
            continue
        verdict = softened(replace(verdict, by=entry.name), policy.soften.get(entry.name))
        others.append(verdict)
        if verdict.act > best.act:
            best = verdict
        if best.act is Act.REJECT:
            break
    return Ruling(best, tuple(others)) if others else CLEAR


def deferred(trouble: Unavailable) -> Verdict:
    """The world's failure is nobody's fault: the client is to come again. Which door it was is not its
    business.
    """
    return defer(451, "4.3.0", "Temporary failure, try again later", f"{trouble.door}: {trouble.why}")


def softened(verdict: Verdict, most: Act | None) -> Verdict:
    """The settings may make a verdict milder: what it would have been stays in `why`."""
    if most is None or verdict.act <= most:
        return verdict
    why = f"softened from {verdict.act.name.lower()}: {verdict.why}"
    match most:
        case Act.DEFER if verdict.reply is not None:
            return replace(verdict, act=most, why=why, reply=_milder(verdict.reply))
        case Act.DELAY:
            return replace(verdict, act=most, why=why, reply=None, delay_s=verdict.delay_s or SOFT_DELAY_S)
        case _:
            return replace(verdict, act=most, why=why, reply=None)


def _milder(reply: Reply) -> Reply:
    """The same in the transient class (RFC 3463 2): 550 5.7.1 becomes 450 4.7.1."""
    return Reply(450, "4" + reply.status[1:] if reply.status else "", reply.text)
