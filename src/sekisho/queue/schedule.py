"""Who is tried when: one lane per (route, destination), each with its own concurrency and back-off.

The table is the truth; this is a cache of it that is rebuilt at start. It holds what is in memory: batches
handed over as new, batches taken from the table, and for every other lane only when its next delivery is
due. Lanes take turns; within a lane retries and new mail take turns. A flood of new mail therefore starves
nobody.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Sequence

from msgspec import Struct

from sekisho.model.config import Queue
from sekisho.model.delivery import Delivery
from sekisho.model.letter import Letter
from sekisho.queue.retry import SECOND, wait_s

BATCH_RECIPIENTS = 100
"""Most recipients of one transaction: every host must take so many (RFC 5321 4.5.3.1.8)."""

NEW_MAX = 1000
"""Most new deliveries that wait in memory for one lane; the rest waits in the table."""

TROUBLE_MAX = 3
"""After this many batches in a row that reached nobody, the lane pauses, and then tries one batch at a
time."""

BYTES_MAX = 64 * 1024 * 1024
"""Most bytes of bodies kept in memory for new deliveries; the rest is read again when its turn comes."""

NEVER = 1 << 62


class Batch(Struct, frozen=True):
    """Deliveries of one message in one lane. `letter` is there if it is still in memory."""

    deliveries: tuple[Delivery, ...]
    letter: Letter | None = None

    @property
    def lane(self) -> str:
        return self.deliveries[0].route.lane


class Lane:
    """What is known of one lane. `next_at`: when the first delivery in the table is due."""

    __slots__ = (
        "active",
        "claimed",
        "name",
        "new",
        "next_at",
        "paused_until",
        "queued",
        "reserved",
        "trouble",
        "turn",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.new: deque[Batch] = deque()
        self.claimed: deque[Batch] = deque()
        self.active = 0
        self.reserved = 0
        self.trouble = 0
        self.paused_until = 0
        self.next_at = NEVER
        self.turn = False
        self.queued = False

    def take(self) -> Batch | None:
        """New mail and what was taken from the table, by turns."""
        first, second = (self.claimed, self.new) if self.turn else (self.new, self.claimed)
        self.turn = not self.turn
        chosen = first or second
        return chosen.popleft() if chosen else None

    @property
    def idle(self) -> bool:
        return (
            not (self.new or self.claimed or self.active or self.reserved or self.trouble)
            and self.next_at == NEVER
        )


class Schedule:
    """`now` in microseconds, always given. `in_memory` counts deliveries that are `trying` in the table."""

    def __init__(self, settings: Queue) -> None:
        self.settings = settings
        self.in_memory = 0
        self.active = 0
        self._lanes: dict[str, Lane] = {}
        self._ready: deque[Lane] = deque()
        self._times: list[tuple[int, str]] = []
        self._due: dict[str, None] = {}
        self._bytes = 0
        self._kept: dict[str, list[int]] = {}

    # What comes in.

    def reserve(self, deliveries: Sequence[Delivery], size: int, now: int) -> bool:
        """Room in memory for these new deliveries of one message, and for its body? All or none."""
        if self.in_memory + len(deliveries) > self.settings.active or self._bytes + size > BYTES_MAX:
            return False
        lanes = {delivery.route.lane for delivery in deliveries}
        if any(not self._open(name, now) for name in lanes):
            return False
        for delivery in deliveries:
            self._lane(delivery.route.lane).reserved += 1
        self.in_memory += len(deliveries)
        self._bytes += size
        self._kept[deliveries[0].message] = [len(deliveries), size]
        return True

    def _open(self, name: str, now: int) -> bool:
        lane = self._lanes.get(name)
        return lane is None or (lane.reserved < NEW_MAX and lane.paused_until <= now and not lane.trouble)

    def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """Reserved, and not kept after all."""
        for delivery in deliveries:
            self._lane(delivery.route.lane).reserved -= 1
        self.in_memory -= len(deliveries)
        self._release(deliveries[0].message, len(deliveries))

    def hand_over(self, deliveries: Sequence[Delivery], letter: Letter) -> None:
        """New deliveries that `reserve` made room for."""
        for batch in batches(deliveries, letter):
            lane = self._lane(batch.lane)
            lane.new.append(batch)
            self._queue(lane)

    def claimed(self, deliveries: Sequence[Delivery]) -> None:
        """Taken from the table as `wants` asked."""
        self.in_memory += len(deliveries)
        for batch in batches(deliveries, None):
            lane = self._lane(batch.lane)
            lane.claimed.append(batch)
            self._queue(lane)

    def waits(self, name: str, next_at: int) -> None:
        """Something in this lane of the table is due at `next_at`; earlier knowledge of later times stands.
        """
        lane = self._lane(name)
        if next_at < lane.next_at:
            lane.next_at = next_at
            heapq.heappush(self._times, (next_at, name))

    def looked(self, name: str, next_at: int) -> None:
        """The table was asked: nothing in this lane is due before `next_at` (NEVER: nothing waits)."""
        self._due.pop(name, None)
        self._lane(name).next_at = NEVER
        if next_at < NEVER:
            self.waits(name, next_at)
        else:
            self._drop_if_idle(name)

    # What goes out.

    def start(self, now: int) -> list[Batch]:
        """Batches to be tried now, as many as concurrency allows."""
        started: list[Batch] = []
        while self._ready and self.active < self.settings.concurrency:
            lane = self._ready.popleft()
            lane.queued = False
            batch = lane.take() if self._may_start(lane, now) else None
            if batch is not None:  # else the end of its pause or of a try puts the lane back in line
                lane.active += 1
                self.active += 1
                started.append(batch)
                self._queue(lane)
        return started

    def _may_start(self, lane: Lane, now: int) -> bool:
        limit = 1 if lane.trouble else self.settings.lane_concurrency
        return lane.active < limit and lane.paused_until <= now

    def ended(self, batch: Batch, *, trouble: bool, now: int, luck: float) -> bool:
        """A batch was tried. True when its lane has just been paused."""
        lane = self._lane(batch.lane)
        lane.active -= 1
        self.active -= 1
        self._forget(lane, batch)
        paused = False
        if not trouble:
            lane.trouble = lane.paused_until = 0
        else:
            lane.trouble += 1
            if lane.trouble >= TROUBLE_MAX and lane.paused_until <= now:
                pause_s = wait_s(lane.trouble - TROUBLE_MAX + 1, luck, self.settings)
                lane.paused_until = now + round(pause_s * SECOND)
                heapq.heappush(self._times, (lane.paused_until, lane.name))
                paused = True
        self._queue(lane)
        self._drop_if_idle(lane.name)
        return paused

    def _forget(self, lane: Lane, batch: Batch) -> None:
        self.in_memory -= len(batch.deliveries)
        if batch.letter is not None:
            lane.reserved -= len(batch.deliveries)
            self._release(batch.deliveries[0].message, len(batch.deliveries))

    def _release(self, message: str, count: int) -> None:
        kept = self._kept[message]
        kept[0] -= count
        if kept[0] == 0:
            self._bytes -= kept[1]
            del self._kept[message]

    def wants(self, now: int) -> list[tuple[str, int]]:
        """Lanes that have something due in the table and room for it: name and how many."""
        while self._times and self._times[0][0] <= now:
            _, name = heapq.heappop(self._times)
            lane = self._lanes.get(name)
            if lane is not None:
                self._queue(lane)
                if lane.next_at <= now:
                    self._due[name] = None
        left = self.settings.active - self.in_memory
        found = []
        for name in list(self._due):
            limit = min(self._room(self._lanes[name], now), left)
            if limit > 0:
                left -= limit
                found.append((name, limit))
        return found

    def _room(self, lane: Lane, now: int) -> int:
        """How many to take from the table: a good many at once, or none; one while the road is in doubt."""
        if lane.paused_until > now:
            del self._due[lane.name]  # the end of the pause brings it back
            return 0
        concurrency = self.settings.lane_concurrency
        room = 2 * concurrency - sum(len(batch.deliveries) for batch in lane.claimed)
        if room < concurrency:
            return 0
        return 1 if lane.trouble else room

    @property
    def hungry(self) -> bool:
        """Something is due in the table."""
        return bool(self._due)

    def next_at(self) -> int:
        """When to look again, if nothing else happens before."""
        return self._times[0][0] if self._times else NEVER

    def take_back(self, chosen: Iterable[str] | None = None) -> list[Delivery]:
        """Takes out what is not started yet: all, or those of these ids (whole batches that hold one)."""
        wanted = None if chosen is None else set(chosen)
        taken: list[Delivery] = []
        for lane in self._lanes.values():
            for line in (lane.new, lane.claimed):
                stay = [batch for batch in line if wanted is not None and not _holds(batch, wanted)]
                for batch in line:
                    if wanted is None or _holds(batch, wanted):
                        taken += batch.deliveries
                        self._forget(lane, batch)
                line.clear()
                line.extend(stay)
        return taken

    def unstarted(self) -> list[str]:
        """Ids of deliveries in memory that no try has begun for."""
        lines = [line for lane in self._lanes.values() for line in (lane.new, lane.claimed)]
        return [delivery.id for line in lines for batch in line for delivery in batch.deliveries]

    def set_back(self, now: int) -> None:
        """The clock was set: pauses and hints refer to a time that is no more. What is due is asked anew."""
        self._times = []
        for lane in self._lanes.values():
            lane.paused_until = min(lane.paused_until, now)
            lane.trouble = min(lane.trouble, 1)
            lane.next_at = NEVER
            self.waits(lane.name, now)

    def _lane(self, name: str) -> Lane:
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(name)
        return lane

    def _queue(self, lane: Lane) -> None:
        if not lane.queued and (lane.new or lane.claimed):
            lane.queued = True
            self._ready.append(lane)

    def _drop_if_idle(self, name: str) -> None:
        if name not in self._due and self._lanes[name].idle:
            del self._lanes[name]


def batches(deliveries: Sequence[Delivery], letter: Letter | None) -> list[Batch]:
    """Deliveries of one message and lane together, in pieces that every host takes."""
    groups: dict[tuple[str, str], list[Delivery]] = {}
    for delivery in deliveries:
        groups.setdefault((delivery.message, delivery.route.lane), []).append(delivery)
    return [
        Batch(tuple(group[start : start + BATCH_RECIPIENTS]), letter)
        for group in groups.values()
        for start in range(0, len(group), BATCH_RECIPIENTS)
    ]


def _holds(batch: Batch, ids: set[str]) -> bool:
    return any(delivery.id in ids for delivery in batch.deliveries)
