"""Sessions that rest between two letters, by road: kept open for a moment, because the next letter often
comes.
"""

from collections.abc import Hashable

from sekisho.service.boundary import Record, boundary
from sekisho.service.calling import Call
from sekisho.world import World

IDLE_S = 5
"""How long a session may rest. Other people's servers count their open connections."""

RESTING_MAX = 200
"""Most sessions resting at once, all roads together; above it the newcomer says goodbye."""

SECOND = 1_000_000


class Resting:
    """`trouble` is told of our bugs in the background."""

    def __init__(self, world: World, trouble: Record) -> None:
        self._world = world
        self._trouble = trouble
        self._sessions: dict[Hashable, list[Call]] = {}
        self._count = 0
        self._watching = False

    def take(self, road: Hashable) -> Call | None:
        """The one that rested least: the others may then go."""
        sessions = self._sessions.get(road)
        if not sessions:
            return None
        self._count -= 1
        session = sessions.pop()
        if not sessions:
            del self._sessions[road]
        return session

    async def put(self, road: Hashable, session: Call) -> None:
        if self._count >= RESTING_MAX:
            await session.quit()
            return
        session.idle_since = self._world.clock.ticks()
        self._sessions.setdefault(road, []).append(session)
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
        for road, sessions in list(self._sessions.items()):
            leaving += [each for each in sessions if each.idle_since < before]
            self._sessions[road] = [each for each in sessions if each.idle_since >= before]
            if not self._sessions[road]:
                del self._sessions[road]
        self._count -= len(leaving)
        for session in leaving:
            await session.quit()
