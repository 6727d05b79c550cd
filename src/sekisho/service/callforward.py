"""Recipient verification: asks the next host whether it knows a recipient, by MAIL FROM:<> and RCPT TO, and
remembers the answer.

Bounded everywhere: questions under way to one host, the wait for an answer, what is remembered. A host that
does not answer is left alone for a while, so that a flood of letters is not a flood of connections.
"""

import asyncio
from collections.abc import Awaitable, Callable

from sekisho.checks.ask import Known
from sekisho.model.config import Config
from sekisho.model.delivery import Deferred, Failed, Route
from sekisho.queue.hops import Hop
from sekisho.queue.sources import Way
from sekisho.service.calling import Call, Manner, NoCall, call
from sekisho.service.destinations import Destinations
from sekisho.service.logins import Logins, encrypted_for
from sekisho.service.securing import Securing
from sekisho.store.bounded import Bounded
from sekisho.wire.client_steps import Transaction
from sekisho.world import Unavailable, World

SECOND = 1_000_000
HOSTS_KEPT = 1_000
"""Most hosts whose silence is remembered."""

WAITING_MAX = 1_000
"""Most questions that wait for their turn; beyond it the host counts as silent."""

CHANCE_BITS = 30

Verify = Callable[[Route, str], Awaitable[Known]]


async def nobody_is_asked(route: Route, recipient: str) -> Known:
    """For fronts without a way out."""
    return "known"


class CallForward:
    """`configure` before the first question."""

    def __init__(self, world: World, logins: Logins) -> None:
        self._world = world
        self._logins = logins
        self._waiting = 0
        self._turns: dict[str, asyncio.Semaphore] = {}

    def configure(self, config: Config, destinations: Destinations, securing: Securing) -> None:
        """What is remembered is asked anew."""
        self._config = config
        self._settings = config.routing.verification
        self._destinations = destinations
        self._securing = securing
        self._known: Bounded[tuple[str, str], int] = Bounded(self._settings.entries)
        self._unknown: Bounded[tuple[str, str], int] = Bounded(self._settings.entries)
        self._silent: Bounded[str, int] = Bounded(HOSTS_KEPT)

    async def verify(self, route: Route, recipient: str) -> Known:
        answer = self._remembered(route, recipient) or await self._in_turn(route, recipient)
        return "known" if answer == "silent" and self._settings.unanswered == "take" else answer

    def _remembered(self, route: Route, recipient: str) -> Known | None:
        now, key = self._world.clock.ticks(), (route.lane, recipient)
        if (self._known.get(key) or 0) > now:
            return "known"
        if (self._unknown.get(key) or 0) > now:
            return "unknown"
        return "silent" if (self._silent.get(route.lane) or 0) > now else None

    def _remember(self, route: Route, recipient: str, answer: Known) -> None:
        now, key, settings = self._world.clock.ticks(), (route.lane, recipient), self._settings
        if answer == "known":
            self._known.put(key, now + settings.known_s * SECOND)
        elif answer == "unknown":
            self._unknown.put(key, now + settings.unknown_s * SECOND)
        else:
            self._silent.put(route.lane, now + settings.silent_s * SECOND)

    async def _in_turn(self, route: Route, recipient: str) -> Known:
        """Who waited may find that somebody else has asked the same."""
        if self._waiting >= WAITING_MAX:
            return "silent"
        await asyncio.sleep(0)  # a handler is begun outside of a task, where nothing has a time limit
        turn = self._turns.setdefault(route.lane, asyncio.Semaphore(self._settings.at_once))
        self._waiting += 1
        try:
            async with turn:
                if (answer := self._remembered(route, recipient)) is not None:
                    return answer
                answer = await self._answer(route, recipient)
                self._remember(route, recipient, answer)
                return answer
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._turns.clear()

    async def _answer(self, route: Route, recipient: str) -> Known:
        try:
            async with asyncio.timeout(self._settings.answer_s):
                return await self._asked(route, recipient)
        except (TimeoutError, Unavailable):
            return "silent"

    async def _asked(self, route: Route, recipient: str) -> Known:
        out = self._config.outbound
        way = Way("", out.helo or self._config.hostname, (out.source,) if out.source else ())
        found = await self._destinations.find(route, way)
        if isinstance(found, Deferred | Failed):
            return "silent"
        for hop in found:
            session = await self._session(route, hop, way)
            if isinstance(session, Call):
                return await _said(session, recipient)
        return "silent"

    async def _session(self, route: Route, hop: Hop, way: Way) -> Call | NoCall:
        demand = await self._securing.demand(await self._securing.guide(route), hop)
        if isinstance(demand, NoCall):
            return demand
        login = await self._logins.login(route, self._config.outbound)
        tls = encrypted_for(login, hop, demand.tls)
        source = way.address_for(hop.address, lambda: self._world.chance.bits(CHANCE_BITS))
        manner = Manner(way.helo, self._config.outbound, tls, login, source, pins=demand.pins)
        return await call(self._world, hop, manner)


async def _said(session: Call, recipient: str) -> Known:
    """Only a refusal of the recipient itself says that it is unknown."""
    finished = False
    try:
        utf8 = not recipient.isascii()
        result = await session.ask(Transaction("", (recipient,), 0, utf8=utf8, question=True))
        finished = True
    finally:
        if not finished:
            session.drop()
    if session.usable:
        await session.quit()
    else:
        session.drop()
    if result.undecided or result.replies[0].transient:
        return "silent"
    return "known" if result.replies[0].positive else "unknown"
