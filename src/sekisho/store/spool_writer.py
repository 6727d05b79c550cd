"""The one writer of a spool: takes everything that waits, writes it in one transaction, then says so to all
at once.

Works that wait while a transaction is under way are the next batch, and it begins when those of the last one
have been told: the load makes the batches. When the disk fails, the batch fails with Unavailable and is
rolled back; works marked `kept` (results of tries) are never failed, they go first in the next batch. Two
failures in a row stop the door until a write has worked again.
"""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import apsw

from sekisho.store.spool_file import TROUBLE, SpoolFile
from sekisho.store.spool_rows import SQL
from sekisho.world import Bell, Promise, Spawn, Unavailable, Worker

BATCH_MAX = 1000
"""Most works of one transaction."""

STOP_AFTER = 2
AGAIN_S = 1.0
"""Wait after a failure before the disk is tried again unasked."""


NO_WRITES = "the disk does not take writes"


class Work(Protocol):
    """Something to write. Works of one type in one batch are applied by one call, one result each."""

    kept: bool
    """Must not be lost: stays in line when the disk fails."""

    def apply(self, db: Any, works: Sequence[Any]) -> Sequence[Any]:
        """In the open transaction, on the writer's thread."""

    def answered(self, result: Any, error: Exception | None) -> None:
        """The batch is durable, or has failed. On the loop's thread."""

    def withdraw(self, db: Any) -> None:
        """It was refused, and may have been written all the same: undo it. In a transaction of its own."""


Outcome = tuple[Work, Any, Exception | None]


class Writer:
    def __init__(self, file: SpoolFile, spawn: Spawn, after: Callable[[Sequence[Any]], None]) -> None:
        """`after` is called on the writer's thread with a batch's results, once they are durable."""
        self._file = file
        self._bell: Bell = spawn.bell()
        self._after = after
        self._waiting: deque[Work] = deque()
        self._failures = 0
        self._doubtful: list[Work] = []
        self._telling = False
        self._closing = False
        self._worker: Worker = spawn.worker("spool", self._turn)

    @property
    def stopped(self) -> bool:
        return self._failures >= STOP_AFTER

    def promise(self) -> Promise:
        return self._bell.promise()

    def put(self, work: Work) -> None:
        """Joins the next batch. On the loop's thread."""
        if self.stopped and not work.kept:
            work.answered(None, Unavailable("spool", NO_WRITES))
            return
        self._waiting.append(work)
        self._worker.poke()

    def close(self) -> None:
        self._closing = True
        self._worker.stop()

    def _turn(self) -> float:
        if self.stopped and not self._works_again():
            self._give_back([], Unavailable("spool", NO_WRITES))
            return AGAIN_S
        while self._waiting and (not self._telling or self._closing):
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_MAX))]
            if not self._write(batch):
                return AGAIN_S
        try:
            self._file.checkpoint_when_long()
        except TROUBLE as error:
            self._recover([], error)
            return AGAIN_S
        return 0.0

    def _write(self, batch: list[Work]) -> bool:
        """False when the disk failed."""
        try:
            done = self._transaction(batch)
        except TROUBLE as error:
            self._give_back(batch, self._recover(batch, error))
            return False
        except (apsw.Error, TypeError, ValueError) as error:  # a work is impossible: find it by trying each
            self._roll_back()
            if len(batch) > 1:
                return self._write_each(batch)
            self._answer([(batch[0], None, error)])
            return True
        self._failures = 0
        self._after([result for _, result, _ in done])
        self._answer(done)
        return True

    def _write_each(self, batch: list[Work]) -> bool:
        works = deque(batch)
        while works:
            if not self._write([works.popleft()]):
                self._give_back(list(works), Unavailable("spool", NO_WRITES))
                return False
        return True

    def _transaction(self, batch: list[Work]) -> list[Outcome]:
        db = self._file.writer
        groups: dict[Any, list[Work]] = {}
        for work in batch:
            groups.setdefault(type(work), []).append(work)
        done: list[Outcome] = []
        db.execute("begin immediate")
        for works in groups.values():
            results = works[0].apply(db, works)
            done += [(work, result, None) for work, result in zip(works, results, strict=True)]
        db.execute("commit")
        return done

    def _answer(self, done: list[Outcome]) -> None:
        """The next batch waits until these have been told: their clients' next letters then belong to it."""
        self._telling = True
        self._bell.ring(partial(self._tell, done))

    def _tell(self, done: list[Outcome]) -> None:
        try:
            _announce(done)
        finally:
            self._telling = False
            if self._waiting and not self._closing:
                self._worker.poke()

    def _give_back(self, batch: list[Work], trouble: Unavailable) -> None:
        """Kept works go back to the head of the line, in order; once stopped, nobody else waits in it."""
        while self.stopped and self._waiting:
            batch.append(self._waiting.popleft())
        self._waiting.extendleft(work for work in reversed(batch) if work.kept)
        refused: list[Outcome] = [(work, None, trouble) for work in batch if not work.kept]
        if refused:
            self._answer(refused)

    def _recover(self, batch: list[Work], error: Exception) -> Unavailable:
        """A commit that failed may have reached the disk: what is refused now must not be there later."""
        self._failures += 1
        self._doubtful += [work for work in batch if not work.kept]
        try:
            self._reopen()
        except (Unavailable, *TROUBLE):
            self._failures += 1
        return Unavailable("spool", str(error))

    def _reopen(self) -> None:
        self._file.reopen()
        db = self._file.writer
        db.execute("begin immediate")
        for work in self._doubtful:
            work.withdraw(db)
        db.execute("commit")
        self._doubtful = []

    def _roll_back(self) -> None:
        if self._file.writer.in_transaction:
            self._file.writer.execute("rollback")

    def _works_again(self) -> bool:
        """One small durable write decides."""
        try:
            self._reopen()
            self._file.writer.execute(SQL["alive"], (self._failures,))
        except (Unavailable, *TROUBLE):
            return False
        self._failures = 0
        return True


def _announce(done: list[Outcome]) -> None:
    for work, result, error in done:
        work.answered(result, error)
