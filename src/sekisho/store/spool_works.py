"""What can be asked of a spool's writer: keep a message, settle tries, or any other change."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sekisho.model.action import Performed
from sekisho.model.delivery import Delivery
from sekisho.model.letter import Letter, Settled
from sekisho.store.spool_claims import Due, Want, claim
from sekisho.store.spool_keeper import Files
from sekisho.store.spool_rows import SQL, Rows, add, add_action, as_json, settle
from sekisho.store.spool_young import Batch
from sekisho.world import Promise

ROW_BYTES = 1000
"""About as much as a delivery takes beside the letter."""


class Taker(Protocol):
    """Who delivers at once what has just been kept, with the body still in memory. All on the loop's
    thread."""

    def reserve(self, deliveries: Sequence[Delivery], size: int, party: str) -> bool:
        """True if there is room for these and a body of `size`: they are kept as `trying`, then taken.

        `party` is who sends it: parties take turns.
        """

    def take(self, deliveries: tuple[Delivery, ...], letter: Letter) -> None:
        """They are durable."""

    def waits(self, deliveries: Sequence[Delivery]) -> None:
        """They are durable, and wait in the table for their time."""

    def found(self, due: Due) -> None:
        """What `Spool.due` took. Told in the order of commits: newer news of a lane never comes first."""

    def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """They could not be kept, and nobody has them now."""


class Submission:
    """A message to keep, and deliveries that it reports on, which end with it in the same step."""

    kept = False
    lazy = False

    def __init__(self, rows: Rows, promise: Promise) -> None:
        self.rows = rows
        self.promise = promise
        self.size = len(rows.body[1]) + len(rows.body[2] or b"") + ROW_BYTES * (1 + len(rows.deliveries))
        self.ends: Sequence[Settled] = ()
        self.performed: Performed | None = None
        self.taker: Taker | None = None
        self.claimed: tuple[Delivery, ...] = ()
        self.waiting: Sequence[Delivery] = ()
        self.letter: Letter | None = None

    def enter(self, batch: Batch) -> bool:
        batch.added.append(self.rows)
        batch.settled.extend(self.ends)
        return self.performed is None

    def apply(self, db: Any, works: "Sequence[Submission]") -> Sequence[Files]:
        add(db, [work.rows for work in works])
        for work in works:
            if work.performed is not None:
                add_action(db, "deposit", work.performed)
        return [settle(db, work.ends) for work in works]

    def answered(self, result: Files, error: Exception | None) -> None:
        if self.taker is not None:
            self._tell(self.taker, kept=error is None)
        answer(self.promise, None, error)

    def withdraw(self, db: Any) -> None:
        """The client was told 451 and keeps the message. A report has no client: it may stay."""
        if not self.ends:
            for statement in ("withdraw_deliveries", "withdraw_body", "withdraw_message"):
                db.execute(SQL[statement], (self.rows.message[0],))

    def _tell(self, taker: Taker, *, kept: bool) -> None:
        if self.letter is not None and kept:
            taker.take(self.claimed, self.letter)
        elif self.claimed:
            taker.give_back(self.claimed)
        if self.waiting and kept:
            taker.waits(self.waiting)


class Settlement:
    """Results of tries. They wait until the disk takes them: losing one would deliver twice."""

    kept = True

    def __init__(self, changes: Sequence[Settled], promise: Promise | None) -> None:
        self.changes = changes
        self.promise = promise
        self.lazy = promise is None
        self.size = ROW_BYTES * len(changes)

    def enter(self, batch: Batch) -> bool:
        batch.settled.extend(self.changes)
        return True

    def apply(self, db: Any, works: "Sequence[Settlement]") -> Sequence[Files]:
        files = settle(db, [change for work in works for change in work.changes])
        return [files] + [[] for _ in works[1:]]

    def answered(self, result: Files, error: Exception | None) -> None:
        if self.promise is not None:
            answer(self.promise, None, error)

    def withdraw(self, db: Any) -> None:
        """Never: it is kept until it is written."""


class Claim:
    """Deliveries to be tried: see `spool_claims`."""

    kept = False
    lazy = False
    size = ROW_BYTES

    def __init__(self, now: int, wants: Sequence[Want], taker: Taker, promise: Promise) -> None:
        self._now = now
        self._wants = wants
        self._taker = taker
        self._promise = promise
        self._due: Due | None = None

    def enter(self, batch: Batch) -> bool:
        return False

    def apply(self, db: Any, works: "Sequence[Claim]") -> Sequence[Files]:
        for work in works:
            work._due = claim(db, work._now, work._wants)
        return [[] for _ in works]

    def answered(self, result: Files, error: Exception | None) -> None:
        if error is None and self._due is not None:
            self._taker.found(self._due)
        answer(self._promise, None, error)

    def withdraw(self, db: Any) -> None:
        """Nobody tries them."""
        if self._due is not None:
            db.execute(SQL["put_back"], (as_json(delivery.id for delivery in self._due.deliveries),))


class Change:
    """Any other change: `run` in the transaction; its result goes to who waits, its files go when it is
    durable."""

    kept = False
    lazy = False
    size = ROW_BYTES

    def __init__(self, run: Callable[[Any], tuple[Any, Files]], promise: Promise) -> None:
        self.run = run
        self.promise = promise
        self.result: Any = None

    def enter(self, batch: Batch) -> bool:
        return False

    def apply(self, db: Any, works: "Sequence[Change]") -> Sequence[Files]:
        return [work._run(db) for work in works]

    def answered(self, result: Files, error: Exception | None) -> None:
        answer(self.promise, self.result, error)

    def withdraw(self, db: Any) -> None:
        """Changes may be made again: whoever asked asks again."""

    def _run(self, db: Any) -> Files:
        self.result, files = self.run(db)
        return files


def answer(promise: Promise, result: Any, error: Exception | None) -> None:
    if promise.done():  # nobody waits any more: the session is gone, the mail is not
        return
    if error is None:
        promise.set_result(result)
    else:
        promise.set_exception(error)
