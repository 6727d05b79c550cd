"""The fields that a server writes above a letter: Received (RFC 5321 4.4), and for submissions Date and
Message-ID.
"""

import re
from datetime import tzinfo
from functools import lru_cache

from msgspec import Struct

from sekisho.mail.date import written

HELLO_BYTES = 255
"""Longest name quoted from a greeting (RFC 1035 3.1); anything longer is not a name."""

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?\.?")
_LITERAL = re.compile(r"\[[A-Za-z0-9.:]+\]")
_TLS = re.compile(r"[A-Za-z0-9._ -]{1,80}")
_ADDRESS = re.compile(r"[!-;=?-~]{1,320}")
"""What may stand between angle brackets: visible ASCII without brackets of its own."""


class Trace(Struct, frozen=True):
    """One hop. `address` is "" where the client is not to be shown, and `token` may then stand for it;
    `recipient` is "" unless there is exactly one.
    """

    hello: str
    address: str
    hostname: str
    protocol: str
    ident: str
    at: int
    tls: str = ""
    recipient: str = ""
    token: str = ""


def received(trace: Trace, zone: tzinfo) -> bytes:
    """One folded field ending in CRLF. What strangers said stands in it only in the form of a name or an
    address.
    """
    lines = [
        f"Received: from {_from(trace.hello, trace.address)}",
        f"\tby {trace.hostname} with {trace.protocol} id {trace.ident}",
    ]
    if trace.tls and _TLS.fullmatch(trace.tls):
        lines.append(f"\t({trace.tls})")
    if trace.token:
        lines.append(f"\t(token {trace.token})")
    if trace.recipient and _ADDRESS.fullmatch(trace.recipient):
        lines.append(f"\tfor <{trace.recipient}>")
    return ("\r\n".join(lines) + ";\r\n\t" + written(trace.at, zone) + "\r\n").encode("ascii", "replace")


def with_protocol(protocol: str, *, encrypted: bool, known: bool) -> str:
    """The keyword after `with` (RFC 3848 1, RFC 6531 4.3); plain SMTP has no variants."""
    return protocol + "S" * encrypted + "A" * known if protocol != "SMTP" else protocol


def date_field(at: int, zone: tzinfo) -> bytes:
    return f"Date: {written(at, zone)}\r\n".encode()


def message_id_field(ident: str, hostname: str) -> bytes:
    return f"Message-ID: <{ident}@{hostname}>\r\n".encode("ascii", "replace")


@lru_cache(maxsize=1024)
def _from(hello: str, address: str) -> str:
    """The Extended-Domain of RFC 5321 4.4: what the client called itself, and where it really called from.

    One client sends many letters.
    """
    known = len(hello) <= HELLO_BYTES and (_NAME.fullmatch(hello) or _LITERAL.fullmatch(hello))
    name = hello if known else "unknown"
    if not address:
        return name
    literal = f"IPv6:{address}" if ":" in address else address
    return f"{name} ([{literal}])"
