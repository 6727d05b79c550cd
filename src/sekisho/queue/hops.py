"""Next hops, purely: how they are written in the settings, in which order MX hosts are asked, and which
addresses no stranger's DNS may lead us to (RFC 5321 5.1, RFC 7505).
"""

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import groupby

from msgspec import Struct

HOSTS_MAX = 20
"""Most MX hosts looked at: a domain that names 200 gets the best twenty."""

ADDRESSES_PER_HOST = 4
HOPS_MAX = 10
"""Most addresses called for one try (RFC 5321 5.1 asks for at least two)."""

_WRITTEN = re.compile(r"(?:\[(?P<bracketed>[^\]]+)\]|(?P<name>[^\[\]:]+))(?::(?P<port>[0-9]{1,5}))?")

# What is not out there. Documentation networks are not among them: nobody is there, and tests play there.
_PRIVATE_V4 = tuple(
    ip_network(net)
    for net in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
_PRIVATE_V6 = tuple(
    ip_network(net)
    for net in ("::/96", "100::/64", "2001::/32", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8")
)
_EMBEDDING = ((ip_network("64:ff9b::/96"), 0), (ip_network("2002::/16"), 80))
"""Networks whose addresses hold an IPv4 address, and how far it stands from the right, in bits."""


Exchange = tuple[int, str]
"""An MX record: preference and name."""


class Hop(Struct, frozen=True):
    """One address to call. `name` is what a certificate must say; the address where there is no name.

    `rank` 0 are those to be called first; the others only when these do not let us in.
    """

    name: str
    address: str
    port: int
    rank: int = 0

    def __str__(self) -> str:
        return self.name if self.name == self.address else f"{self.name}[{self.address}]"


class Written(Struct, frozen=True):
    """A next hop as the settings name it: a host's name, or an address."""

    host: str
    port: int
    is_address: bool


def parse_hop(text: str, port: int) -> Written | None:
    """ "NAME", "NAME:PORT", "[IP]", "[IP]:PORT", "IP:PORT"; None for anything else. `port` where none is
    named.
    """
    if is_address(text):
        return Written(text, port, True)
    match = _WRITTEN.fullmatch(text)
    if match is None:
        return None
    host = match["bracketed"] or match["name"]
    number = int(match["port"] or port)
    host = host.lower().removeprefix("ipv6:")  # RFC 5321 4.1.3
    literal = is_address(host)
    if not 0 < number < 65536 or (match["bracketed"] and not literal):
        return None
    return Written(host, number, literal)


def is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def is_null(hosts: Sequence[Exchange]) -> bool:
    """RFC 7505 3: one MX record with the root for a name says that the domain takes no mail."""
    return bool(hosts) and all(name in ("", ".") for _, name in hosts)


def in_order(hosts: Sequence[Exchange], draw: Callable[[], int]) -> list[list[str]]:
    """The names in groups of equal preference, best first; within a group chance decides (RFC 5321 5.1)."""
    drawn = sorted((preference, draw(), name) for preference, name in hosts if name not in ("", "."))
    groups = groupby(drawn[:HOSTS_MAX], key=lambda host: host[0])
    return [[name.rstrip(".").lower() for _, _, name in group] for _, group in groups]


def is_self(address: str) -> bool:
    """An address that every machine takes for itself: loopback and the unspecified one (qmail's 0.0.0.0)."""
    ip = _plain(address)
    return ip.is_loopback or ip.is_unspecified


def is_private(address: str) -> bool:
    """Not a host of the internet: an MX that points there is a mistake, or means to use us against a
    neighbour.
    """
    ip = _plain(address)
    if isinstance(ip, IPv4Address):
        return any(ip in net for net in _PRIVATE_V4)
    return any(ip in net for net in _PRIVATE_V6)


def is_among(address: str, networks: Sequence[str]) -> bool:
    """Whether the address is one of these, or in one of these networks."""
    ip = _plain(address)
    return any(ip in ip_network(net) for net in networks)


def _plain(address: str) -> IPv4Address | IPv6Address:
    """An IPv4 address dressed as IPv6 is an IPv4 address."""
    ip = ip_address(address)
    if isinstance(ip, IPv4Address):
        return ip
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    for net, shift in _EMBEDDING:
        if ip in net:
            return IPv4Address((int(ip) >> shift) & 0xFFFFFFFF)
    return ip
