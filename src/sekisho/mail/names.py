"""What the authentication of mail asks the DNS, and how names are brought into the one form that is asked.

The answers come from outside (`checks/ask.py`): an empty one is "exists without such a record", None is "no
such name", and a resolver that did not answer is `Silent`.
"""

import ipaddress
import re
import unicodedata
from typing import Protocol

from msgspec import Struct

NAME_OCTETS = 253
"""RFC 1035 3.1: 255 on the wire, which is so many letters and dots."""

LABEL_OCTETS = 63

_LABEL = re.compile(r"[ -\-/-~]{1,63}")
_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")


class Silent(Exception):
    """The DNS has given no answer: temporary, whatever it was."""


class Names(Protocol):
    """Names are given without a final dot; all of these may raise Silent."""

    async def texts(self, name: str) -> tuple[bytes, ...] | None: ...

    async def mail_hosts(self, name: str) -> tuple[str, ...] | None:
        """By preference."""

    async def addresses(self, name: str, family: int) -> tuple[str, ...] | None:
        """`family` is 4 or 6."""

    async def hosts_of(self, address: str) -> tuple[str, ...] | None:
        """The names that the PTR records of an address give."""


class Ip(Struct, frozen=True):
    """An address as a number, and how many bits it has."""

    value: int
    bits: int
    text: str

    @property
    def family(self) -> int:
        return 4 if self.bits == 32 else 6

    def within(self, net: int, length: int) -> bool:
        """In the network of this size that `net`, of the same family, stands in."""
        return not (self.value ^ net) >> (self.bits - length) if length else True


def ip_of(text: str) -> Ip | None:
    """IPv4 in IPv6's clothes is IPv4 (RFC 7208 5)."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return Ip(int(address), address.max_prefixlen, str(address))


def askable(name: str) -> str:
    """The name in lower case without its final dot, or "" for what no name can be."""
    name = name.removesuffix(".").lower()
    if not name or len(name) > NAME_OCTETS:
        return ""
    return name if all(_LABEL.fullmatch(label) for label in name.split(".")) else ""


def host_name(name: str) -> str:
    """A domain of at least two labels, in lower case and A-labels; "" for what is none."""
    name = a_name(name.removesuffix(".")).lower()
    labels = name.split(".")
    if len(labels) < 2 or len(name) > NAME_OCTETS:
        return ""
    return name if all(_HOST.fullmatch(label) for label in labels) else ""


def a_name(name: str) -> str:
    """With every label in its ASCII form (RFC 5891 4.4); "" where a label can have none."""
    if name.isascii():
        return name
    labels = [_a_label(label) for label in unicodedata.normalize("NFC", name).lower().split(".")]
    return ".".join(labels) if all(labels) else ""


def _a_label(label: str) -> str:
    if label.isascii():
        return label
    if any(unicodedata.category(char)[0] not in "LMN" and char != "-" for char in label):
        return ""
    try:
        return "xn--" + unicodedata.normalize("NFC", label).encode("punycode").decode("ascii")
    except UnicodeError:
        return ""


def is_within(name: str, domain: str) -> bool:
    """The domain itself, or a name below it."""
    return name == domain or name.endswith(f".{domain}")
