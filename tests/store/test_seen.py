"""A mailbox is not listed for every delivery that may have been tried, and none is lost or doubled for it."""

from collections.abc import Iterator

import msgspec
import pytest

from mailbag import BODY, Mailbag
from sekisho.model.delivery import Delivered
from sekisho.model.letter import Letter
from sekisho.service.local import TAKEN, TAKEN_BEFORE, LocalCarrier
from sekisho.store.maildir import Maildir
from sekisho.store.seen import BELIEVED, KEPT, NAMES_MOST, Seen
from sekisho.testing.disk import FakeDisk
from sekisho.testing.loop import run
from sekisho.testing.world import fakes
from sekisho.world import Unavailable


class Lists:
    """How often `new` was listed: with letters in it each listing syncs it once, as each delivery does."""

    def __init__(self, disk: FakeDisk) -> None:
        self.syncs = 0
        disk.before = self._count

    def _count(self, operation: str, path: str) -> None:
        self.syncs += (operation, path.rpartition("/")[2]) == ("sync_folder", "new")


@pytest.fixture
def idents() -> Iterator[str]:
    mailbag = Mailbag()
    return (mailbag.draft().deliveries[0].id for _ in range(1000))


def test_after_a_kill_a_mailbox_is_listed_once() -> None:
    """A hundred letters that may have been tried, every second one is there already, in `new` or in `cur`."""
    disk = FakeDisk()
    mailbag = Mailbag(fakes(disk=disk))
    drafts = [mailbag.draft() for _ in range(100)]
    carrier = LocalCarrier(mailbag.fakes.world, "/state")
    maildir = Maildir(disk, "/state/mail/example.com/reader/Maildir", "/state/mail")
    for draft in drafts[::2]:
        maildir.deliver(draft.deliveries[0].id, [b"x\n"])
    for name in disk.list(f"{maildir.path}/new")[::2]:
        disk.rename(f"{maildir.path}/new/{name}", f"{maildir.path}/cur/{name}:2,S")
    lists, replies = Lists(disk), []
    for draft in drafts:
        tried = msgspec.structs.replace(draft.deliveries[0], tries=1)
        letter = Letter(draft.message, draft.envelope, draft.head, (BODY,))
        (end,) = run(carrier.carry((tried,), letter)).values()
        assert isinstance(end, Delivered)
        replies.append(end.reply)
    assert [TAKEN_BEFORE, TAKEN] * 50 == replies
    assert 100 == len(disk.list(f"{maildir.path}/new")) + len(disk.list(f"{maildir.path}/cur"))
    assert 1 + 50 == lists.syncs


def test_what_came_since_is_known(idents: Iterator[str]) -> None:
    """The front dies between our delivery and its settling, and asks again at once."""
    clock, disk = fakes().clock, FakeDisk()
    maildir, seen = Maildir(disk, "/mail"), Seen(clock.ticks)
    first, second = next(idents), next(idents)
    assert not seen.holds(maildir, first)
    with seen.coming(maildir, second):
        maildir.deliver(second, [b"x\n"])
    assert seen.holds(maildir, second) and not seen.holds(maildir, first)


def test_nobody_knows_after_a_failure(idents: Iterator[str]) -> None:
    """The letter is in `new`, and then the folder was not synced: it is looked for on the disk."""
    clock, disk = fakes().clock, FakeDisk()
    maildir, seen = Maildir(disk, "/mail"), Seen(clock.ticks)
    one, other = next(idents), next(idents)
    assert not seen.holds(maildir, one)

    def broken(operation: str, path: str) -> None:
        if (operation, path) == ("sync_folder", "/mail/new"):
            raise Unavailable(path, "input/output error")

    disk.before = broken
    with pytest.raises(Unavailable), seen.coming(maildir, one):
        maildir.deliver(one, [b"x\n"])
    with pytest.raises(Unavailable):
        seen.holds(maildir, one)
    disk.before = lambda operation, path: None
    assert seen.holds(maildir, one) and not seen.holds(maildir, other)


def test_another_writer_is_found_soon(idents: Iterator[str]) -> None:
    """A process that was left over brings its letter after we looked."""
    clock, disk = fakes().clock, FakeDisk()
    maildir, seen = Maildir(disk, "/mail"), Seen(clock.ticks)
    late = next(idents)
    assert not seen.holds(maildir, late)
    maildir.deliver(late, [b"x\n"])
    clock.advance(BELIEVED / 1e6)
    assert seen.holds(maildir, late)


def test_what_was_seen_was_delivered(idents: Iterator[str]) -> None:
    """Its reader deletes the letter between two tries: it does not come again."""
    disk = FakeDisk()
    maildir, seen = Maildir(disk, "/mail"), Seen(fakes().clock.ticks)
    ident = next(idents)
    maildir.deliver(ident, [b"x\n"])
    assert seen.holds(maildir, ident)
    disk.unlink("/mail/new/" + disk.list("/mail/new")[0])
    assert seen.holds(maildir, ident)


def test_memory_has_a_limit(idents: Iterator[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Mailboxes too large together make room for each other, and what is not used is forgotten."""
    assert 100_000 < NAMES_MOST
    monkeypatch.setattr("sekisho.store.seen.NAMES_MOST", 5)
    clock, disk = fakes().clock, FakeDisk()
    boxes, seen = [Maildir(disk, f"/mail/{number}") for number in range(3)], Seen(clock.ticks)
    inside = [[next(idents) for _ in range(3)] for _ in boxes]
    for box, idents_of_it in zip(boxes, inside, strict=True):
        for ident in idents_of_it:
            box.deliver(ident, [b"x\n"])
    lists = Lists(disk)
    for box, idents_of_it in zip(boxes, inside, strict=True):
        assert all(seen.holds(box, ident) for ident in idents_of_it)
    assert 3 == lists.syncs
    assert seen.holds(boxes[0], inside[0][0]) and 4 == lists.syncs
    clock.advance(KEPT / 1e6 + 1)
    with seen.coming(boxes[0], "x"):
        pass
    assert seen.holds(boxes[0], inside[0][0]) and 5 == lists.syncs
