"""Who uses which session to another host, and when a new one is opened.

A road is one way of sending (route, source, demands): at most `places` sessions, opened a few at a time and
only when those that are there have enough to do. A letter that waits is begun behind the final dot of the
letter before it (RFC 2920 3.1), or gets the next session that is free, or, when it has waited long enough,
a session of its own.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable

from sekisho.service.boundary import Record
from sekisho.service.calling import Call
from sekisho.service.errand import Errand
from sekisho.service.resting import Resting
from sekisho.world import World

LINE = 2
"""Letters that may wait for each session before another one is opened at once."""

OPENING_MAX = 4
"""Most sessions of one road that are being opened at the same time."""

PATIENCE_S = 0.02
"""After this long a waiting letter gets a session of its own, if there is a place."""


class Roads:
    def __init__(self, world: World, trouble: Record) -> None:
        self._roads: dict[Hashable, _Road] = {}
        self._resting = Resting(world, trouble)

    async def enter(self, key: Hashable, places: int, errand: Errand) -> "Place":
        """Waits until there is a session for this errand, or a place to open one. `give_back` at the end."""
        road = self._roads.get(key)
        if road is None:
            road = self._roads[key] = _Road(key, self._resting, self._roads.pop)
        road.places = places
        return Place(road, await road.enter(errand))

    async def close(self) -> None:
        await self._resting.close()


class Place:
    """The right to one session of a road. `session` is None while none is open."""

    def __init__(self, road: "_Road", session: Call | None) -> None:
        self.session = session
        self.held = True
        self._road = road
        self._opening = session is None
        self._follower: _Waiter | None = None

    def opened(self) -> None:
        """The session is there, or will not be: others may open theirs."""
        if self._opening:
            self._opening = False
            self._road.opening -= 1
            self._road.wake()

    def follower(self) -> Errand | None:
        """The next errand of the road, which from now on gets this session."""
        waiter = self._road.next()
        if waiter is None:
            return None
        self._follower = waiter
        return waiter.errand

    def pass_on(self) -> bool:
        """The session goes to the follower, if there is one."""
        waiter, self._follower = self._follower, None
        if waiter is None:
            return False
        self.held = False
        session = self.session
        useful = session is not None and (session.usable or waiter.errand.begun)
        self._road.hand(waiter, session if useful else None)
        return True

    async def give_back(self) -> None:
        self.opened()
        if self.held and not self.pass_on():
            self.held = False
            await self._road.leave(self.session)


class _Waiter:
    __slots__ = ("errand", "future", "since")

    def __init__(self, errand: Errand) -> None:
        loop = asyncio.get_running_loop()
        self.errand = errand
        self.future: asyncio.Future[Call | None] = loop.create_future()
        self.since = loop.time()


class _Road:
    def __init__(self, key: Hashable, resting: Resting, forget: Callable[[Hashable, None], object]) -> None:
        self.places = 1
        self.opening = 0
        self._key = key
        self._resting = resting
        self._forget = forget
        self._held = 0
        self._waiting: deque[_Waiter] = deque()
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self, errand: Errand) -> Call | None:
        session = self._resting.take(self._key)
        if session is not None:
            self._held += 1
            return session
        if self._may_open(len(self._waiting) + 1):
            self._open()
            return None
        waiter = _Waiter(errand)
        self._waiting.append(waiter)
        self._watch()
        try:
            return await waiter.future
        except asyncio.CancelledError:
            self._give_up(waiter)
            raise

    def next(self) -> _Waiter | None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.future.done():  # else it was cancelled
                return waiter
        return None

    def hand(self, waiter: _Waiter, session: Call | None) -> None:
        """With the place; without a session, to open one."""
        if not waiter.future.done():
            self.opening += session is None
            waiter.future.set_result(session)
            return
        if session is not None:  # it was cancelled; its transaction may have begun
            session.drop()
        self._free()

    async def leave(self, session: Call | None) -> None:
        if session is None or not session.usable:
            self._free()
        elif session.worn:
            self._free()
            await session.quit()
        elif (waiter := self.next()) is not None:
            self.hand(waiter, session)
        else:
            self._held -= 1
            await self._resting.put(self._key, session)
            self._forget_if_idle()

    def wake(self) -> None:
        """Opens for those who wait what may be opened."""
        while self._may_open(len(self._waiting)) and (waiter := self.next()) is not None:
            self._open()
            waiter.future.set_result(None)
        self._watch()

    @property
    def _room(self) -> bool:
        return self._held < self.places and self.opening < OPENING_MAX

    def _may_open(self, waiting: int) -> bool:
        return self._room and waiting > LINE * self._held

    def _open(self) -> None:
        self._held += 1
        self.opening += 1

    def _free(self) -> None:
        self._held -= 1
        self.wake()
        self._forget_if_idle()

    def _give_up(self, waiter: _Waiter) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)
        elif waiter.future.done() and not waiter.future.cancelled():  # it came at the same moment
            session = waiter.future.result()
            if session is None:
                self.opening -= 1
            else:
                session.drop()
            self._free()

    def _watch(self) -> None:
        if self._timer is None and self._waiting and self._room:
            self._timer = asyncio.get_running_loop().call_later(PATIENCE_S, self._look)

    def _look(self) -> None:
        """Those who have waited long enough open sessions of their own."""
        self._timer = None
        before = asyncio.get_running_loop().time() - PATIENCE_S
        while self._room and self._waiting and self._waiting[0].since <= before:
            waiter = self.next()
            if waiter is not None:
                self._open()
                waiter.future.set_result(None)
        self._watch()

    def _forget_if_idle(self) -> None:
        if not self._held and not self._waiting:
            self._forget(self._key, None)
