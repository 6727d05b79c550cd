"""The map the generator lives on: networks and addresses in them, met by sampling a `find` function.

`find` is the guard's own table, or `MadeUp`, a plan of invented networks. Sampling the address space weighs
every network by its size, as a botnet of homes does.
"""

import ipaddress
import random
import re
from bisect import bisect_right
from collections.abc import Callable

from sekisho.model.envelope import Network

Find = Callable[[str], Network]

NO_HOMES = re.compile(
    r"\b(defen[cs]e|dod|army|navy|headquarters|agency|department|ministry|government|universi\w+|college|institute?|academ\w+|research|apple"
    r"|motor|bank|hospital|school)\b",
    re.IGNORECASE,
)
"""Names of networks that hold many addresses in which nobody lives."""

SAMPLES_V4 = 16_000
SAMPLES_V6 = 1_500
NETWORKS = 1_500
"""Networks of the invented plan."""

TRIES = 12
"""So often an address near a known one is drawn until it lies in the same network."""

V6_REGIONS = (0x2400, 0x2401, 0x2402, 0x2403, 0x2600, 0x2601, 0x2800, 0x2804, 0x2A00, 0x2A01, 0x2A02, 0x2A03)


class Site:
    """One network in one country: addresses in it that were met, and more of them near those."""

    def __init__(self, network: Network, find: Find) -> None:
        self.network = network
        self._find = find
        self.bases: list[int] = []
        self.bases_v6: list[int] = []

    @property
    def country(self) -> str:
        return self.network.country

    @property
    def name(self) -> str:
        return self.network.name or f"AS{self.network.asn}"

    def address(self, rng: random.Random) -> str:
        """Any address of the network."""
        base = rng.choice(self.bases)
        return self._near(base & ~0xFFFF, 16, rng) or self._near(base & ~0xFF, 8, rng) or _text(base)

    def neighbour(self, address: str, rng: random.Random) -> str:
        """An address of the same /24."""
        base = int(ipaddress.IPv4Address(address)) & ~0xFF
        return self._near(base, 8, rng) or address

    def prefix_v6(self, rng: random.Random) -> int | None:
        """The upper 64 bits of a home's IPv6 network, None where the network has no IPv6."""
        if not self.bases_v6:
            return None
        return rng.choice(self.bases_v6) << 32 | rng.getrandbits(16) << 16

    def _near(self, base: int, bits: int, rng: random.Random) -> str:
        for _ in range(TRIES):
            address = _text(base | rng.randrange(1, (1 << bits) - 1))
            met = self._find(address)
            if met.asn == self.network.asn and met.country == self.network.country:
                return address
        return ""


class Places:
    """All networks met, by country; homes apart from hosting."""

    def __init__(self, find: Find, rng: random.Random) -> None:
        self.find = find
        sites: dict[tuple[int, str], Site] = {}
        for _ in range(SAMPLES_V4):
            self._meet(sites, rng.getrandbits(32), find)
        for _ in range(SAMPLES_V6):
            self._meet_v6(sites, rng.choice(V6_REGIONS) << 16 | rng.getrandbits(16), find)
        met = [site for site in sites.values() if site.bases]
        self.hosting = [site for site in met if site.network.shared]
        self.homes = [site for site in met if not site.network.shared]
        self._by_country: dict[str, list[Site]] = {}
        for site in self.homes:
            self._by_country.setdefault(site.country, []).append(site)

    def _meet(self, sites: dict[tuple[int, str], Site], base: int, find: Find) -> None:
        network = find(_text(base))
        if network.asn and network.country and not NO_HOMES.search(network.name):
            sites.setdefault((network.asn, network.country), Site(network, find)).bases.append(base)

    def _meet_v6(self, sites: dict[tuple[int, str], Site], upper: int, find: Find) -> None:
        network = find(str(ipaddress.IPv6Address(upper << 96 | 1)))
        if site := sites.get((network.asn, network.country)):
            site.bases_v6.append(upper)

    def countries(self, networks: int = 1) -> list[str]:
        """Countries in which at least so many networks were met, in a stable order."""
        return sorted(country for country, sites in self._by_country.items() if len(sites) >= networks)

    def a_country(self, rng: random.Random, networks: int = 1) -> str:
        """One of them, the larger the likelier."""
        names = self.countries(networks) or self.countries()
        return rng.choices(names, [len(self._by_country[name]) for name in names])[0]

    def another_country(self, country: str, rng: random.Random) -> str:
        """Any but this one."""
        names = [name for name in self.countries() if name != country] or [country]
        return rng.choices(names, [len(self._by_country[name]) for name in names])[0]

    def home(self, country: str, rng: random.Random) -> Site:
        """A network of that country, the larger the likelier."""
        sites = self._by_country.get(country) or self.homes
        return rng.choices(sites, [len(site.bases) for site in sites])[0]

    def anywhere(self, rng: random.Random) -> Site:
        return rng.choices(self.homes, [len(site.bases) for site in self.homes])[0]

    def hoster(self, rng: random.Random) -> Site:
        return rng.choice(self.hosting or self.homes)


class MadeUp:
    """An invented address plan: networks in 60 countries over the whole public space, the same for a seed."""

    def __init__(self, seed: int = 0) -> None:
        rng = random.Random(f"plan {seed}")
        self._starts: list[int] = []
        self._networks: list[Network] = []
        countries = [letter + other for letter in "UVWXYZ" for other in "ABCDEFGHIJ"]
        homes = rng.choices(countries, [1 / (rank + 3) for rank in range(60)], k=NETWORKS)
        owners = [_owner(number, country) for number, country in enumerate(homes)]
        weights = [1 / (rank + 20) for rank in range(NETWORKS)]
        start = 0
        while start < 1 << 16:
            self._starts.append(start)
            self._networks.append(rng.choices(owners, weights)[0])
            start += rng.choice((1, 1, 2, 4, 8))

    def find(self, address: str) -> Network:
        parsed = ipaddress.ip_address(address)
        if not parsed.is_global:
            return Network(key="nowhere", place=False)
        upper = int(parsed) >> (16 if parsed.version == 4 else 96)
        network = self._networks[bisect_right(self._starts, upper & 0xFFFF) - 1]
        if not network.shared:
            return network
        prefix = ipaddress.ip_network((parsed, 24 if parsed.version == 4 else 48), strict=False)
        return Network(str(prefix), network.asn, network.country, network.name, shared=True)


def _owner(number: int, country: str) -> Network:
    asn = 64_000_000 + number
    shared = number % 12 == 11
    return Network(f"AS{asn}/{country}", asn, country, f"Net {number}", shared=shared)


def _text(number: int) -> str:
    return f"{number >> 24 & 255}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
