"""The one writer of a spool: takes everything that waits, keeps it as one batch, then says so to all at once.

Works that wait while a batch is written are the next one, and it begins when those of the last one have been
told: the load makes the batches. When the disk fails, the batch fails with Unavailable; works marked `kept`
(results of tries) are never failed, they go first in the next batch. Two failures in a row stop the door
until a write has worked again.
"""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import apsw

from sekisho.store.spool_file import TROUBLE, SpoolFile
from sekisho.store.spool_keeper import Keeper, Work
from sekisho.world import Bell, Promise, Spawn, Unavailable, Worker

BATCH_MAX = 1000
"""Most works of one batch."""

STOP_AFTER = 2
AGAIN_S = 1.0
"""Wait after a failure before the disk is tried again unasked."""

LAZY_S = 0.05
"""Longest wait of works that nobody waits for, if no others come by whose sync they could share."""

LOOK_S = 1.0
"""How often to see whether something has waited long enough to be moved into the table."""

NO_WRITES = "the disk does not take writes"
DISK_FAILED = "the disk of the spool failed"

FAULTS = (Unavailable, *TROUBLE)
MISTAKES = (apsw.Error, TypeError, ValueError, OverflowError)
"""One of the works is impossible."""

Outcome = tuple[Work, Any, Exception | None]
Tell = Callable[[str, str], None]


class Writer:
    def __init__(
        self, file: SpoolFile, keeper: Keeper, spawn: Spawn, after: Callable[[Sequence[Any]], None]
    ) -> None:
        """`after` is called on the writer's thread with a batch's results, once they are durable."""
        self._file = file
        self._keeper = keeper
        self._bell: Bell = spawn.bell()
        self._after = after
        self._waiting: deque[Work] = deque()
        self._failures = 0
        self._hurry = self._armed = False
        self._telling = False
        self._closing = False
        self.alarm: Tell = lambda what, why: None
        """Told on the loop's thread what an operator must know."""
        self._worker: Worker = spawn.worker("spool", self._turn)

    @property
    def stopped(self) -> bool:
        return self._failures >= STOP_AFTER

    @property
    def dirty(self) -> bool:
        """The table is not up to date: works wait, or the journal knows more."""
        return bool(self._waiting) or self._keeper.young.dirty

    def promise(self) -> Promise:
        return self._bell.promise()

    def put(self, work: Work) -> None:
        """Joins the next batch. On the loop's thread."""
        if self.stopped and not work.kept:
            work.answered(None, Unavailable("spool", NO_WRITES))
            return
        self._waiting.append(work)
        if not work.lazy:
            self._hurry = True
        elif self._armed:
            return  # the thread comes by itself
        self._worker.poke()

    def close(self) -> None:
        """Writes what waits. Then all is in the table, or, if the disk fails, in the journal."""
        self._closing = True
        self._worker.stop()
        try:
            if not self.stopped:
                self._after([self._keeper.fold()])
        except FAULTS:
            self._keeper.roll_back()
        self._keeper.close()

    def _turn(self) -> float:
        if self.stopped and not self._works_again():
            self._give_back([], Unavailable("spool", NO_WRITES))
            return AGAIN_S
        if self._waiting and not (self._hurry or self._armed or self._closing):
            self._armed = True
            return LAZY_S
        self._armed = self._hurry = wrote = False
        while self._waiting and (not self._telling or self._closing):
            wrote = True
            if not self._write(self._next_batch()):
                return AGAIN_S
        try:
            self._tidy()
        except FAULTS as error:
            self._recover([], error)
            return AGAIN_S
        self._armed = wrote  # what was kept now may end soon
        return LAZY_S if wrote or self._keeper.wants_to_move else LOOK_S if self._keeper.young.dirty else 0.0

    def _next_batch(self) -> list[Work]:
        batch, size = [self._waiting.popleft()], 0
        while self._waiting and len(batch) < BATCH_MAX:
            size += batch[-1].size
            if size + self._waiting[0].size > self._keeper.part_bytes:
                self._hurry = True
                break
            batch.append(self._waiting.popleft())
        return batch

    def _tidy(self) -> None:
        self._after([self._keeper.move()])
        self._file.checkpoint_when_long()
        if self._keeper.refused:
            refused, self._keeper.refused = self._keeper.refused, []
            for message in refused:
                self._say("a kept message is not taken by the table", message)

    def _write(self, batch: list[Work]) -> bool:
        """False when the disk failed."""
        try:
            done = self._keeper.keep(batch)
        except FAULTS as error:
            self._give_back(batch, self._recover(batch, error))
            return False
        except MISTAKES as error:  # find it by trying each
            self._keeper.roll_back()
            if len(batch) > 1:
                return self._write_each(batch)
            self._answer([(batch[0], None, error)])
            return True
        self._failures = 0
        self._after([result for _, result in done])
        self._answer([(work, result, None) for work, result in done])
        return True

    def _write_each(self, batch: list[Work]) -> bool:
        works = deque(batch)
        while works:
            if not self._write([works.popleft()]):
                self._give_back(list(works), Unavailable("spool", NO_WRITES))
                return False
        return True

    def _answer(self, done: list[Outcome]) -> None:
        """The next batch waits until these have been told: their clients' next letters then belong to it."""
        self._telling = True
        self._bell.ring(partial(self._tell, done))

    def _tell(self, done: list[Outcome]) -> None:
        try:
            _announce(done)
        finally:
            self._telling = False
            if self._waiting and not self._closing and (self._hurry or not self._armed):
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
        """What is refused now must not be there later, whatever of it reached the disk."""
        self._failures += 1
        self._keeper.doubt(batch)
        self._say(DISK_FAILED, str(error))
        try:
            self._keeper.mend()
        except FAULTS:
            self._failures += 1
        return Unavailable("spool", str(error))

    def _works_again(self) -> bool:
        """A small durable write decides."""
        try:
            self._keeper.mend()
        except FAULTS:
            return False
        self._failures = 0
        return True

    def _say(self, what: str, why: str) -> None:
        self._bell.ring(partial(self._sound, what, why))

    def _sound(self, what: str, why: str) -> None:
        self.alarm(what, why)


def _announce(done: list[Outcome]) -> None:
    for work, result, error in done:
        work.answered(result, error)
