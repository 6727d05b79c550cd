"""Which deliveries are tried next: taken lane by lane, retries and new mail by turns."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from sekisho.model.delivery import Delivery
from sekisho.model.verdict import Reply
from sekisho.store.spool_rows import SQL, as_json, delivery_of, encode_reply

EXPIRE_MAX = 1000
"""Most deliveries that one transaction gives up."""

FAILED_MAX = 1000
"""Most messages with failures that one look returns."""

LATE_AT_ONCE = 100
"""Most messages at once whose senders are told that they wait."""


class Want(Struct, frozen=True):
    """Up to `limit` due deliveries of `lane`."""

    lane: str
    limit: int


class LaneRow(Struct, frozen=True):
    """What waits in a lane, and when the first of it is due."""

    lane: str
    waiting: int
    next_at: int


class Due(Struct, frozen=True):
    """What was taken, and for every lane that was asked when the next of the rest is due; 0: nothing waits.
    """

    deliveries: list[Delivery]
    next_at: dict[str, int]


def claim(db: Any, now: int, wants: Sequence[Want]) -> Due:
    """Half of each want is kept for retries, half for new mail; what one leaves the other may take."""
    found: list[Delivery] = []
    for want in wants:
        retries = _due(db, want.lane, 1, now, want.limit)
        fresh = _due(db, want.lane, 0, now, want.limit)
        half = (want.limit + 1) // 2
        take = min(len(retries), max(half, want.limit - len(fresh)))
        found += retries[:take] + fresh[: want.limit - take]
    db.execute(SQL["start"], (as_json(delivery.id for delivery in found),))
    return Due(found, {want.lane: _next_at(db, want.lane) for want in wants})


def _next_at(db: Any, lane: str) -> int:
    times = [db.execute(SQL["next_in_lane"], (lane, tried)).fetchone()[0] for tried in (0, 1)]
    return min((time for time in times if time is not None), default=0)


def _due(db: Any, lane: str, tried: int, now: int, limit: int) -> list[Delivery]:
    return [delivery_of(row) for row in db.execute(SQL["claim"], (lane, tried, now, limit))]


def expire(db: Any, lane: str, now: int, reply: Reply) -> tuple[int, list[str]]:
    db.execute(SQL["expire_lane"], (encode_reply(reply), lane, now, EXPIRE_MAX))
    return db.changes(), []


def lanes(db: Any) -> list[LaneRow]:
    return [LaneRow(*row) for row in db.execute(SQL["lanes"])]


def failed_messages(db: Any) -> list[str]:
    return [row[0] for row in db.execute(SQL["failed_messages"], (FAILED_MAX,))]


def delay_mark(message: str) -> str:
    """The action by which a sender was told that a message waits."""
    return f"delay-{message}"


def late_messages(db: Any, before: int) -> list[str]:
    return [row[0] for row in db.execute(SQL["late_messages"], (before, delay_mark(""), LATE_AT_ONCE))]
