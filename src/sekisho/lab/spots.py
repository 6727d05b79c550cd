"""Where people reach the net from: a line at home, a phone network, an office, a VPN, a hotel."""

import ipaddress
import random
from typing import Protocol

from sekisho.lab import habits
from sekisho.lab.places import Places, Site

WEEK = 7


class Spot(Protocol):
    """A way to reach the net."""

    def address(self, day: int, rng: random.Random) -> str:
        """The client address of one session on that day."""


class Line:
    """A line at home: an address for `lease` days, with IPv6 another one every day."""

    def __init__(self, site: Site, rng: random.Random) -> None:
        self.site = site
        self._name = rng.getrandbits(64)
        self._lease = habits.LEASE.whole(rng)
        self._offset = rng.randrange(self._lease)
        wants_v6 = rng.uniform(0, 100) < habits.IPV6_AT_HOME.draw(rng)
        self._prefix = site.prefix_v6(rng) if wants_v6 else None
        self._used = habits.IPV6_USED.draw(rng)

    def keep_until(self, day: int) -> None:
        """That day ends a lease of a week or more."""
        self._lease = max(self._lease, WEEK)
        self._offset = self._lease - 1 - day % self._lease

    def address(self, day: int, rng: random.Random) -> str:
        if self._prefix is not None and rng.random() < self._used:
            privacy = random.Random(f"{self._prefix} {day}").getrandbits(64)
            return str(ipaddress.IPv6Address(self._prefix << 64 | privacy))
        return self.site.address(random.Random(f"{self._name} {(day + self._offset) // self._lease}"))


class Fixed:
    """One address for good: an office behind NAT, a server, a fixed line."""

    def __init__(self, site: Site, rng: random.Random) -> None:
        self.site = site
        self._address = site.address(rng)

    def address(self, day: int, rng: random.Random) -> str:
        return self._address


class Phone:
    """A phone network behind CGNAT: every session another address, out of a few /24s."""

    def __init__(self, site: Site, rng: random.Random) -> None:
        self.site = site
        self._pools = [site.address(rng) for _ in range(habits.CGNAT_POOLS.whole(rng))]

    def address(self, day: int, rng: random.Random) -> str:
        return self.site.neighbour(rng.choice(self._pools), rng)


class Vpn:
    """A VPN: exits in hosting networks of several countries, one a day."""

    def __init__(self, places: Places, rng: random.Random) -> None:
        count = habits.VPN_EXITS.whole(rng)
        self._exits = [places.hoster(rng).address(rng) for _ in range(count)]

    def address(self, day: int, rng: random.Random) -> str:
        return self._exits[random.Random(f"{self._exits[0]} {day}").randrange(len(self._exits))]


class Elsewhere:
    """Somebody else's network for one visit: a café, a friend, a train."""

    def __init__(self, places: Places, country: str) -> None:
        self._places = places
        self._country = country

    def address(self, day: int, rng: random.Random) -> str:
        return self._places.home(self._country, rng).address(rng)
