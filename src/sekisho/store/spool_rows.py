"""Rows of the spool and the types they stand for; what one batch writes, in as few statements as can be.

Each statement that runs gives the interpreter's lock away and waits to get it back, so a batch is written
with a few long statements, not with many short ones.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from sekisho.model.action import Performed
from sekisho.model.delivery import Delivery, Route, State
from sekisho.model.envelope import Envelope, Message
from sekisho.model.letter import BOUNCE_OF, Draft, Letter, Settled
from sekisho.model.verdict import Reply
from sekisho.store.sql import statements

SQL = statements("spool")
STEPS = (32, 8, 1)
"""Rows per statement: few shapes, so that each is prepared once and stays prepared."""

INTEGER_MAX = (1 << 63) - 1

Row = tuple[Any, ...]

_json = msgspec.json.Encoder()
_envelope = msgspec.json.Decoder(Envelope)
_route = msgspec.json.Decoder(Route)
_reply = msgspec.json.Decoder(Reply)


class Rows(Struct, array_like=True):
    """A draft as rows, made on the loop's thread: what cannot be a row fails there, alone."""

    message: Row
    body: Row
    deliveries: list[Row]

    @property
    def ident(self) -> str:
        ident: str = self.message[1]
        return ident

    @property
    def in_file(self) -> bool:
        return bool(self.message[11])


def rows_of(n: int, draft: Draft, body: bytes | None, claimed: frozenset[str], now: int) -> Rows:
    """`n` is the message's number in the table; `body` None when it is in a file. OverflowError for a number
    that the table cannot hold: found here, it costs this message alone."""
    envelope, message = draft.envelope, draft.message
    origin = envelope.origin
    latest = max((max(each.next_at, each.expires_at) for each in draft.deliveries), default=0)
    if max(latest, origin.at, message.size) > INTEGER_MAX:
        raise OverflowError(f"a time or a size is out of range: {message.id}")
    return Rows(
        (
            n, message.id, origin.at, envelope.sender, origin.account, origin.address, origin.network,
            envelope.options.get(BOUNCE_OF, ""), draft.subject, message.size, message.digest,
            body is None, _json.encode(envelope),
        ),
        (n, draft.head, body),
        [_delivery_row(n, delivery, claimed, now) for delivery in draft.deliveries],
    )  # fmt: skip


def _delivery_row(n: int, delivery: Delivery, claimed: frozenset[str], now: int) -> Row:
    state = State.TRYING if delivery.id in claimed else State.WAITING
    held_by = " ".join(sorted(delivery.held_by))
    return (
        delivery.id, n, delivery.recipient, delivery.route.lane, _json.encode(delivery.route), delivery.tries,
        delivery.next_at, delivery.expires_at, state.value, held_by, now if held_by else 0, None,
    )  # fmt: skip


def add(db: Any, rows: Sequence[Rows]) -> None:
    _insert(db, SQL["add_messages"], [each.message for each in rows])
    _insert(db, SQL["add_bodies"], [each.body for each in rows])
    _insert(db, SQL["add_deliveries"], [row for each in rows for row in each.deliveries])


def _insert(db: Any, head: str, rows: Sequence[Row]) -> None:
    start = 0
    while start < len(rows):
        step = next(step for step in STEPS if step <= len(rows) - start)
        marks = "(" + ", ".join("?" * len(rows[0])) + ")"
        values = [value for row in rows[start : start + step] for value in row]
        db.execute(f"{head} {', '.join([marks] * step)}", values)
        start += step


def settle(db: Any, changes: Sequence[Settled]) -> list[str]:
    """Applies what tries came to. Returns the ids of messages whose body file is to be removed after the
    commit."""
    finished = [change for change in changes if change.state is State.DONE]
    for change in changes:
        reply = _json.encode(change.reply) if change.reply else None
        if change.state is State.WAITING:
            db.execute(SQL["postpone"], (change.tries, change.next_at, reply, change.delivery))
        elif change.state is State.FAILED:
            db.execute(SQL["fail"], (change.tries, reply, change.delivery))
    if not finished:
        return []
    return finish(
        db, [change.delivery for change in finished], list({change.message: None for change in finished})
    )


def finish(db: Any, deliveries: Sequence[str], messages: Sequence[str]) -> list[str]:
    """Takes deliveries out, and the messages of which none is left. Returns those that had a body file."""
    ids = _json.encode(messages).decode()
    db.execute(SQL["finish"], (_json.encode(deliveries).decode(),))
    files = [row[0] for row in db.execute(SQL["files_of_finished"], (ids,))]
    db.execute(SQL["drop_bodies"], (ids,))
    db.execute(SQL["drop_messages"], (ids,))
    return files


def delivery_of(row: Row) -> Delivery:
    """From the columns that `claim` and `deliveries_of` select."""
    ident, message, recipient, route, tries, next_at, expires_at, held_by, state, reply = row
    return Delivery(
        ident,
        message,
        recipient,
        _route.decode(route),
        tries,
        next_at,
        expires_at,
        frozenset(held_by.split()),
        State(state),
        _reply.decode(reply) if reply else None,
    )


def letter_of(row: Row, path: str) -> Letter:
    """From the columns that `letter` selects; `path` is where its body is if it is in a file."""
    ident, size, digest, envelope, in_file, head, body = row
    parts = () if in_file else (body,)
    return Letter(
        Message(ident, size, digest), _envelope.decode(envelope), head, parts, path if in_file else ""
    )


def letter_from(rows: Rows, path: str) -> Letter:
    """The same, of rows that are not in the table yet."""
    _, ident, *_, size, digest, in_file, envelope = rows.message
    _, head, body = rows.body
    return letter_of((ident, size, digest, envelope, in_file, head, body), path)


def delivery_from(message: str, row: Row) -> Delivery:
    ident, _, recipient, _, route, tries, next_at, expires_at, state, held_by, _, reply = row
    return delivery_of((ident, message, recipient, route, tries, next_at, expires_at, held_by, state, reply))


def add_action(db: Any, kind: str, performed: Performed) -> None:
    db.execute(SQL["add_action"], (performed.action, kind, performed.at, _json.encode(performed)))


def as_json(values: Iterable[str]) -> str:
    return _json.encode(list(values)).decode()


def decode_envelope(raw: bytes) -> Envelope:
    return _envelope.decode(raw)


def decode_route(raw: bytes) -> Route:
    return _route.decode(raw)


def decode_reply(raw: bytes) -> Reply:
    return _reply.decode(raw)


def encode_reply(reply: Reply) -> bytes:
    return _json.encode(reply)
