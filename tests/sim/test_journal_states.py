"""Every state in which a power cut may leave the spool's journal: torn frames, old laps, a file that was
replaced.

The journal is so small that it goes round several times: behind each frame stand frames of the lap before.
"""

import hashlib
from typing import Any

import pytest

from mailbag import BODY, Mailbag
from sekisho.model.config import Queue
from sekisho.model.delivery import State
from sekisho.model.letter import Settled
from sekisho.model.selector import Selector
from sekisho.model.verdict import Reply
from sekisho.store.bodies import parts_of
from sekisho.store.spool import Draft, Spool
from sekisho.testing.disk import FakeDisk
from sekisho.testing.loop import run
from sekisho.testing.world import fakes
from sekisho.world import Unavailable
from sim.cutting import Story, cut_at_every_sync

SPOOL = "/state/spool"
DONE = Reply(250, "2.0.0", "ok")
NEVER = Reply(550, "5.1.1", "never")
LATER = Reply(451, "4.2.0", "later")
JOURNAL_BYTES = 64 * 1024
"""Eight frames of two pages."""


class Taking:
    """A Taker that takes everything."""

    def reserve(self, deliveries: Any, size: int, party: str) -> bool:
        return True

    def take(self, deliveries: Any, letter: Any) -> None: ...

    def waits(self, deliveries: Any) -> None: ...

    def found(self, due: Any) -> None: ...

    def give_back(self, deliveries: Any) -> None: ...


async def keep(spool: Spool, mailbag: Mailbag, story: Story, size: int) -> Draft:
    body = (b"%08d" % size) * (size // 8) + b"\r\n"
    draft = mailbag.draft(body=body)
    await spool.submit(draft, (body,))
    story.kept[draft.message.id] = draft.message.digest
    return draft


async def end(spool: Spool, story: Story, draft: Draft) -> None:
    story.ending.add(draft.message.id)
    await spool.settled([Settled(draft.deliveries[0].id, draft.message.id, State.DONE, DONE, 1)])
    story.ended.add(draft.message.id)


async def laps(disk: FakeDisk, story: Story) -> None:
    """Three laps; of three letters two are delivered and one is deferred."""
    spool, mailbag = opened(disk)
    for number in range(18):
        draft = await keep(spool, mailbag, story, (100, 5000, 3000)[number % 3])
        if number % 3:
            await end(spool, story, draft)
        else:
            later = [Settled(draft.deliveries[0].id, draft.message.id, State.WAITING, LATER, 1, 10**15)]
            await spool.settled(later)
    spool.close()


async def fold(disk: FakeDisk, story: Story) -> None:
    """Letters in the journal, then a look at the table, a delivery that ends there, and more letters."""
    spool, mailbag = opened(disk)
    first = [await keep(spool, mailbag, story, size) for size in (100, 5000)]
    await spool.count(Selector())
    second = [await keep(spool, mailbag, story, size) for size in (200, 4000)]
    for draft in (first[0], second[1]):
        await end(spool, story, draft)
    await spool.count(Selector())
    await end(spool, story, second[0])
    spool.close()


async def trouble(disk: FakeDisk, story: Story) -> None:
    """A sync of the journal fails: its letter is refused, and another file takes the journal's place."""
    spool, mailbag = opened(disk)
    cut = disk.before
    await keep(spool, mailbag, story, 100)
    failing = [True]

    def before(operation: str, path: str) -> None:
        cut(operation, path)
        if operation == "sync" and path.endswith("journal") and failing:
            failing.clear()
            raise Unavailable(path, "input/output error")

    disk.before = before
    refused = mailbag.draft()
    with pytest.raises(Unavailable):
        await spool.submit(refused, (BODY,))
    story.refused.add(refused.message.id)
    await keep(spool, mailbag, story, 5000)
    await keep(spool, mailbag, story, 100)
    spool.close()


def opened(disk: FakeDisk) -> tuple[Spool, Mailbag]:
    doors = fakes(disk=disk)
    spool = Spool.open(SPOOL, doors.world, Queue(), JOURNAL_BYTES)
    spool.taker = Taking()
    return spool, Mailbag(doors)


async def look(disk: FakeDisk, story: Story) -> None:
    """What was promised is there, whole; what ended or was refused is not; nothing is there in part."""
    spool = Spool.open(SPOOL, fakes(disk=disk).world, Queue(), JOURNAL_BYTES)
    assert (0, ()) == (spool.recovered.holes, spool.recovered.refused)
    rows = {row.message: row for row in await spool.select(Selector(states=tuple(State)), 100)}
    assert set(story.kept) - story.ending <= set(rows)
    assert not (story.ended | story.refused) & set(rows)
    for message in rows:
        letter = await spool.letter(message)
        assert letter.message.digest == hashlib.sha256(b"".join(parts_of(letter, disk))).hexdigest()
    spool.close()


@pytest.mark.parametrize("life", [laps, fold, trouble])
def test_no_legal_state_of_the_journal_loses_a_letter(life: Any) -> None:
    """After a cut at any sync, in every state of the disk that may be left."""
    states = 0
    for _, state, story in cut_at_every_sync(life):
        run(look(state, story))
        states += 1
    assert 60 < states


async def bounce(disk: FakeDisk, story: Story) -> None:
    """A letter fails, and its report takes its place, all in the journal."""
    spool, mailbag = opened(disk)
    draft = await keep(spool, mailbag, story, 3000)
    await spool.settled([Settled(draft.deliveries[0].id, draft.message.id, State.FAILED, NEVER, 1)])
    (failed,) = await spool.deliveries(draft.message.id)
    report = mailbag.draft("writer@example.net", sender=None, options={"bounce_of": draft.message.id})
    await spool.submit(report, (BODY,), reports=[failed])
    spool.close()


async def one_of_two(disk: FakeDisk, story: Story) -> int:
    spool = Spool.open(SPOOL, fakes(disk=disk).world, Queue(), JOURNAL_BYTES)
    rows = await spool.select(Selector(), 100)
    spool.close()
    return len(rows)


def test_a_report_takes_the_place_of_the_failure_in_one_step() -> None:
    """In every state: the letter that failed or its report, never both and never neither."""
    for _, state, story in cut_at_every_sync(bounce):
        assert (1 if story.kept else 0) <= run(one_of_two(state, story)) <= 1
