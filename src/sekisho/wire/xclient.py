"""XCLIENT (Postfix's XCLIENT_README): a named peer says for whom it speaks, and the session begins anew.

Address and nothing else counts: what a name says of an address is for our own resolver, HELO is said again by
the client, and LOGIN (a user's name without a password) is not taken, since a login is judged here or not at
all.
"""

import ipaddress
import re

from sekisho.mail.xtext import decoded
from sekisho.model.verdict import Reply
from sekisho.wire import replies
from sekisho.wire.steps import XClient
from sekisho.wire.wishes import is_xtext

OFFERED = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "DESTADDR", "DESTPORT")

_ATTRIBUTE = re.compile(r"([A-Za-z]{1,20})=(\S{1,400})")
_UNKNOWN = ("[UNAVAILABLE]", "[TEMPUNAVAIL]")
_PORT = re.compile(r"[0-9]{1,5}")


def parse_xclient(argument: bytes) -> XClient | Reply:
    """All of it is understood, or none of it is believed."""
    try:
        words = argument.decode("ascii").split()
    except UnicodeDecodeError:
        return replies.XCLIENT_SYNTAX
    given: dict[str, str] = {}
    for word in words:
        found = _ATTRIBUTE.fullmatch(word)
        if found is None or found[1].upper() in given or not is_xtext(found[2]):
            return replies.XCLIENT_SYNTAX
        given[found[1].upper()] = decoded(found[2])
    if not given or not given.keys() <= set(OFFERED) or not _sensible(given):
        return replies.XCLIENT_SYNTAX
    address = _address(given.get("ADDR", _UNKNOWN[0]))
    return replies.XCLIENT_SYNTAX if address is None else XClient(address)


def _sensible(given: dict[str, str]) -> bool:
    if given.get("PROTO", "ESMTP").upper() not in ("SMTP", "ESMTP", *_UNKNOWN):
        return False
    ports = (given.get(name, "0") for name in ("PORT", "DESTPORT"))
    return all(port.upper() in _UNKNOWN or _PORT.fullmatch(port) is not None for port in ports)


def _address(text: str) -> str | None:
    """ "" where the peer does not know it, None for what is none."""
    if text.upper() in _UNKNOWN:
        return ""
    version = 6 if text[:5].upper() == "IPV6:" else 4
    try:
        address = ipaddress.ip_address(text[5:] if version == 6 else text)
    except ValueError:
        return None
    if address.version != version or "%" in text:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
