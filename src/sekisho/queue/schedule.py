"""Who is tried when: one lane per (route, destination), each with its own concurrency, pace and back-off.

The table is the truth; this is a cache of it that is rebuilt at start. It holds what is in memory: batches
handed over as new, batches taken from the table, and for every other lane only when its next delivery is
due. Lanes take turns; within a lane retries and new mail take turns, and among new mail the accounts that
sent it. A flood of new mail therefore starves nobody.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Sequence

from sekisho.model.config import Queue
from sekisho.model.delivery import Delivery
from sekisho.model.letter import Letter
from sekisho.queue.lane import BATCH_RECIPIENTS, NEVER, Batch, Lane, batches
from sekisho.queue.limits import Limits
from sekisho.queue.retry import SECOND, wait_s

__all__ = ["BATCH_RECIPIENTS", "NEVER", "Batch", "Schedule"]

NEW_MAX = 1000
"""Most new deliveries that wait in memory for one lane; the rest waits in the table."""

NEW_LEAST = 20
"""So many of one party are taken whoever else fills the lane, and when memory is half full only so many."""

TROUBLE_MAX = 3
"""After this many batches in a row that reached nobody, the lane pauses, and then tries one batch at a
time."""

BYTES_MAX = 64 * 1024 * 1024
"""Most bytes of bodies kept in memory for new deliveries; the rest is read again when its turn comes."""

PACED_S = 10
"""Where messages are counted by the minute, so many seconds' worth of them are taken from the table."""


class Schedule:
    """`now` in microseconds, always given. `in_memory` counts deliveries that are `trying` in the table."""

    def __init__(self, settings: Queue) -> None:
        self.settings = settings
        self.limits = Limits(settings)
        self.in_memory = 0
        self.active = 0
        self._lanes: dict[str, Lane] = {}
        self._ready: deque[Lane] = deque()
        self._times: list[tuple[int, str]] = []
        self._due: dict[str, None] = {}
        self._bytes = 0
        self._kept: dict[str, tuple[int, int, str]] = {}

    def reload(self, settings: Queue) -> None:
        """What starts from now on goes by these; every lane looks whether it may do more."""
        self.settings = settings
        self.limits = Limits(settings)
        for lane in self._lanes.values():
            self._queue(lane)

    # What comes in.

    def reserve(self, deliveries: Sequence[Delivery], size: int, party: str, now: int) -> bool:
        """Room in memory for these new deliveries of one message, and for its body? All or none."""
        if self.in_memory + len(deliveries) > self.settings.active or self._bytes + size > BYTES_MAX:
            return False
        lanes = {delivery.route.lane for delivery in deliveries}
        if any(not self._open(name, party, now) for name in lanes):
            return False
        for delivery in deliveries:
            self._lane(delivery.route.lane).reserve(party, 1)
        self.in_memory += len(deliveries)
        self._bytes += size
        self._kept[deliveries[0].message] = (len(deliveries), size, party)
        return True

    def _open(self, name: str, party: str, now: int) -> bool:
        lane = self._lanes.get(name)
        if lane is None:
            return True
        if lane.trouble or max(lane.paused_until, lane.blocked_until) > now:
            return False
        most = NEW_MAX if self.in_memory <= self.settings.active // 2 else NEW_LEAST
        if per_minute := self.limits.lane(name).per_minute:
            most = min(most, per_minute)
        return lane.reserved < most or lane.shares.get(party, 0) < min(most, NEW_LEAST)

    def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """Reserved, and not kept after all."""
        party = self._release(deliveries[0].message, len(deliveries))
        for delivery in deliveries:
            self._lane(delivery.route.lane).release(party, 1)
        self.in_memory -= len(deliveries)

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
        pace = self.limits.lane(lane.name)
        if not lane.has_room(pace):
            return False
        ready_at = lane.ready_at(pace)
        if ready_at > now:
            if pace.per_minute:
                heapq.heappush(self._times, (ready_at, lane.name))
            return False
        if pace.per_minute and (lane.new or lane.claimed):
            lane.due = pace.after(lane.due, now)
            heapq.heappush(self._times, (lane.due, lane.name))
        return True

    def ended(self, batch: Batch, *, trouble: bool, now: int, luck: float) -> bool:
        """A batch was tried. True when its lane has just been paused."""
        lane = self._lane(batch.lane)
        lane.active -= 1
        self.active -= 1
        self._forget(lane, batch)
        paused = False
        if not trouble:
            lane.trouble = 0
            self._end_pause(lane, now)
            lane.window = min(lane.window + 1, self.settings.concurrency)
        else:
            lane.trouble += 1
            lane.window = 1
            if lane.trouble >= TROUBLE_MAX and lane.paused_until <= now:
                pause_s = wait_s(lane.trouble - TROUBLE_MAX + 1, luck, self.settings)
                self._pause(lane, now + round(pause_s * SECOND))
                paused = True
        self._queue(lane)
        self._drop_if_idle(lane.name)
        return paused

    def postponed(self, batch: Batch, rest: Sequence[Delivery], until: int, now: int) -> None:
        """These of a batch that was started found no place: they are first again, then or when woken."""
        lane = self._lane(batch.lane)
        lane.active -= 1
        self.active -= 1
        names = {delivery.id for delivery in rest}
        ended = tuple(delivery for delivery in batch.deliveries if delivery.id not in names)
        if ended:
            self._forget(lane, Batch(ended, batch.letter))
        lane.take_again(Batch(tuple(rest), batch.letter))
        lane.blocked_until = max(until, now)
        heapq.heappush(self._times, (lane.blocked_until, lane.name))

    def woken(self, name: str, now: int) -> bool:
        """There is a place for this lane. False when it has nothing in memory that could take it."""
        lane = self._lanes.get(name)
        if lane is None:
            return False
        self._end_pause(lane, now)
        self._queue(lane)
        return bool(lane.new or lane.claimed)

    def forgive(self, now: int) -> None:
        """No lane pauses any longer: the operator wants it tried now."""
        for lane in self._lanes.values():
            self._end_pause(lane, now)
            self._queue(lane)

    def _end_pause(self, lane: Lane, now: int) -> None:
        if max(lane.paused_until, lane.blocked_until) > now:
            heapq.heappush(self._times, (now, lane.name))  # what is due in the table is asked for again
        lane.paused_until = lane.blocked_until = 0

    def _pause(self, lane: Lane, until: int) -> None:
        lane.paused_until = until
        heapq.heappush(self._times, (until, lane.name))

    def _forget(self, lane: Lane, batch: Batch) -> None:
        self.in_memory -= len(batch.deliveries)
        if batch.letter is not None:
            party = self._release(batch.deliveries[0].message, len(batch.deliveries))
            lane.release(party, len(batch.deliveries))

    def _release(self, message: str, count: int) -> str:
        """Whose they were."""
        kept, size, party = self._kept[message]
        if kept == count:
            self._bytes -= size
            del self._kept[message]
        else:
            self._kept[message] = (kept - count, size, party)
        return party

    def wants(self, now: int) -> list[tuple[str, int]]:
        """Lanes that have something due in the table and room for it: name and how many."""
        while self._times and self._times[0][0] <= now:
            _, name = heapq.heappop(self._times)
            lane = self._lanes.get(name)
            if lane is not None:
                if lane.due <= now:
                    lane.due = 0
                self._queue(lane)
                if lane.next_at <= now:
                    self._due[name] = None
                self._drop_if_idle(name)
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
        if max(lane.paused_until, lane.blocked_until) > now:
            del self._due[lane.name]  # the end of the pause brings it back
            return 0
        pace = self.limits.lane(lane.name)
        concurrency = pace.concurrency
        if pace.per_minute:
            concurrency = min(concurrency, max(1, pace.per_minute * PACED_S // 60 // 2))
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


def _holds(batch: Batch, ids: set[str]) -> bool:
    return any(delivery.id in ids for delivery in batch.deliveries)
