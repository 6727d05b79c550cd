"""Where a batch of works goes: into the journal, if they can all be said there, else into the table.

The table is the truth about everything up to the frame whose number stands in it; the journal's later frames
are the truth about the rest, and `Young` is what they say. Every transaction of the table that others can
see takes all of that in first, so that nobody who looks at the table or changes it sees an old state.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from sekisho.store.journal import HEADER_BYTES, Journal
from sekisho.store.spool_file import SpoolFile
from sekisho.store.spool_rows import SQL
from sekisho.store.spool_young import Batch, Young, encoder, watermark
from sekisho.world import Clock

Files = list[str]
"""Ids of messages whose body file is to be removed once the batch is durable."""

MOVE_AFTER_S = 30
"""What has not ended after so long moves into the table: most mail has ended by then."""

MOVE_MAX = 200
"""Most messages moved between two batches, so that nobody waits long for a reply."""


class Work(Protocol):
    """Something to write. Works of one type in one transaction are applied by one call, one result each."""

    kept: bool
    """Must not be lost: stays in line when the disk fails."""

    lazy: bool
    """Nobody waits for it: it may wait a moment for others to share their sync."""

    size: int
    """Bytes it brings, roughly."""

    def enter(self, batch: Batch) -> bool:
        """Adds what it wants to a batch for the journal; False if it needs the table."""

    def apply(self, db: Any, works: Sequence[Any]) -> Sequence[Any]:
        """In the open transaction, on the writer's thread."""

    def answered(self, result: Any, error: Exception | None) -> None:
        """The batch is durable, or has failed. On the loop's thread."""

    def withdraw(self, db: Any) -> None:
        """It was refused, and may have been written all the same: undo it. In a transaction of its own."""


class Keeper:
    """Used by the writer's thread, after it was made."""

    def __init__(self, file: SpoolFile, journal: Journal, young: Young, clock: Clock) -> None:
        self._file = file
        self._journal = journal
        self._clock = clock
        self._doubtful: list[Work] = []
        self.young = young
        self.refused: list[str] = []
        """Messages that the table would not take: for the operator."""

    @property
    def part_bytes(self) -> int:
        """A batch of more bytes is not made."""
        return self._journal.frame_max // 2

    def keep(self, works: Sequence[Work]) -> list[tuple[Work, Any]]:
        """When it returns, all of them are durable. Each with its result."""
        batch = Batch([], [])
        if all(work.enter(batch) for work in works):
            payload = bytearray(HEADER_BYTES)
            encoder.encode_into(batch, payload, HEADER_BYTES)
            if len(payload) <= self._journal.frame_max:
                return self._record(works, batch, payload)
        return self._transact(works)

    def _record(self, works: Sequence[Work], batch: Batch, payload: bytearray) -> list[tuple[Work, Any]]:
        names = [rows.ident for rows in batch.added]
        if len(set(names)) < len(names) or any(name in self.young for name in names):
            raise ValueError("a message of this id is there already")
        frame = self._journal.frame(payload)
        if not self._journal.holds(len(frame)):
            self.fold()
        number = self._journal.write(frame)
        files = self.young.apply(batch, number, self._clock.ticks())
        return [(work, () if index else files) for index, work in enumerate(works)]

    def _transact(self, works: Sequence[Work]) -> list[tuple[Work, Any]]:
        db = self._file.writer
        groups: dict[Any, list[Work]] = {}
        for work in works:
            groups.setdefault(type(work), []).append(work)
        done: list[tuple[Work, Any]] = []
        upto = self._journal.number
        db.execute("begin immediate")
        files = self._take_in(db, upto)
        for group in groups.values():
            done += zip(group, group[0].apply(db, group), strict=True)
        db.execute("commit")
        self._forget(upto)
        first, result = done[0]
        return [(first, [*result, *files]), *done[1:]]

    def fold(self) -> Files:
        """Everything into the table."""
        return self._move(self._journal.number)

    def move(self) -> Files:
        """A portion of what has waited long, or of what fills the journal; none if there is no such thing."""
        if not self.wants_to_move:
            return []
        return self._move(self.young.portion(MOVE_MAX, self._journal.number))

    @property
    def wants_to_move(self) -> bool:
        if self._journal.half_full:
            return True
        return self.young.dirty and self._clock.ticks() - self.young.oldest() >= MOVE_AFTER_S * 1_000_000

    def _move(self, upto: int) -> Files:
        db = self._file.writer
        db.execute("begin immediate")
        files = self._take_in(db, upto)
        db.execute("commit")
        self._forget(upto)
        return files

    def _take_in(self, db: Any, upto: int) -> Files:
        if not self._journal.used:
            return []
        files, refused = self.young.fold(db, upto)
        self.refused += refused
        db.execute(SQL["journal_number"], (upto,))
        return files

    def _forget(self, upto: int) -> None:
        self.young.forget(upto)
        self._journal.free(upto)

    def roll_back(self) -> None:
        if self._file.writer.in_transaction:
            self._file.writer.execute("rollback")

    def doubt(self, works: Sequence[Work]) -> None:
        """They were refused, and may have reached the disk all the same."""
        self._doubtful += [work for work in works if not work.kept]

    def mend(self) -> None:
        """After an error of the disk: what was refused now is not there later, whatever of it was written.

        The number of the journal's last frame stands in the table afterwards, so that a frame of refused
        letters is never read again. Raises what the disk says if it still fails.
        """
        self._file.reopen()
        db = self._file.writer
        _, known = watermark(db)  # a commit that failed may have reached the disk
        self._forget(known)
        upto = self._journal.number
        db.execute("begin immediate")
        self.young.fold(db, upto)
        db.execute(SQL["journal_number"], (upto,))
        for work in self._doubtful:
            work.withdraw(db)
        db.execute("commit")
        self._forget(upto)
        self._doubtful = []
        if self._journal.suspect:
            self._journal.renew()

    def close(self) -> None:
        self._journal.close()
