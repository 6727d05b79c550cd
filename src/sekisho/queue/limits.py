"""How much one destination and one host may be given: `[queue.limits]`, by name, wildcard or network.

A limit for a name holds for the mail to that domain, and for the connections to a host of that name; a limit
for an address or a network holds for the connections to those addresses. The most particular one counts.
"""

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from msgspec import Struct

from sekisho.model.config import Limit, Queue
from sekisho.queue.hops import Hop, parse_hop

KNOWN_MAX = 20_000
"""Most names whose limits are remembered; above it all are looked up anew."""

BURST_S = 1.0
"""What is limited to so many a minute is spread evenly; up to a second's worth may go at once."""

UNLIMITED = 1 << 30

ASIDE = "#"
"""In a lane's name: behind it stands what keeps letters to one host apart, such as another login there."""

FAR = ("mx", "relay")
"""Kinds of lanes that lead to other people's hosts."""


class Pace(Struct, frozen=True):
    """`per_minute` 0: as many as there are."""

    concurrency: int
    per_minute: int = 0

    @property
    def interval(self) -> int:
        """Microseconds from one message to the next."""
        return 60_000_000 // self.per_minute if self.per_minute else 0

    def after(self, due: int, now: int) -> int:
        """When the next message is due, if one goes now and this one was due at `due`."""
        return max(due, now) + self.interval if self.per_minute else 0

    def ready_at(self, due: int) -> int:
        return due - round(BURST_S * 1_000_000) if self.interval < BURST_S * 1_000_000 else due


class Limits:
    def __init__(self, settings: Queue) -> None:
        self._settings = settings
        self._names: dict[str, Limit] = {}
        self._endings: list[tuple[str, Limit]] = []
        self._networks: list[tuple[IPv4Network | IPv6Network, Limit]] = []
        self._lanes: dict[str, Pace] = {}
        self.by_minute = any(limit.per_minute for limit in settings.limits.values())
        """Some host's messages are counted: where none are, no letter asks for its host's limits."""
        for written, limit in settings.limits.items():
            self._add(written.lower(), limit)
        self._endings.sort(key=lambda each: -len(each[0]))
        self._networks.sort(key=lambda each: -each[0].prefixlen)

    def _add(self, written: str, limit: Limit) -> None:
        if (network := network_of(written)) is not None:
            self._networks.append((network, limit))
        elif written.startswith("*"):
            self._endings.append((written[1:], limit))
        else:
            self._names[written] = limit

    def lane(self, lane: str) -> Pace:
        """What a lane may have; lanes to our own mailboxes have no limits but the default."""
        pace = self._lanes.get(lane)
        if pace is None:
            if len(self._lanes) >= KNOWN_MAX:
                self._lanes.clear()
            pace = self._lanes[lane] = self._lane(lane)
        return pace

    def _lane(self, lane: str) -> Pace:
        settings = self._settings
        found = self._find(destination(lane)) or Limit()
        usual = settings.lane_per_minute if lane.partition(":")[0] in FAR else 0
        return Pace(found.concurrency or settings.lane_concurrency, found.per_minute or usual)

    def lifetime_s(self, domain: str, usual_s: int) -> int:
        """How long mail to this domain is tried."""
        return (self._find(domain) or Limit()).lifetime_s or usual_s

    def hosts(self, hop: Hop) -> Iterator[tuple[str, Pace]]:
        """What is counted when this host is called, and how much of it there may be.

        The name is counted without a limit too: one may be given to it while connections are open.
        """
        if hop.name != hop.address:
            named = self._find(hop.name) or Limit()
            yield hop.name, Pace(named.concurrency or UNLIMITED, named.per_minute)
        numbered = self._find(hop.address) or Limit()
        concurrency = numbered.concurrency or self._settings.host_concurrency
        yield door_of(hop), Pace(concurrency, numbered.per_minute)

    def _find(self, name: str) -> Limit | None:
        if not name or not self._settings.limits:
            return None
        if (limit := self._names.get(name)) is not None:
            return limit
        if (network := network_of(name)) is not None:
            return next((each for net, each in self._networks if _within(network, net)), None)
        return next((each for ending, each in self._endings if name.endswith(ending)), None)


def door_of(hop: Hop) -> str:
    """Behind each port of an address stands a server of its own."""
    return f"[{hop.address}]:{hop.port}"


def destination(lane: str) -> str:
    """The domain or host that a lane leads to; "" for our own mailboxes."""
    kind, _, name = lane.partition(":")
    if kind not in FAR:
        return ""
    name = name.partition(ASIDE)[0]
    written = parse_hop(name, 25)
    return written.host if written is not None else name


def network_of(text: str) -> IPv4Network | IPv6Network | None:
    """An address is a network of one."""
    try:
        return ip_network(text) if "/" in text else ip_network(ip_address(text))
    except ValueError:
        return None


def _within(small: IPv4Network | IPv6Network, large: IPv4Network | IPv6Network) -> bool:
    return small.version == large.version and small.network_address in large
