"""What operators and incidents do to deliveries that wait: hold, release, retry, bounce, purge, restore.

Found by a reader, changed by the writer, in transactions that are short enough for mail to go on meanwhile.
An action is idempotent by its id: what is done is not done again, and what a crash cut short is finished.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Literal

import msgspec
from msgspec import Struct

from sekisho.model.action import Performed
from sekisho.model.config import Queue
from sekisho.model.delivery import State
from sekisho.model.selector import Selector
from sekisho.model.verdict import Reply
from sekisho.store import spool_select
from sekisho.store.spool_recovery import MISSING_BODY
from sekisho.store.spool_rows import SQL, add_action, as_json, encode_reply, finish
from sekisho.store.spool_select import Census
from sekisho.world import Clock

ROWS_MAX = 1000
"""Rows of one portion. A transaction changes one, or as many as `STEP_US` allows."""

PORTIONS_MAX = 8
"""Most portions of one transaction. Rows of a lane stand apart in the table: the more are changed together,
the fewer times each page is written (270,000 rows: 2.2 GB one by one, 0.7 GB by eight)."""

STEP_US = 200_000
"""So long may a letter that arrives wait behind a transaction (us): one that took longer makes the next
smaller."""

CHANGED_KEPT = 1000
"""Most ids that an answer carries; `count` is the true number."""

ACTIONS_KEPT_S = 90 * 86400
"""How long an action's id is remembered."""

EMPTY_PAGES_KEPT = 8000
"""Up to this many empty pages (64 MB) stay in the file to be filled again."""

NOBODY = "nobody"
"""Stands for the action of a preview, which has no id."""

GIVEN_UP = Reply(554, "5.4.7", "given up by the postmaster")

Verb = Literal["hold", "release", "retry", "bounce", "purge", "restore"]


class Order(Struct, frozen=True):
    """One action on what `selector` finds. `held`: the hold that a release takes away, "" for all of them."""

    action: str
    verb: Verb
    selector: Selector
    held: str = ""


class Rule(Struct, frozen=True):
    """Of which states, under which further condition, by which statement."""

    states: tuple[State, ...]
    condition: str
    statement: str


_WAITS, _TRIES, _FAILED = State.WAITING, State.TRYING, State.FAILED

RULES: dict[Verb, Rule] = {
    "hold": Rule(
        (_WAITS, _TRIES), "state in ('waiting', 'trying') and instr(' ' || held_by || ' ', :mark) = 0", "hold"
    ),
    "retry": Rule((_WAITS,), "state = 'waiting' and held_by = '' and next_at > :now", "retry"),
    "bounce": Rule((_WAITS,), f"state = 'waiting' and held_by not like '%{MISSING_BODY}%'", "give_up"),
    "purge": Rule((_WAITS, _TRIES, _FAILED), "state in ('waiting', 'trying', 'failed')", "purge"),
    "restore": Rule((State.PURGED,), "state = 'purged'", "restore"),
}
RELEASE_ONE = Rule((_WAITS, _TRIES), "instr(' ' || held_by || ' ', :mark) > 0", "release_one")
RELEASE_ALL = Rule(
    (_WAITS, _TRIES),
    f"held_by not in ('', 'on-the-wire') and held_by not like '%{MISSING_BODY}%'",
    "release_all",
)

Look = Callable[[Callable[[Any], Any]], Awaitable[Any]]


class Hands(Struct, frozen=True):
    """How an action reaches the table: `read` beside the writer, `change` through it."""

    read: Look
    change: Look
    clock: Clock
    bodies: str


class Pace:
    """How many portions go into one transaction: more while it is quick, fewer when mail would wait."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._portions = 1

    def taken(self, left: list[str]) -> list[str]:
        """The next ones, taken off the end of `left`."""
        return [left.pop() for _ in range(min(self._portions, len(left)))]

    async def timed(self, step: Awaitable[Any]) -> Any:
        begin = self._clock.ticks()
        result = await step
        spent = self._clock.ticks() - begin
        if spent > STEP_US:
            self._portions = max(self._portions // 2, 1)
        elif spent < STEP_US // 2:
            self._portions = min(self._portions * 2, PORTIONS_MAX)
        return result


async def perform(order: Order, hands: Hands) -> Performed:
    before: Performed | None = await hands.read(partial(performed, action=order.action))
    if before is not None:
        return before
    rule, now = _rule(order), hands.clock.now()
    where = _where(order, rule, now, hands.bodies)
    step = partial(_step, rule=rule, order=order, now=now)
    changed: list[str] = []
    count = trying = 0
    left: list[str] = await hands.read(partial(spool_select.ids, where=where, portion=ROWS_MAX))
    left.reverse()
    pace = Pace(hands.clock)
    while left:
        done, on_the_wire = await pace.timed(hands.change(partial(step, portions=pace.taken(left))))
        count += len(done)
        trying += on_the_wire
        changed += done[: CHANGED_KEPT - len(changed)]
    result = Performed(order.action, "spool", now, tuple(changed), already_on_the_wire=trying, count=count)
    await hands.change(partial(_remember, order=order, performed=result))
    return result


def _where(order: Order, rule: Rule, now: int, bodies: str) -> spool_select.Where:
    selector = msgspec.structs.replace(order.selector, states=rule.states)
    if order.held:
        selector = msgspec.structs.replace(selector, held_by=order.held)
    return spool_select.where(selector, now, bodies)


async def preview(order: Order, hands: Hands) -> Census:
    """What `perform` would change now."""
    rule, now = _rule(order), hands.clock.now()
    look = partial(_preview, rule=rule, order=order, now=now, bodies=hands.bodies)
    found: Census = await hands.read(look)
    return found


def _preview(db: Any, rule: Rule, order: Order, now: int, bodies: str) -> Census:
    given = {"now": now, "mark": f" {order.held or order.action or NOBODY} "}
    deliveries, sizes = 0, dict[int, int]()
    for ids in spool_select.ids(db, _where(order, rule, now, bodies), ROWS_MAX):
        for message, size in db.execute(f"{SQL['preview']} {rule.condition}", {**given, "ids": ids}):
            deliveries += 1
            sizes[message] = size
    return Census(deliveries, len(sizes), sum(sizes.values()))


def _rule(order: Order) -> Rule:
    if order.verb == "release":
        return RELEASE_ONE if order.held else RELEASE_ALL
    return RULES[order.verb]


def performed(db: Any, action: str) -> Performed | None:
    row = db.execute(SQL["performed"], (action,)).fetchone()
    return msgspec.json.decode(row[0], type=Performed) if row else None


def _step(
    db: Any, portions: list[str], rule: Rule, order: Order, now: int
) -> tuple[tuple[list[str], int], list[str]]:
    """Changes those of `portions`, JSON arrays of ids, that still want it; answers with their ids and how
    many were being tried."""
    mark = f" {order.held or order.action} "
    given = {
        "now": now, "action": order.action, "held": order.held, "mark": mark,
        "reply": encode_reply(GIVEN_UP),
    }  # fmt: skip
    changeable = SQL["changeable"].replace("?", ":ids") + " " + rule.condition
    found = [row for ids in portions for row in db.execute(changeable, {**given, "ids": ids})]
    chosen = [ident for ident, _ in found]
    db.execute(SQL[rule.statement], {**given, "ids": as_json(chosen)})
    return (chosen, sum(state == State.TRYING for _, state in found)), []


def _remember(db: Any, order: Order, performed: Performed) -> tuple[None, list[str]]:
    add_action(db, order.verb, performed)
    return None, []


async def tidy(hands: Hands, settings: Queue) -> int:
    """Purged messages whose time is over, or that are over the limit of bytes, the oldest first."""
    now = hands.clock.now()
    over: list[tuple[str, str]] = await hands.read(partial(_over, now=now, settings=settings))
    for start in range(0, len(over), ROWS_MAX):
        part = over[start : start + ROWS_MAX]
        await hands.change(partial(_drop, part=part))
    await hands.change(partial(_forget, before=now - ACTIONS_KEPT_S * 1_000_000))
    while await hands.change(_shrink):
        pass
    return len({message for _, message in over})


def _over(db: Any, now: int, settings: Queue) -> list[tuple[str, str]]:
    left = settings.keep_purged_bytes
    oldest = now - settings.keep_purged_s * 1_000_000
    counted = ""
    over = []
    for delivery, message, size, purged_at in db.execute(SQL["purged"]):
        left -= size if message != counted else 0
        counted = message
        if purged_at < oldest or left < 0:
            over.append((delivery, message))
    return over


def _drop(db: Any, part: list[tuple[str, str]]) -> tuple[None, list[str]]:
    return None, finish(db, [delivery for delivery, _ in part], list({message for _, message in part}))


def _forget(db: Any, before: int) -> tuple[None, list[str]]:
    db.execute(SQL["drop_actions"], (before,))
    return None, []


def _shrink(db: Any) -> tuple[bool, list[str]]:
    """Gives some empty pages back to the file system; True when there are more. A working queue needs a
    few."""
    (empty,) = db.execute(SQL["empty_pages"]).fetchone()
    if empty <= EMPTY_PAGES_KEPT:
        return False, []
    db.execute(SQL["give_pages_back"]).fetchall()
    return empty > EMPTY_PAGES_KEPT + ROWS_MAX, []
