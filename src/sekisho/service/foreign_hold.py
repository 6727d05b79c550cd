"""A contained account in another server's queue: what waits is held, and what comes is, until it is released.

Their server may take mail in without asking us. So while an action stands its queue is looked through again
and again, for what the action would have held.
"""

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from sekisho.model.action import Kind
from sekisho.model.config import Config, Hand
from sekisho.model.ident import make_id
from sekisho.model.selector import Selector
from sekisho.service.boundary import Record, boundary
from sekisho.service.channel import NotDone
from sekisho.service.foreign_queues import desk_of, post
from sekisho.service.foreign_standing import StandingDesk
from sekisho.service.messages import QueueAsk
from sekisho.store import networktable
from sekisho.world import Unavailable, World

T = TypeVar("T")
SECOND = 1_000_000
RHYTHM_S = 2.0
SHARE = 10
"""Looking takes at most one part in so many of the time."""

ASKING = ("policy", "milter")
"""Protocols of listeners at which a server asks whether to hold a letter."""


class ForeignHands:
    """`Hands` for one queue. `asks_us`: their server asks at a listener of ours and holds what we say."""

    kinds: frozenset[Kind] = frozenset({"hold_queue", "release_queue", "purge_bounces", "notify"})

    def __init__(self, world: World, desk: Callable[[], StandingDesk], hand: Hand, *, asks_us: bool) -> None:
        self._world = world
        self._open = desk
        self._hand = hand
        self._asks_us = asks_us
        self._known: StandingDesk | None = None
        self._orders: dict[str, Selector] | None = None

    async def hold(self, action: str, selector: Selector) -> Sequence[str]:
        desk = await self._desk()
        (await self._standing())[action] = selector
        return await self._beside(partial(desk.stand_guard, action, selector, claims=self._asks_us))

    async def release(self, held: str, ids: Sequence[str], account: str) -> Sequence[str]:
        desk = await self._desk()
        if self._asks_us and account:
            await self._beside(partial(desk.claim, held, account))
        selector = (await self._standing()).pop(held, None)
        if selector is not None:  # what came since the last look is ours to let go as well
            await self._beside(partial(desk.stand_guard, held, selector, claims=self._asks_us))
        return await self._beside(partial(desk.stand_down, held, self._ident()))

    async def purge(self, selector: Selector) -> Sequence[str]:
        desk = await self._desk()
        answer = await self._beside(partial(desk.answer, QueueAsk("purge", selector, action=self._ident())))
        return answer.performed.changed if answer.performed is not None else ()

    async def post(self, recipient: str, letter: bytes) -> None:
        await self._beside(partial(post, self._hand, recipient, letter))

    async def keep_watch(self, trouble: Record) -> None:
        """Until the process ends; after a restart actions stand as before."""
        while True:
            begun = self._world.clock.ticks()
            async with boundary(trouble, "hands", self._hand.program):
                with contextlib.suppress(Unavailable, NotDone):  # asked again in a moment
                    await self.look()
            took = (self._world.clock.ticks() - begun) / SECOND
            await self._world.clock.sleep(max(RHYTHM_S, took * SHARE))

    async def look(self) -> None:
        standing = await self._standing()
        for action, selector in tuple(standing.items()):
            desk = await self._desk()
            await self._beside(partial(desk.stand_guard, action, selector, claims=self._asks_us))

    async def _standing(self) -> dict[str, Selector]:
        """What stood when we began is read once; from then on nobody else gives such orders."""
        if self._orders is None:
            desk = await self._desk()
            self._orders = dict(await self._beside(desk.orders))
        return self._orders

    async def _desk(self) -> StandingDesk:
        """Opened at the first need: their server may start after us."""
        if self._known is None:
            self._known = await self._beside(self._open)
        return self._known

    async def _beside(self, work: Callable[[], T]) -> T:
        done: T = await self._world.spawn.thread(work)
        return done

    def _ident(self) -> str:
        return make_id(self._world.clock.now(), self._world.chance.bits(30))


def hands_beside(world: World, config: Config) -> tuple[ForeignHands, ...]:
    """For each queue that the settings name. Raises Unavailable for the network table."""
    if not config.hands:
        return ()
    table = networktable.of(config)
    asks_us = any(listener.protocol in ASKING for listener in config.listen.values())

    def opened(hand: Hand) -> StandingDesk:
        return desk_of(config, hand, world.disk, world.clock.now, lambda address: table.find(address).key)

    hands = config.hands.values()
    return tuple(ForeignHands(world, partial(opened, hand), hand, asks_us=asks_us) for hand in hands)
