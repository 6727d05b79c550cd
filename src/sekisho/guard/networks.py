"""Whose address it is: AS number, country and name, found in a compact sorted table.

The table is bytes (`packing`); a block is opened when an address first falls into it, so that a table of
a million ranges loads in a few milliseconds. Networks, not addresses, are what the guard compares,
because addresses change by themselves: an ordinary provider is one network per country, a hosting, VPN or
relay provider one per /24 (/48), and what the table does not know is a /24 (/48) in an unknown country.
"""

import ipaddress
from bisect import bisect_right
from functools import lru_cache

from sekisho.guard.hosting import HOSTING
from sekisho.guard.packing import Ranges, open_names, open_ranges, unpack
from sekisho.model.envelope import Network

ADDRESSES_KEPT = 16_384
"""Answers kept: an address is asked about at each of its recipients and deliveries."""
BLOCKS_KEPT = 4096
"""Opened blocks kept, about 8 KB each; the built-in table has 2,500."""

NOWHERE = Network(key="", place=False)
"""Loopback, private, or no address at all: neither evidence nor trust."""

_NOWHERE_4 = tuple(
    (int(net.network_address) >> (32 - net.prefixlen), 32 - net.prefixlen)
    for net in map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.168.0.0/16",
        ),
    )
)
"""RFC 1122, 1918, 6598, 3927. Addresses for documentation and benchmarks count: presentable logs are full
of them."""
_NOWHERE_6 = tuple(
    (int(net.network_address) >> (128 - net.prefixlen), 128 - net.prefixlen)
    for net in map(ipaddress.IPv6Network, ("::/127", "fc00::/7", "fe80::/10"))
)
"""RFC 4291, 4193."""


class NetworkTable:
    """`NetworkTable()` knows nothing: every address is then a /24 (/48) in an unknown country."""

    def __init__(self, data: bytes | memoryview = b"") -> None:
        self._table = unpack(data)
        self.made = self._table.made
        self.find = lru_cache(ADDRESSES_KEPT)(self._find)
        self._ranges = lru_cache(BLOCKS_KEPT)(self._open_ranges)
        self._names = lru_cache(BLOCKS_KEPT)(self._open_names)

    def _find(self, address: str) -> Network:
        """The network of an address; what is no address is nowhere."""
        number, bits = number_of(address)
        if not bits or any(
            number >> shift == prefix for prefix, shift in (_NOWHERE_4 if bits == 32 else _NOWHERE_6)
        ):
            return NOWHERE
        asn, country = self._owner(number, bits)
        if not asn:
            return Network(prefix_of(number, bits), country=country)
        name = self._name(asn)
        if asn in HOSTING or asn in self._table.shared:
            return Network(prefix_of(number, bits), asn, country, name, shared=True)
        return Network(f"AS{asn}/{country}", asn, country, name)

    def _owner(self, number: int, bits: int) -> tuple[int, str]:
        directory = self._table.v4 if bits == 32 else self._table.v6
        wanted = number if bits == 32 else number >> 64
        block = bisect_right(directory.firsts, wanted) - 1
        if block < 0:
            return 0, ""
        starts, asns, countries = self._ranges(bits, block)
        place = bisect_right(starts, wanted) - 1
        return asns[place], self._table.countries[countries[place]]

    def _open_ranges(self, bits: int, block: int) -> Ranges:
        directory, wide = (self._table.v4, "I") if bits == 32 else (self._table.v6, "Q")
        return open_ranges(wide, directory.firsts[block], directory.block(self._table.body, block))

    def _name(self, asn: int) -> str:
        block = bisect_right(self._table.names.firsts, asn) - 1
        return self._names(block).get(asn, "") if block >= 0 else ""

    def _open_names(self, block: int) -> dict[int, str]:
        return open_names(self._table.names.block(self._table.body, block))


def number_of(address: str) -> tuple[int, int]:
    """The address as a number and its width in bits, (0, 0) for what is none. IPv4 in IPv6 dress is IPv4."""
    parts = address.split(".")
    if len(parts) == 4 and all(part.isascii() and part.isdecimal() and len(part) < 4 for part in parts):
        a, b, c, d = (int(part) for part in parts)
        return (a << 24 | b << 16 | c << 8 | d, 32) if max(a, b, c, d) < 256 else (0, 0)
    try:
        parsed = ipaddress.ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        return 0, 0
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return int(parsed.ipv4_mapped), 32
    return int(parsed), parsed.max_prefixlen


def prefix_of(number: int, bits: int) -> str:
    """The /24 or /48 around an address."""
    if bits == 32:
        return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.0/24"
    return f"{ipaddress.IPv6Address(number >> 80 << 80)}/48"


@lru_cache(ADDRESSES_KEPT)
def prefix_around(address: str) -> str:
    """The same of an address in writing; asked for at each recipient and delivery."""
    return prefix_of(*number_of(address))
