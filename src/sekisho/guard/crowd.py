"""What only all accounts together show: one strange address on several of them, and too many containments
at once.

The memory of addresses lasts a day and is not written down: after a restart it fills again.
"""

from collections import deque
from collections.abc import Iterable
from math import ceil

from msgspec import Struct, field

from sekisho.guard.memory import DAY, HOUR, Memory

ADDRESSES_KEPT = 20_000
"""A day of strange addresses, two for each account of a house of ten thousand; older ones make room."""
ACCOUNTS_KEPT = 8
"""Accounts noted per address; more would prove nothing more."""
STRANGE_TO = 3
"""An address strange to this many accounts within a day is an intruder's tool."""
CROWD_WEIGHT = 3.0
"""Alone no watch; with the first sight of a new country, twice what a watch needs."""
SHARED_BY = 2
"""An address that is familiar to this many other accounts is a carrier's or an office's, and proves
nothing."""

MASS_SHARE = 0.02
"""Rule 15: the share of the active accounts from which containments within an hour are suspicious of us."""
MASS_LEAST = 5
"""The same for small houses, where one account is already more than 2 %."""
ACTIVE = 7 * DAY
"""Rule 15: containing more than 2 % of the accounts active in a week, and at least five, within an hour
is suspicious of us."""
SAME_BOTNET = 0.5
"""Unless half of them were visited from a network in common."""


class Sighting(Struct):
    since: int
    strange: dict[str, tuple[str, ...]] = field(default_factory=dict)
    familiar: set[str] = field(default_factory=set)
    weighed: set[str] = field(default_factory=set)
    condemned: bool = False


class Crowd:
    def __init__(self) -> None:
        self._sightings: dict[str, Sighting] = {}

    def familiar(self, address: str, account: str, at: int) -> None:
        """`address`, here and below, is a client's address or its way of speaking; "" is none."""
        if not address:
            return
        sighting = self._sighting(address, at)
        if len(sighting.familiar) < ACCOUNTS_KEPT:
            sighting.familiar.add(account)

    def strange(self, address: str, account: str, memory: Memory, at: int) -> tuple[str, ...]:
        """The accounts for which this address has now become evidence; each is named once a day."""
        if not address:
            return ()
        sighting = self._sighting(address, at)
        if len(sighting.strange) < ACCOUNTS_KEPT:
            sighting.strange.setdefault(account, tuple(memory.prefixes))
        if len(sighting.familiar - {account}) >= SHARED_BY:
            return ()
        if not sighting.condemned and _unrelated(sighting.strange) < STRANGE_TO:
            return ()
        due = tuple(name for name in sighting.strange if name not in sighting.weighed)
        sighting.weighed.update(due)
        return due

    def strangers(self, address: str) -> int:
        sighting = self._sightings.get(address)
        return len(sighting.strange) if sighting else 0

    def condemn(self, addresses: Iterable[str], at: int) -> None:
        """An account was contained: for a day, these addresses are an intruder's wherever they are
        strange."""
        for address in addresses:
            if address:
                self._sighting(address, at).condemned = True

    def _sighting(self, address: str, at: int) -> Sighting:
        sighting = self._sightings.pop(address, None)
        if sighting is None or at - sighting.since >= DAY:
            sighting = Sighting(at)
        self._sightings[address] = sighting
        if len(self._sightings) > ADDRESSES_KEPT:
            del self._sightings[next(iter(self._sightings))]
        return sighting


def _unrelated(strange: dict[str, tuple[str, ...]]) -> int:
    """How many of these accounts have nothing to do with each other: colleagues share a prefix, and move
    together."""
    seen: set[str] = set()
    count = 0
    for prefixes in strange.values():
        if seen.isdisjoint(prefixes):
            count += 1
        seen.update(prefixes)
    return count


class Brake:
    """Rule 15. Remembers the containments of the last hour."""

    def __init__(self) -> None:
        self._recent: deque[tuple[int, str, frozenset[str]]] = deque(maxlen=1000)

    def contained(self, account: str, networks: frozenset[str], active: int, at: int) -> bool:
        """Note one more containment; True when it must be gentle: hold mail, deny no login."""
        while self._recent and at - self._recent[0][0] >= HOUR:
            self._recent.popleft()
        self._recent.append((at, account, networks))
        victims = {name for _, name, _ in self._recent}
        if len(victims) < max(MASS_LEAST, ceil(active * MASS_SHARE) + 1):
            return False
        return not self._one_botnet(len(victims))

    def _one_botnet(self, victims: int) -> bool:
        counts: dict[str, int] = {}
        for _, _, networks in self._recent:
            for network in networks:
                counts[network] = counts.get(network, 0) + 1
        return max(counts.values(), default=0) >= victims * SAME_BOTNET
