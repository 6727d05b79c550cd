"""The queue at work: due deliveries to their carriers, results to the table, failures to the reporter.

New mail comes straight from the spool's commit with its body in memory. Everything else is taken from the
table, lane by lane. Losing a wake-up loses nothing: the table is asked again.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol

from msgspec import Struct

from sekisho.model.delivery import Deferred, Delivery, Failed, Kind, Outcome, Route, State
from sekisho.model.event import Event
from sekisho.model.letter import Letter, Settled
from sekisho.model.verdict import Reply
from sekisho.queue.places import Full
from sekisho.queue.retry import SECOND, expired, judge, lane_in_trouble
from sekisho.queue.schedule import NEVER, Batch, Schedule
from sekisho.service.boundary import Record, boundary
from sekisho.service.reporting import Reporter
from sekisho.service.tried import reported, tried
from sekisho.store.spool import Due, Spool, Want
from sekisho.world import Unavailable, World

REST_S = 60.0
"""Longest sleep: somebody may have set the clock."""

TIDY_S = 600.0
"""How often the table is looked at anew, and purged messages for those whose time is over."""

JUMP_S = 30
"""The wall clock moved this much more or less than time passed: somebody has set it."""

STOP_S = 10.0
"""How long tries under way may take to end when we stop; what is cut off counts as tried."""

OURS = Reply(451, "4.3.0", "an error of ours; it will be tried again")


class Carrier(Protocol):
    async def carry(self, batch: tuple[Delivery, ...], letter: Letter) -> Mapping[str, Outcome | Full]:
        """Tries all deliveries of one message in one lane: outcomes by delivery id, `Full` for those that
        were not tried for want of a place. Never raises for peers."""


class Voice(Struct, frozen=True):
    """Where events go, and what is our own fault."""

    record: Callable[[Event], None]
    trouble: Record


class Deliverer:
    """A spool's Taker. `run` until `stop`."""

    def __init__(
        self, world: World, spool: Spool, carriers: Mapping[Kind, Carrier], reporter: Reporter, voice: Voice
    ) -> None:
        self._world = world
        self._spool = spool
        self._carriers = carriers
        self._reporter = reporter
        self._voice = voice
        self._schedule = Schedule(spool.settings)
        self._sleeps_until = 0
        self._wake = asyncio.Event()
        self._quiet = asyncio.Event()
        self._stopping = False
        self._still = 0
        self._stale = True
        self._offset = world.clock.now() - world.clock.ticks()
        self._tidied = world.clock.ticks()
        spool.taker = self

    # The spool's Taker.

    def reserve(self, deliveries: Sequence[Delivery], size: int, party: str) -> bool:
        return not self._stopping and self._schedule.reserve(deliveries, size, party, self._now())

    def take(self, deliveries: tuple[Delivery, ...], letter: Letter) -> None:
        self._schedule.hand_over(deliveries, letter)
        self._start()

    def waits(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self._schedule.waits(delivery.route.lane, delivery.next_at)
        self._wake_in_time()

    def found(self, due: Due) -> None:
        for lane, next_at in due.next_at.items():
            self._schedule.looked(lane, next_at or NEVER)
        self._schedule.claimed(due.deliveries)

    def give_back(self, deliveries: Sequence[Delivery]) -> None:
        self._schedule.give_back(deliveries)

    # The loop.

    async def run(self) -> None:
        self._spool.on_alarm(lambda what, why: self._voice.trouble(what, why, ""))
        found = self._spool.recovered
        for message in found.missing:
            self._voice.trouble("the body of a kept message is missing; it is held", message, "")
        for message in found.refused:
            self._voice.trouble("a kept message is not taken by the table", message, "")
        if found.holes:
            self._voice.trouble("frames of the spool's journal are damaged", str(found.holes), "")
        while not self._stopping:
            with boundary(self._voice.trouble, "delivery"):
                try:
                    await self._turn()
                except Unavailable:  # the spool's disk: its writer finds out when it works again
                    self._stale = True
                    await self._world.clock.sleep(1.0)
            await self._rest()

    async def stop(self) -> None:
        """Nothing new is started; tries under way may end; what waits in memory goes back to the table."""
        self._stopping = True
        self._wake.set()
        if self._schedule.active:
            self._quiet.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await self._quiet.wait()
        await self.put_back()

    @contextmanager
    def still(self) -> Iterator[None]:
        """Nothing is started meanwhile; what is under way goes on."""
        self._still += 1
        try:
            yield
        finally:
            self._still -= 1
            self.refresh()

    async def put_back(self) -> None:
        """What no try has begun for waits in the table again, where actions find it. Within `still`."""
        taken = self._schedule.take_back()
        if taken:
            await self._spool.settled([_untried(delivery) for delivery in taken])
            self._stale = True

    def reload(self) -> None:
        """Goes by the spool's settings as they are now."""
        self._schedule.reload(self._spool.settings)
        self._start()
        self._wake.set()

    def woken(self, lane: str) -> bool:
        """There is a place for this lane at a host that was full. Does it want it?"""
        self._wake.set()
        return self._schedule.woken(lane, self._now())

    def forgive(self) -> None:
        """What pauses is tried now: the operator knows better."""
        self._schedule.forgive(self._now())
        self._wake.set()

    def refresh(self) -> None:
        """The table was changed by somebody else: look at it anew."""
        self._stale = True
        self._wake.set()

    @property
    def under_way(self) -> int:
        return self._schedule.active

    def _now(self) -> int:
        return self._world.clock.now()

    async def _turn(self) -> None:
        await self._watch_clock()
        if self._stale:
            self._stale = False
            await self._look()
        await self._claim()
        self._start()
        if self._world.clock.ticks() - self._tidied >= TIDY_S * SECOND:
            self._tidied = self._world.clock.ticks()
            self._stale = True
            await self._spool.tidy()

    async def _rest(self) -> None:
        self._sleeps_until = NEVER if self._still else self._schedule.next_at()  # the end of `still` wakes
        left_s = (self._sleeps_until - self._now()) / SECOND
        if not self._wake.is_set() and left_s > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, REST_S)):
                    await self._wake.wait()
        self._wake.clear()

    async def _watch_clock(self) -> None:
        offset = self._now() - self._world.clock.ticks()
        moved = offset - self._offset
        self._offset = offset
        if abs(moved) >= JUMP_S * SECOND:
            self._schedule.set_back(self._now())
            self._stale = True
            if moved < 0:
                await self._spool.set_back(self._now())

    async def _look(self) -> None:
        for lane in await self._spool.lanes():
            self._schedule.waits(lane.lane, lane.next_at)
        await self._reporter.look()

    async def _claim(self) -> None:
        while not self._stopping and not self._still:
            now = self._now()
            wants = [Want(lane, limit) for lane, limit in self._schedule.wants(now)]
            if not wants:
                return
            await self._spool.due(now, wants)
            self._start()

    def _start(self) -> None:
        if self._still or self._stopping:
            return
        for batch in self._schedule.start(self._now()):
            self._world.spawn.task("try", self._try(batch))
        self._wake_in_time()

    def _wake_in_time(self) -> None:
        """Something may be due earlier than we knew when we went to sleep."""
        if self._schedule.next_at() < self._sleeps_until:
            self._wake.set()

    # One try.

    async def _try(self, batch: Batch) -> None:
        outcomes: Mapping[str, Outcome | Full] = {}
        letter: Letter | None = None
        with boundary(self._voice.trouble, "delivery", batch.deliveries[0].message):
            try:
                letter = batch.letter or await self._spool.letter(batch.deliveries[0].message)
                outcomes = await self._carry(batch, letter)
            except Unavailable as trouble:
                outcomes = {each.id: _deferred(trouble) for each in batch.deliveries}
        with boundary(self._voice.trouble, "delivery", batch.deliveries[0].message):
            self._learn(batch, letter, [outcomes.get(each.id, Deferred(OURS)) for each in batch.deliveries])

    def _learn(self, batch: Batch, letter: Letter | None, outcomes: Sequence[Outcome | Full]) -> None:
        tried_ = [(each, end) for each, end in zip(batch.deliveries, outcomes, strict=True)
                  if not isinstance(end, Full)]  # fmt: skip
        if len(tried_) == len(outcomes):
            ends = [end for _, end in tried_]
            self._settle(batch, letter, ends)
            self._end(batch, ends, self._now())
            return
        if tried_:
            self._settle(Batch(tuple(each for each, _ in tried_)), letter, [end for _, end in tried_])
        until = min(end.until for end in outcomes if isinstance(end, Full))
        rest = [each for each, end in zip(batch.deliveries, outcomes, strict=True) if isinstance(end, Full)]
        self._schedule.postponed(batch, rest, until, self._now())
        self._after_try()

    async def _carry(self, batch: Batch, letter: Letter) -> Mapping[str, Outcome | Full]:
        route = batch.deliveries[0].route
        carrier = self._carriers.get(route.kind)
        if carrier is None:
            return {each.id: _refused(each.route) for each in batch.deliveries}
        return await carrier.carry(batch.deliveries, letter)

    def _settle(self, batch: Batch, letter: Letter | None, outcomes: Sequence[Outcome]) -> None:
        now = self._now()
        changes = [
            judge(delivery, outcome, now, self._luck(), self._spool.settings)
            for delivery, outcome in zip(batch.deliveries, outcomes, strict=True)
        ]
        for delivery, outcome, change in zip(batch.deliveries, outcomes, changes, strict=True):
            self._voice.record(tried(self._world, letter, delivery, outcome, change))
        if letter is not None and letter.envelope.wishes:
            changes = [
                reported(change, outcome, letter, delivery)
                for delivery, outcome, change in zip(batch.deliveries, outcomes, changes, strict=True)
            ]
        if all(change.state is State.DONE for change in changes):
            self._spool.settle(changes)
        else:
            self._spool.settled(changes).add_done_callback(lambda _: self._settled(batch.lane, changes))

    def _settled(self, lane: str, changes: Sequence[Settled]) -> None:
        """They are durable. Only now: the schedule must not hear of times that the table does not know."""
        for change in changes:
            if change.state is State.WAITING:
                self._schedule.waits(lane, change.next_at)
                self._wake.set()
            elif change.state is State.FAILED:
                self._reporter.failed(change.message)

    def _end(self, batch: Batch, outcomes: Sequence[Outcome], now: int) -> None:
        trouble = lane_in_trouble(outcomes)
        paused = self._schedule.ended(batch, trouble=trouble, now=now, luck=self._luck())
        if paused and outcomes:
            self._world.spawn.task("expire", self._expire(batch.lane, expired(outcomes[-1].reply)))
        self._after_try()

    def _after_try(self) -> None:
        if not self._schedule.active:
            self._quiet.set()
        self._start()
        if self._schedule.hungry:
            self._wake.set()

    async def _expire(self, lane: str, reply: Reply) -> None:
        with boundary(self._voice.trouble, "delivery", lane):
            try:
                while await self._spool.expire_lane(lane, self._now(), reply):
                    await self._reporter.look()
            except Unavailable:
                return  # the next pause of the lane comes to it

    def _luck(self) -> float:
        return self._world.chance.between(0.0, 1.0)


def _untried(delivery: Delivery) -> Settled:
    return Settled(
        delivery.id, delivery.message, State.WAITING, delivery.last_reply, delivery.tries, delivery.next_at
    )


def _deferred(trouble: Unavailable) -> Outcome:
    return Deferred(Reply(451, "4.3.0", f"{trouble.door} is not available"))


def _refused(route: Route) -> Outcome:
    """`Kind.REFUSE` says why in its host; any other kind without a carrier waits for one to be configured."""
    if route.kind is Kind.REFUSE:
        status, _, text = route.host.partition(" ")
        return Failed(Reply(550, status, text))
    return Deferred(Reply(451, "4.3.5", f"this server delivers nothing by {route.kind.value}"))
