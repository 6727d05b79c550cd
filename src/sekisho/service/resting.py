"""Sessions that rest between two letters, by route: kept open for a moment, because the next letter often
comes.
"""

from sekisho.model.delivery import Route
from sekisho.service.boundary import Record, boundary
from sekisho.service.calling import Call
from sekisho.world import World

IDLE_S = 5
"""How long a session may rest. Other people's servers count their open connections."""

SESSION_S = 300
TRANSACTIONS_MAX = 1000
RESTING_MAX = 200
"""Most sessions resting at once, all routes together; above it the oldest says goodbye."""

SECOND = 1_000_000


class Resting:
    """`trouble` is told of our bugs in the background."""

    def __init__(self, world: World, trouble: Record) -> None:
        self._world = world
        self._trouble = trouble
        self._sessions: dict[Route, list[Call]] = {}
        self._count = 0
        self._watching = False

    def take(self, route: Route) -> Call | None:
        """The one that rested least: the others may then go."""
        sessions = self._sessions.get(route)
        if not sessions:
            return None
        self._count -= 1
        session = sessions.pop()
        if not sessions:
            del self._sessions[route]
        return session

    async def put(self, route: Route, session: Call) -> None:
        now = self._world.clock.ticks()
        old = now - session.opened_at > SESSION_S * SECOND
        if old or session.transactions >= TRANSACTIONS_MAX or self._count >= RESTING_MAX:
            await session.quit()
            return
        session.idle_since = now
        self._sessions.setdefault(route, []).append(session)
        self._count += 1
        if not self._watching:
            self._watching = True
            self._world.spawn.task("resting sessions", self._watch())

    async def close(self) -> None:
        await self._dismiss(self._world.clock.ticks() + 1)

    async def _watch(self) -> None:
        """Runs as long as anybody rests."""
        async with boundary(self._trouble, "resting sessions"):
            while self._count:
                await self._world.clock.sleep(1)
                await self._dismiss(self._world.clock.ticks() - IDLE_S * SECOND)
        self._watching = False

    async def _dismiss(self, before: int) -> None:
        """Those that have rested since before this moment."""
        leaving: list[Call] = []
        for route, sessions in list(self._sessions.items()):
            leaving += [each for each in sessions if each.idle_since < before]
            self._sessions[route] = [each for each in sessions if each.idle_since >= before]
            if not self._sessions[route]:
                del self._sessions[route]
        self._count -= len(leaving)
        for session in leaving:
            await session.quit()
