"""The desk for another server's queue, on one that ends in the middle of things: no letter is lost, and an
action takes back its own alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from sekisho.host import HostDisk
from sekisho.integrations.foreign import ForeignLetter, Pending
from sekisho.model.selector import Selector
from sekisho.service.foreign_desk import Copy
from sekisho.service.foreign_select import Names
from sekisho.service.foreign_standing import StandingDesk
from sekisho.service.messages import QueueAsk, QueueVerb
from sekisho.service.sendmail_hands import SendmailQueue
from sekisho.service.sendmail_hands import Where as SendmailWhere
from sekisho.store.taken import Taken
from sekisho.world import Unavailable

HELLO = "hello@example.com"


class Broken(Exception):
    """The power goes."""


class Elsewhere:
    """A queue in memory. After `steps` calls that change something the next one fails, half done."""

    name = "postfix"

    def __init__(self) -> None:
        self.inside: dict[str, ForeignLetter] = {}
        self.steps = 1000
        self.locked: set[str] = set()

    def put(self, ident: str, account: str = HELLO, address: str = "192.0.2.7") -> None:
        pending = (Pending("a@far.example"), Pending("b@far.example"))
        self.inside[ident] = ForeignLetter(
            ident, "waiting", "x@far.example", pending, 10, 1, account=account, address=address
        )

    def letters(self) -> Iterable[ForeignLetter]:
        return list(self.inside.values())

    def examined(self, letters: Sequence[ForeignLetter]) -> Iterator[ForeignLetter]:
        yield from letters

    def text(self, letter: ForeignLetter) -> bytes:
        return b"Subject: x\r\n\r\nx\r\n"

    def hold(self, letters: Sequence[ForeignLetter]) -> Mapping[str, str]:
        self._set(letters, held=True)
        return {}

    def release(self, letters: Sequence[ForeignLetter]) -> None:
        self._set(letters, held=False)

    def retry(self, letters: Sequence[ForeignLetter]) -> None: ...

    def bounce(self, letters: Sequence[ForeignLetter]) -> None: ...

    def copy(self, letter: ForeignLetter) -> tuple[bytes, ...]:
        return (letter.id.encode(), b"\nbody\n")

    def remove(self, letters: Sequence[ForeignLetter]) -> None:
        for letter in letters:
            self._step()
            del self.inside[letter.id]

    def put_back(self, copies: Sequence[Copy]) -> list[str]:
        for letter, parts in copies:
            self._step()
            assert (letter.id.encode(), b"\nbody\n") == parts
            self.inside[letter.id] = replace(letter, held=True)
        return [letter.id for letter, _ in copies]

    def _set(self, letters: Sequence[ForeignLetter], *, held: bool) -> None:
        for letter in letters:
            self._step()
            if letter.id in self.inside and letter.id not in self.locked:
                self.inside[letter.id] = replace(self.inside[letter.id], held=held)

    def _step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise Broken


@pytest.fixture
def theirs() -> Elsewhere:
    return Elsewhere()


def desk(theirs: Elsewhere, folder: Path) -> StandingDesk:
    """As a new process opens it."""
    names = Names("example.com", lambda address: f"net {address}")
    return StandingDesk(theirs, Taken(HostDisk(), str(folder / "hands")), lambda: 100_000_000, names)


def done(theirs: Elsewhere, folder: Path, verb: QueueVerb, action: str, **wanted: object) -> set[str]:
    answer = desk(theirs, folder).answer(QueueAsk(verb, Selector(**wanted), action=action))  # type: ignore[arg-type]
    assert answer.performed is not None
    return set(answer.performed.changed)


def held(theirs: Elsewhere) -> set[str]:
    return {letter.id for letter in theirs.inside.values() if letter.held}


@pytest.mark.parametrize("steps", range(12))
@pytest.mark.parametrize("verb", ["purge", "restore"])
def test_no_letter_is_lost_wherever_the_power_goes(
    theirs: Elsewhere, tmp_path: Path, verb: str, steps: int
) -> None:
    """In their queue or with us at every instant; asked for again, the same action ends what it began."""
    for ident in ("A1", "A2", "A3"):
        theirs.put(ident)
    theirs.put("B1", account="bob@example.com")
    if verb == "restore":
        done(theirs, tmp_path, "purge", "act0", account=HELLO)
    theirs.steps = steps
    try:
        done(theirs, tmp_path, verb, "act1", account=HELLO)  # type: ignore[arg-type]
    except Broken:
        purged = desk(theirs, tmp_path).answer(QueueAsk("list", Selector(states=("purged",)))).rows  # type: ignore[arg-type]
        assert {"A1", "A2", "A3", "B1"} == theirs.inside.keys() | {row.message for row in purged}
    theirs.steps = 1000
    done(theirs, tmp_path, verb, "act1", account=HELLO)
    assert {"B1"} | ({"A1", "A2", "A3"} if verb == "restore" else set()) == theirs.inside.keys()
    assert "B1" not in held(theirs)
    done(theirs, tmp_path, "restore", "act2", account=HELLO)
    assert {"A1", "A2", "A3"} == held(theirs)


def test_an_action_takes_back_its_own_alone(theirs: Elsewhere, tmp_path: Path) -> None:
    """Two actions want one letter held: it goes with the second release. What others held stays."""
    for ident in ("A1", "A2"):
        theirs.put(ident)
    theirs.hold([theirs.inside["A2"]])
    assert {"A1"} == done(theirs, tmp_path, "hold", "act1", account=HELLO)
    assert set() == done(theirs, tmp_path, "hold", "act2", sender="x@far.example")
    assert set() == done(theirs, tmp_path, "release", "act3", held_by="act1")
    assert {"A1", "A2"} == held(theirs)
    assert {"A1"} == done(theirs, tmp_path, "release", "act4", held_by="act2")
    assert {"A2"} == held(theirs)
    assert {"A1"} == done(
        theirs, tmp_path, "release", "act4", held_by="act2"
    )  # the same answer, nothing done


def test_what_is_being_delivered_is_not_purged(theirs: Elsewhere, tmp_path: Path) -> None:
    """It cannot be held, so it is not copied and not removed, and the answer says so."""
    theirs.put("A1")
    theirs.put("A2")
    theirs.locked = {"A2"}
    answer = desk(theirs, tmp_path).answer(QueueAsk("purge", Selector(account=HELLO), action="act1"))
    assert answer.performed is not None
    assert (("A1",), 2, 1) == (
        answer.performed.changed, answer.performed.count, answer.performed.already_on_the_wire
    )  # fmt: skip
    assert {"A2"} == theirs.inside.keys()


def test_an_order_stands_until_it_is_taken_back(theirs: Elsewhere, tmp_path: Path) -> None:
    """Over restarts; the account's own networks are spared, and logins without a domain meant."""
    wanted = Selector(account=HELLO, spare=("net 198.51.100.1", ""))
    theirs.put("A1")
    theirs.put("A2", address="198.51.100.1")
    theirs.put("A3", account="hello", address="")
    assert {"A1", "A3"} == set(desk(theirs, tmp_path).stand_guard("act1", wanted))
    theirs.put("A4")
    ((action, selector),) = desk(theirs, tmp_path).orders()
    desk(theirs, tmp_path).stand_guard(action, selector)
    assert {"A1", "A3", "A4"} == held(theirs)
    assert {"A1", "A3", "A4"} == set(desk(theirs, tmp_path).stand_down("act1", "act2"))
    assert [] == desk(theirs, tmp_path).orders() and set() == held(theirs)
    desk(theirs, tmp_path).stand_guard(action, selector)
    assert set() == held(theirs)


def test_copies_are_kept_for_their_time(theirs: Elsewhere, tmp_path: Path) -> None:
    """And within their bytes, the newest first."""
    for ident in ("A1", "A2"):
        theirs.put(ident)
        done(theirs, tmp_path, "purge", f"act{ident}", ids=(ident,))
    rows = lambda: desk(theirs, tmp_path).answer(QueueAsk("list", Selector(states=("purged",)))).rows  # noqa: E731
    desk(theirs, tmp_path).tidy(1000, 1000)
    assert 4 == len(rows())
    desk(theirs, tmp_path).tidy(1000, 10)
    assert 2 == len(rows())
    later = StandingDesk(theirs, Taken(HostDisk(), str(tmp_path / "hands")), lambda: 10**12, Names())
    later.tidy(1000, 1000)
    assert () == rows()


def test_a_name_that_is_a_path_is_none(theirs: Elsewhere, tmp_path: Path) -> None:
    """An action named on the command line."""
    with pytest.raises(Unavailable):
        done(theirs, tmp_path, "release", "act1", held_by="../../etc/passwd")


def test_a_link_in_sendmails_queue_is_not_opened_to_be_removed(tmp_path: Path) -> None:
    """Neither the file behind it nor the link is touched; what has gone meanwhile is passed over."""
    secret, link = tmp_path / "secret", tmp_path / "qfx"
    secret.touch()
    link.symlink_to(secret)
    sendmail = SendmailQueue(SendmailWhere(queue=str(tmp_path)))
    letter = ForeignLetter("x", "waiting", "", (Pending("a@far.example"),), 0, 0)
    with pytest.raises(Unavailable):
        sendmail.remove([replace(letter, place=str(link))])
    sendmail.remove([replace(letter, place=str(tmp_path / "qfgone"))])
    assert link.is_symlink() and secret.exists()
