"""What the journal holds and the table does not hold yet: in memory, as rows that are ready to be inserted.

Most letters end here: kept, delivered and forgotten within a moment, without ever being a row. The rest is
moved into the table by `fold`, in portions or, before anybody looks at the table or changes it, all at once.
Only what is durable in the journal is told to `apply`, so this is what a start after a crash builds again.
"""

from collections import deque
from collections.abc import Sequence
from itertools import islice, takewhile
from typing import Any

import apsw
import msgspec
from msgspec import Struct

from sekisho.model.delivery import Delivery, State
from sekisho.model.letter import Letter, Settled
from sekisho.store.spool_rows import (
    SQL,
    Row,
    Rows,
    add,
    delivery_from,
    encode_reply,
    letter_from,
    settle,
)


class Batch(Struct, array_like=True):
    """What one frame of the journal says. A report and the end of what it reports on are one batch."""

    added: list[Rows]
    settled: list[Settled]


encoder = msgspec.msgpack.Encoder()
decoder = msgspec.msgpack.Decoder(Batch)


class Living:
    """A message with deliveries that have not ended; `number` is that of its frame, `at` when it came."""

    __slots__ = ("at", "deliveries", "number", "rows")

    def __init__(self, rows: Rows, number: int, at: int) -> None:
        self.rows = rows
        self.number = number
        self.at = at
        self.deliveries = {row[0]: row for row in rows.deliveries}


class Young:
    """Changed by the writer's thread; `letter` and `deliveries` may be asked from the loop's.

    Messages stand in the order of their frames, so what moves is looked for at the head and no further.
    """

    def __init__(self) -> None:
        self._living: dict[str, Living] = {}
        self._owed: deque[tuple[int, int, Settled]] = deque()

    def __contains__(self, message: str) -> bool:
        return message in self._living

    @property
    def owes(self) -> bool:
        """The table has not heard of how some of its deliveries ended."""
        return bool(self._owed)

    @property
    def dirty(self) -> bool:
        return bool(self._living or self._owed)

    def oldest(self) -> int:
        """When the oldest of what the table lacks came. Only while `dirty`."""
        times = [living.at for living in islice(self._living.values(), 1)]
        return min(times + [at for _, at, _ in islice(self._owed, 1)])

    def apply(self, batch: Batch, number: int, at: int) -> list[str]:
        """A batch is durable. Returns the messages whose body file is to be removed."""
        for rows in batch.added:
            self._living[rows.ident] = Living(rows, number, at)
        files: list[str] = []
        for change in batch.settled:
            living = self._living.get(change.message)
            if living is None or change.delivery not in living.deliveries:
                self._owed.append((number, at, change))
            elif self._settle(living, change):
                del self._living[change.message]
                files += [change.message] if living.rows.in_file else []
        return files

    def _settle(self, living: Living, change: Settled) -> bool:
        """True when that was the last delivery."""
        if change.state is State.DONE:
            del living.deliveries[change.delivery]
        else:
            living.deliveries[change.delivery] = _changed(living.deliveries[change.delivery], change)
        return not living.deliveries

    def letter(self, message: str, path: str) -> Letter | None:
        living = self._living.get(message)
        return letter_from(living.rows, path) if living is not None else None

    def deliveries(self, message: str) -> list[Delivery] | None:
        living = self._living.get(message)
        if living is None:
            return None
        return [delivery_from(message, row) for row in list(living.deliveries.values())]

    def portion(self, most: int, latest: int) -> int:
        """The number up to which about `most` messages are to be moved; `latest` if that is all of them."""
        number = latest
        for count, living in enumerate(self._living.values()):
            if count >= most and living.number > number:
                return number
            number = living.number
        return latest

    def fold(self, db: Any, upto: int) -> tuple[list[str], list[str]]:
        """In the open transaction: what came up to frame `upto` into the table, and all that is owed.

        That may be of later frames: they say the same again when they are read after a crash, which changes
        nothing. Returns messages whose body file is to be removed, and messages that the table refuses.
        """
        living = list(takewhile(lambda each: each.number <= upto, self._living.values()))
        refused = _insert(db, [_as_it_is(each) for each in living])
        return settle(db, [change for _, _, change in self._owed]), refused

    def forget(self, upto: int) -> None:
        """`fold` has been committed with `upto`."""
        moved = list(takewhile(lambda item: item[1].number <= upto, self._living.items()))
        for message, _ in moved:
            del self._living[message]
        while self._owed and self._owed[0][0] <= upto:
            self._owed.popleft()


def _changed(row: Row, change: Settled) -> Row:
    """As the statements `postpone` and `fail` change it."""
    reply = encode_reply(change.reply) if change.reply else None
    ident, n, recipient, lane, route, _, next_at, expires_at, _, held_by, held_at, _ = row
    next_at = change.next_at if change.state is State.WAITING else next_at
    state = change.state.value
    return (
        ident, n, recipient, lane, route, change.tries, next_at, expires_at, state, held_by, held_at, reply,
    )  # fmt: skip


def _as_it_is(living: Living) -> Rows:
    return Rows(living.rows.message, living.rows.body, list(living.deliveries.values()))


def _insert(db: Any, rows: Sequence[Rows]) -> list[str]:
    """An id that is there already is a mistake of ours: it must not keep all other letters from the table."""
    db.execute("savepoint portion")
    try:
        add(db, rows)
    except apsw.ConstraintError:
        db.execute("rollback to portion")
        refused = [rows[0].ident] if len(rows) == 1 else [name for one in rows for name in _insert(db, [one])]
    else:
        refused = []
    db.execute("release portion")
    return refused


def watermark(db: Any) -> tuple[bytes, int]:
    """The salt of the spool's last start, and the number of the last frame that the table knows."""
    row = db.execute(SQL["journal_read"]).fetchone()
    return (row[0], row[1]) if row else (b"", 0)
