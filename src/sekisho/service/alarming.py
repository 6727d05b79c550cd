"""The failure-rate alarm as cases: raised and told once for each jump, closed when the rate is usual again.

Watch owns it. What is usual is kept in the house; an alarm that stood before a restart stands after it.
"""

import contextlib
from collections.abc import Callable, Sequence

import msgspec
from msgspec.structs import replace

from sekisho.guard.contain import Wish, plan_notices
from sekisho.guard.failure_words import told
from sekisho.guard.failures import Failures, Jump
from sekisho.guard.memory import HOUR, MINUTE
from sekisho.guard.tally import Usual
from sekisho.model.event import DeliveryTried, Event
from sekisho.model.incident import FAILURE_RATE, Grade, Incident
from sekisho.model.phrase import Phrase
from sekisho.service.containing import Containing
from sekisho.service.hands import within
from sekisho.store.house import House

STATE = "alarm/usual"
KEPT_EVERY = 5 * MINUTE
"""What is usual changes slowly: so often it is written down."""
STALE = HOUR
"""A jump that a log tells of longer ago is history."""

Listener = Callable[[Incident], None]


class Alarming:
    def __init__(self, house: House, containing: Containing, told: Callable[[str], bool]) -> None:
        """`told`: this account is contained, and the operator has heard of it."""
        self._was_told = told
        self._house = house
        self._containing = containing
        self._failures = Failures()
        self._open: dict[str, Incident] = {}
        self._kept_at = 0
        self._is_new = False
        self.listeners: list[Listener] = []

    @property
    def alarms(self) -> tuple[Phrase, ...]:
        """Those that stand now."""
        return tuple(incident.sentence for incident in self._open.values())

    async def start(self) -> None:
        data = await self._containing.keep(self._house.state, STATE)
        if data is not None:
            with contextlib.suppress(msgspec.DecodeError):  # what is usual is soon learned anew
                self._failures.remember(msgspec.json.decode(data, type=dict[str, Usual]))
        for incident in await self._containing.keep(lambda: self._house.incidents(open_only=True)):
            if incident.kind == FAILURE_RATE:
                self._open[incident.subject] = incident
                self._failures.resume(incident.subject, incident.opened)

    async def observe(self, events: Sequence[Event], now: int) -> None:
        for event in events:
            if not isinstance(event, DeliveryTried):
                continue
            if event.at > now:
                event = replace(event, at=now)  # a clock that is ahead must not shut out the others
            self._is_new = True
            jump = self._failures.observe(event)
            if jump is not None and jump.at >= now - STALE:
                await self._raise(jump)

    async def _raise(self, jump: Jump) -> None:
        incident = Incident(
            id=self._containing.ident(),
            subject=jump.subject,
            kind=FAILURE_RATE,
            grade=Grade.WATCH,
            opened=jump.at,
            sentence=told(jump),
            counters={
                "since": jump.since // 1_000_000, "tried": jump.tried, "failed": jump.failed,
                "largest_share": jump.part, **jump.counts,
            },
        )  # fmt: skip
        self._open[jump.subject] = incident
        await self._containing.keep(self._house.save_incident, incident)
        for listener in self.listeners:
            listener(incident)
        if self._was_told(jump.subject):
            return  # a second letter about the same thief would be one too many
        operator, ways = await self._containing.operator(), self._containing.alarms.ways()
        wish = Wish("guard", jump.at, tell=(operator,) if operator else (), alarm=ways)
        actions = within(plan_notices(incident, wish, self._containing.ident), self._containing.kinds)
        incident = replace(incident, actions=tuple(action.id for action in actions))
        self._open[jump.subject] = incident
        await self._containing.plan(incident, actions)
        await self._containing.perform_all(actions)

    async def turn(self, now: int) -> None:
        """Closes what has ended, and writes down what is usual."""
        for subject in self._failures.settle(now):
            incident = self._open.pop(subject, None)
            if incident is not None:
                closed = replace(incident, closed=now, closed_why="the failure rate is usual again")
                await self._containing.keep(self._house.save_incident, closed)
        if now - self._kept_at >= KEPT_EVERY:
            await self.save(now)

    def dismiss(self, closed: Sequence[Incident]) -> None:
        """The operator has ended these; the jump itself is told again only after it was over."""
        for incident in closed:
            if incident.closed and incident.kind == FAILURE_RATE:
                self._open.pop(incident.subject, None)

    async def save(self, now: int) -> None:
        if not self._is_new:
            return
        self._kept_at, self._is_new = now, False
        data = msgspec.json.encode(self._failures.remembered())
        await self._containing.keep(self._house.save_state, STATE, data, now)
