"""Mail addresses: the path grammar of RFC 5321 4.1.2, read strictly and written in one way only.

What two parsers could read differently is refused, never repaired: a bare CR, a second `@`, a trailing dot,
an address literal with leading zeros. A percent sign or an exclamation mark is an ordinary letter of the
local part: nothing here routes by it.
"""

import ipaddress
import re
import unicodedata
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from sekisho.model.text import printable

PATH_OCTETS = 254  # RFC 5321 4.5.3.1.3: 256 with the angle brackets
LOCAL_OCTETS = 64  # RFC 5321 4.5.3.1.1
DOMAIN_OCTETS = 253  # RFC 5321 4.5.3.1.2 says 255; a name of the DNS written with dots has at most 253
IPV6_GROUPS = 8

PATHS_KEPT = 2048
"""Paths whose meaning is remembered: whoever writes, or is written to, is named again and again."""


class Mailbox(Struct, frozen=True):
    """`local` as on the wire, quoted only where it must be; `domain` in lower case, A-labels or [literal].

    The bare `postmaster` of RFC 5321 4.1.1.3 has no domain.
    """

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}" if self.domain else self.local


class BadAddress(Struct, frozen=True):
    """No address: it breaks the grammar, a limit, or has 8-bit letters where only ASCII was agreed on."""

    why: Literal["syntax", "length", "eight_bit"]


_SYNTAX = BadAddress("syntax")
_LENGTH = BadAddress("length")
_EIGHT_BIT = BadAddress("eight_bit")

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]++"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOT_STRING = re.compile(rf"{_ATOM}(?:\.{_ATOM})*+")
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~\x80-\U0010ffff]|\\[ -~])*+)"@')
_PAIR = re.compile(r"\\(.)")
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*+")
_ROUTE = re.compile(rf"@{_LABEL}(?:\.{_LABEL})*+(?:,@{_LABEL}(?:\.{_LABEL})*+)*+:")


def parse_path(raw: bytes, *, smtputf8: bool = False) -> Mailbox | BadAddress | None:
    """The path between the angle brackets. None is the null path; a source route is dropped (RFC 5321 C)."""
    if not raw:
        return None
    if len(raw) > PATH_OCTETS:
        return _LENGTH
    if not raw.isascii() and not smtputf8:
        return _EIGHT_BIT  # RFC 6531 3.1 item 3
    return _path(raw)


def normal(address: str) -> str:
    """The key of an account: one spelling for all the ways in which a user writes the same address."""
    if address.isascii():
        return address.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", address).lower())


def domain_of(address: str) -> str:
    """What stands behind the last `@`, in lower case; "" if there is none."""
    return address.rpartition("@")[2].lower() if "@" in address else ""


def unquoted(local: str) -> str:
    """A local part as its user knows it, without the quotes that only the wire needs."""
    if len(local) < 2 or not local.startswith('"') or not local.endswith('"'):
        return local
    return re.sub(r"\\(.)", r"\1", local[1:-1])


def routes_further(address: str) -> bool:
    """Whether another host may read it as a way to a third one: user%host, host!user, user@host in quotes."""
    local = unquoted(address.rpartition("@")[0])
    return any(sign in local for sign in "%!@:")


@lru_cache(PATHS_KEPT)
def _path(raw: bytes) -> Mailbox | BadAddress:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return _SYNTAX
    if text.startswith("@"):
        route = _ROUTE.match(text)
        if route is None:
            return _SYNTAX
        text = text[route.end() :]
    if text.lower() == "postmaster":  # RFC 5321 4.5.1
        return Mailbox("postmaster", "")
    return _mailbox(text)


def _mailbox(text: str) -> Mailbox | BadAddress:
    local, at, domain = _split(text)
    if not at:
        return _SYNTAX
    if len(local.encode()) > LOCAL_OCTETS:
        return _LENGTH
    if local.startswith('"'):
        local = _requoted(local)
    elif _DOT_STRING.fullmatch(local) is None:
        return _SYNTAX
    if not local.isascii() and printable(local).replace("\\\\", "\\") != local:
        return _SYNTAX  # invisible and bidirectional characters
    name = _domain(domain)
    return name if isinstance(name, BadAddress) else Mailbox(local, name)


def _split(text: str) -> tuple[str, str, str]:
    """Local part, "@" and domain; no "@" if a quoted local part is not one."""
    if not text.startswith('"'):
        return text.partition("@")
    quoted = _QUOTED.match(text)
    if quoted is None:
        return text, "", ""
    return text[: quoted.end() - 1], "@", text[quoted.end() :]


def _requoted(local: str) -> str:
    """The shortest form of a quoted local part: `"a"@d` and `a@d` are one mailbox (RFC 5321 4.1.2)."""
    plain = _PAIR.sub(r"\1", local[1:-1])
    if _DOT_STRING.fullmatch(plain):
        return plain
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _domain(text: str) -> str | BadAddress:
    if text.startswith("["):
        return _literal(text)
    if not text.isascii():
        text = ".".join(_a_label(label) for label in text.split("."))
    if len(text) > DOMAIN_OCTETS:
        return _LENGTH
    if _DOMAIN.fullmatch(text) is None:
        return _SYNTAX
    if text.rpartition(".")[2].isdigit():
        return _SYNTAX  # RFC 3696 2: no top-level name is a number; somebody might take it for an IP address
    return text.lower()


def _literal(text: str) -> str | BadAddress:
    """An address literal in canonical spelling (RFC 5321 4.1.3); its general form was never given a tag."""
    if not text.endswith("]"):
        return _SYNTAX
    inside = text[1:-1]
    try:
        if inside[:5].lower() != "ipv6:":
            return f"[{ipaddress.IPv4Address(inside)}]"
        group = inside[5:]
        if "%" in group or ("::" in group and _groups(group) > IPV6_GROUPS - 2):
            return _SYNTAX  # RFC 5321 4.1.3: "::" stands for two groups or more, and there are no zones
        return f"[IPv6:{ipaddress.IPv6Address(group)}]"
    except ValueError:
        return _SYNTAX


def _groups(text: str) -> int:
    return sum(2 if "." in group else 1 for group in text.split(":") if group)


def _a_label(label: str) -> str:
    """The ASCII form of an internationalized label (RFC 5891 4.4), or what no domain can be."""
    if label.isascii():
        return label
    small = unicodedata.normalize("NFC", unicodedata.normalize("NFC", label).lower())
    if any(unicodedata.category(char)[0] not in "LMN" and char != "-" for char in small):
        return "-"
    return "xn--" + small.encode("punycode").decode("ascii")
