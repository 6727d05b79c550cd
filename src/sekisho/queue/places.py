"""Connections that are open to each host, all destinations together: who may open another, and who must wait.

A lane that finds a host full, or silent, comes back when it is woken. Lanes that wait for one host are
woken in the order in which they came, and the place that has become free is kept for them a moment.
"""

from collections.abc import Callable

from msgspec import Struct

from sekisho.queue.hops import Hop
from sekisho.queue.limits import Limits, Pace, door_of

KEPT_S = 5
"""How long a free place is kept for the lane that was woken for it."""

WAITING_MAX = 20_000
"""Most lanes that wait for one host; one more comes back by itself after `COME_BACK_S`."""

COME_BACK_S = 10
"""A lane that waits looks again after this long, woken or not."""

SILENT_AFTER = 3
"""A host that failed to answer so many calls in a row is left alone for a while."""

SILENT_S = 60
SILENT_MAX_S = 900
"""How long: doubles with every call that fails, up to this."""

HOSTS_MAX = 50_000
"""Most hosts whose silence or pace is remembered; above it the memory begins anew."""

SECOND = 1_000_000


class Full(Struct, frozen=True):
    """Not before `until`, or before the lane is woken."""

    until: int


class Seat(Struct, frozen=True):
    """What an open connection takes up: a place in its lane and at its host."""

    lane: str
    keys: tuple[str, ...]


class _Host:
    """`pace` as it was last looked up; `kept`: until when a place is kept for a lane that was woken."""

    __slots__ = ("kept", "open", "pace", "waiting")

    def __init__(self) -> None:
        self.open = 0
        self.pace = Pace(1)
        self.waiting: dict[str, None] = {}
        self.kept: dict[str, int] = {}

    def taken(self, lane: str, now: int) -> int:
        for name in [name for name, until in self.kept.items() if until <= now]:
            del self.kept[name]
        return self.open + len(self.kept) - (lane in self.kept)

    @property
    def idle(self) -> bool:
        return not (self.open or self.waiting or self.kept)


class Places:
    """`wake` is told of lanes that may come back, and says whether they will. All times are given."""

    def __init__(self, limits: Limits) -> None:
        self.wake: Callable[[str], bool] = _nobody
        self._limits = limits
        self._hosts: dict[str, _Host] = {}
        self._silent: dict[str, tuple[int, int]] = {}
        self._due: dict[str, int] = {}

    def enter(self, lane: str, hop: Hop, now: int) -> Seat | Full:
        """A place for one more connection; `leave` is owed for it."""
        keys = self._keys(lane, hop)
        for key, pace in keys:
            host = self._hosts.setdefault(key, _Host())
            host.pace = pace
            if host.taken(lane, now) >= pace.concurrency:
                if len(host.waiting) < WAITING_MAX:
                    host.waiting[lane] = None
                return Full(now + COME_BACK_S * SECOND)
        for key, _ in keys:
            host = self._hosts[key]
            host.open += 1
            host.waiting.pop(lane, None)
            host.kept.pop(lane, None)
        return Seat(lane, tuple(key for key, _ in keys))

    def leave(self, place: Seat, now: int) -> None:
        """The connection has been closed."""
        for key in place.keys:
            host = self._hosts[key]
            host.open -= 1
            while host.waiting and host.taken("", now) < host.pace.concurrency:
                lane = next(iter(host.waiting))
                del host.waiting[lane]
                if self.wake(lane):
                    host.kept[lane] = now + KEPT_S * SECOND
            if host.idle:
                del self._hosts[key]

    def wanted(self, place: Seat) -> bool:
        """Another lane waits for what a connection takes up that rests."""
        for key in place.keys:
            waiting = self._hosts[key].waiting
            if waiting and waiting.keys() - {place.lane}:
                return True
        return False

    def paced(self, hop: Hop) -> bool:
        """Messages to this host are counted by the minute."""
        return self._limits.by_minute and any(pace.per_minute for _, pace in self._limits.hosts(hop))

    def send(self, hop: Hop, now: int) -> Full | None:
        """None: one message more may go to this host now."""
        if not self._limits.by_minute:
            return None
        paced = [(key, pace) for key, pace in self._limits.hosts(hop) if pace.per_minute]
        for key, pace in paced:
            ready_at = pace.ready_at(self._due.get(key, 0))
            if ready_at > now:
                return Full(ready_at)
        for key, pace in paced:
            if len(self._due) >= HOSTS_MAX:
                self._due.clear()
            self._due[key] = pace.after(self._due.get(key, 0), now)
        return None

    def reload(self, limits: Limits) -> None:
        """More places may be free now: everybody who waits looks again."""
        self._limits = limits
        self.forgive()

    def forgive(self) -> None:
        """Silent hosts may be called again, and who waits looks again: the operator wants it tried now."""
        self._silent.clear()
        for host in self._hosts.values():
            waiting, host.waiting = host.waiting, {}
            for lane in waiting:
                self.wake(lane)

    def _keys(self, lane: str, hop: Hop) -> list[tuple[str, Pace]]:
        """The lane is counted too: a session that still says goodbye is a connection."""
        keys = [(lane, self._limits.lane(lane)), *self._limits.hosts(hop)]
        if self._silent.get(door_of(hop), (0, 0))[0] >= SILENT_AFTER:
            keys[-1] = (door_of(hop), Pace(1))  # one finds out whether it answers again
        return keys

    # Hosts that do not answer.

    def answered(self, hop: Hop) -> None:
        self._silent.pop(door_of(hop), None)

    def unanswered(self, hop: Hop, now: int) -> None:
        """A call has failed before the greeting."""
        if len(self._silent) >= HOSTS_MAX:
            self._silent.clear()
        door = door_of(hop)
        failures = self._silent.get(door, (0, 0))[0] + 1
        pause_s = min(SILENT_MAX_S, SILENT_S * 2 ** min(failures - SILENT_AFTER, 10))
        self._silent[door] = failures, now + round(pause_s * SECOND)

    def silent_until(self, hop: Hop, now: int) -> int:
        """Until when this host is not to be called; 0: it may be."""
        failures, until = self._silent.get(door_of(hop), (0, 0))
        return until if failures >= SILENT_AFTER and until > now else 0


def _nobody(lane: str) -> bool:
    """Nobody waits."""
    return False
