"""A Selector as SQL: every selector given must match. Values are parameters, never text of the statement."""

import ipaddress
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct

from sekisho.model.address import domain_of
from sekisho.model.delivery import State
from sekisho.model.letter import BOUNCE_ACCOUNT, BOUNCE_MARK, DELAYED_BY
from sekisho.model.queue_row import QueueGroup, QueueRow
from sekisho.model.selector import Cause, Selector
from sekisho.store.spool_patterns import BODY_BYTES, HEADER_BYTES, Matchers, is_expression
from sekisho.store.spool_rows import SQL, as_json, decode_envelope, decode_reply, decode_route

LIVE = (State.WAITING, State.TRYING, State.FAILED)
"""What a list shows unless states are named: purged deliveries are gone as far as mail is concerned."""

SEARCH_PART = 1024 * 1024

_LISTED = "(select value from json_each(?))"
_NAMED = (
    "select value from json_each(?) union all"
    f" select x.id from messages y join deliveries x on x.message = y.n where y.id in {_LISTED}"
)
_STOPPED = (
    "select id from deliveries where held_by != '' and instr(' ' || held_by || ' ', ' ' || ? || ' ') > 0"
    " union all select id from deliveries where state = 'purged' and purged_by = ?"
)
_STOPPED_LETTERS = (
    f"select y.id from messages y join deliveries x on x.message = y.n where x.id in ({_STOPPED})"
)
_BODY = "(select body from bodies b where b.message = m.n)"
_START = "(select cast(head || coalesce(body, x'') as blob) from bodies b where b.message = m.n)"

BY: dict[str, str] = {
    "domain": "domain_of(d.recipient)",
    "recipient": "lower(d.recipient)",
    "sender": "lower(coalesce(m.sender, ''))",
    "account": "m.account",
    "address": "m.address",
    "reply": "reply_text(d.reply)",
    "lane": "d.lane",
    "state": "d.state",
}
"""What a list can be summed up by, and the expression for it."""


# Conditions that repeat that of a partial index ("!= ''") are what lets the planner use it.


class Where(Struct, frozen=True):
    """A condition over `messages m` and `deliveries d`, and the folder of body files that it may have to
    read."""

    sql: str
    values: tuple[Any, ...]
    bodies: str


class Census(Struct, frozen=True):
    deliveries: int
    messages: int
    bytes: int


def where(selector: Selector, now: int, bodies: str) -> Where:
    terms: list[tuple[str, tuple[Any, ...]]] = []

    def need(given: object, sql: str, *values: Any) -> None:
        if given:
            terms.append((sql, values))

    ids = as_json(selector.ids)
    need(selector.ids, f"d.id in ({_NAMED})", ids, ids)
    need(selector.sender, *_address("m.sender", selector.sender))
    need(selector.recipient, *_address("d.recipient", selector.recipient))
    need(selector.account, *_account(selector.account))
    need(selector.address, *_client(selector.address))
    need(selector.subject, "matches(m.subject, ?)", selector.subject)
    need(selector.body, f"body_has(m.id, m.in_file, {_BODY}, ?)", selector.body)
    need(selector.header, f"header_has(m.id, m.in_file, {_START}, ?)", selector.header)
    need(selector.older_s, "m.accepted_at <= ?", now - selector.older_s * 1_000_000)
    need(selector.reply, "reply_has(d.reply, ?)", selector.reply)
    need(selector.bounces_of, "m.bounce_of = ? and m.bounce_of != ''", selector.bounces_of)
    need(selector.held_by, *_stopped_by(selector.held_by))
    need(selector.incident, *_stopped_by(selector.incident))
    need(selector.cause, *_caused(selector.cause))
    need(selector.spare, f"m.network not in {_LISTED}", as_json(selector.spare))
    need(selector.networks, f"m.network in {_LISTED}", as_json(selector.networks))
    states = as_json(state.value for state in selector.states or LIVE)
    need(True, f"d.state in {_LISTED}", states)
    return Where(
        " and ".join(sql for sql, _ in terms), tuple(value for _, values in terms for value in values), bodies
    )


def _address(column: str, pattern: str) -> tuple[Any, ...]:
    """An address, "@domain", a glob with `*`, or "<>" for the null sender."""
    if pattern == "<>":
        return (f"{column} is null",)
    if is_expression(pattern):
        return f"matches({column}, ?)", pattern
    pattern = pattern.lower()
    if pattern.startswith("@"):
        pattern = "*" + pattern
    if "*" not in pattern:
        return f"lower({column}) = ?", pattern
    literal = pattern.replace("[", "[[]").replace("?", "[?]")
    return f"lower({column}) glob ?", literal


def _account(pattern: str) -> tuple[Any, ...]:
    if is_expression(pattern) or "*" in pattern:
        return _address("m.account", pattern)
    return "m.account = ? and m.account != ''", pattern


def _client(address: str) -> tuple[Any, ...]:
    return ("in_network(m.address, ?)", address) if "/" in address else ("m.address = ?", address)


def _stopped_by(action: str) -> tuple[Any, ...]:
    """Held or purged by this action."""
    return f"d.id in ({_STOPPED})", action, action


def _caused(cause: Cause | None) -> tuple[Any, ...]:
    """What an incident holds, and the bounces of its letters: of those that are held, whatever the cause
    says, and of those that have gone.
    """
    if cause is None:
        return ("",)
    held = " or ".join([f"d.id in ({_STOPPED})"] * len(cause.holds)) or "0"
    letters = " union all ".join([_STOPPED_LETTERS] * len(cause.holds)) or "select ''"
    caused = f"m.bounce_of in ({letters}) or is_caused(m.bounce_of, m.envelope, ?)"
    named = [action for action in cause.holds for _ in range(2)]
    sql = f"({held} or (m.bounce_of != '' and ({caused})))"
    return sql, *named, *named, msgspec.json.encode(cause)


def select(db: Any, where: Where, limit: int) -> list[QueueRow]:
    _teach(db, where.bodies)
    sql = f"{SQL['rows']} {where.sql} order by m.n, d.id limit ?"
    return [_row(row) for row in db.execute(sql, (*where.values, limit))]


def count(db: Any, where: Where) -> Census:
    _teach(db, where.bodies)
    return Census(*db.execute(f"{SQL['count']} {where.sql} group by m.n)", where.values).fetchone())


def ids(db: Any, where: Where, portion: int) -> list[str]:
    """All matching deliveries, lane by lane, as JSON arrays of `portion` ids: a million of them are 20 MB
    so."""
    _teach(db, where.bodies)
    found, part = [], []
    for (ident,) in db.execute(f"{SQL['ids']} {where.sql} order by d.lane, d.id", where.values):
        part.append(ident)
        if len(part) == portion:
            found.append(as_json(part))
            part = []
    return [*found, as_json(part)] if part else found


def _row(row: Sequence[Any]) -> QueueRow:
    *plain, route, held_by, subject, reply, postponed = row
    road = decode_route(route)
    values = dict(zip(QueueRow.__struct_fields__, plain, strict=False))
    values["sender"] = values["sender"] or ""
    values["route"] = f"{road.kind.value}:{road.host}"
    values["held_by"] = tuple(held_by.split())
    values["subject"] = subject
    values["last_reply"] = str(decode_reply(reply)) if reply else ""
    values["delayed_by"] = decode_envelope(postponed).options.get(DELAYED_BY, "") if postponed else ""
    return QueueRow(**values)


def groups(db: Any, where: Where, by: str, limit: int) -> list[QueueGroup]:
    """Deliveries summed up, the largest group first."""
    _teach(db, where.bodies)
    sql = SQL["groups"].replace("?", BY[by]) + f" {where.sql} group by 1 order by 2 desc, 1 limit ?"
    return [QueueGroup(*row) for row in db.execute(sql, (*where.values, limit))]


def _teach(db: Any, bodies: str) -> None:
    """Functions that conditions use."""
    matchers = Matchers()
    db.create_scalar_function("matches", matchers.matches, 2)
    db.create_scalar_function("reply_has", partial(_reply_has, matchers), 2)
    db.create_scalar_function("reply_text", _reply_text, 1)
    db.create_scalar_function("domain_of", domain_of, 1)
    db.create_scalar_function("in_network", _in_network, 2)
    db.create_scalar_function("body_has", partial(_body_has, matchers, bodies), 4)
    db.create_scalar_function("is_caused", _is_caused, 3)
    db.create_scalar_function("header_has", partial(_header_has, matchers, bodies), 4)


def _reply_has(matchers: Matchers, reply: bytes | None, wanted: str) -> bool:
    return reply is not None and matchers.matches(_reply_text(reply), wanted)


def _reply_text(reply: bytes | None) -> str:
    return str(decode_reply(reply)) if reply else ""


def _in_network(address: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _is_caused(message: str, envelope: bytes, cause: bytes) -> bool:
    options = decode_envelope(envelope).options
    wanted = msgspec.json.decode(cause, type=Cause)
    return wanted.covers(message, options.get(BOUNCE_ACCOUNT, ""), options.get(BOUNCE_MARK, ""))


def _header_has(
    matchers: Matchers, bodies: str, message: str, in_file: int, start: bytes, wanted: str
) -> bool:
    """`start` are the fields that we added, with the letter behind them if it is not in a file."""
    more = _beginning(bodies, message, HEADER_BYTES) if in_file else b""
    return matchers.in_header(start + more, wanted)


def _body_has(
    matchers: Matchers, bodies: str, message: str, in_file: int, body: bytes | None, wanted: str
) -> bool:
    """As it stands in the letter: not decoded. Without regard to the case of ASCII letters."""
    if is_expression(wanted):
        text = _beginning(bodies, message, BODY_BYTES) if in_file else body or b""
        return matchers.matches(text[:BODY_BYTES].decode("utf-8", "replace"), wanted)
    needle = wanted.encode().lower()
    if not in_file:
        return needle in (body or b"").lower()
    return _file_has(f"{bodies}/{message}", needle)


def _file_has(path: str, needle: bytes) -> bool:
    try:
        with open(path, "rb") as file:
            kept = b""
            while part := file.read(SEARCH_PART):
                if needle in (kept + part).lower():
                    return True
                kept = part[-len(needle) :]
    except OSError:
        return False
    return False


def _beginning(bodies: str, message: str, most: int) -> bytes:
    try:
        with open(f"{bodies}/{message}", "rb") as file:
            return file.read(most)
    except OSError:
        return b""
