"""The PROXY protocol, versions 1 and 2 (haproxy's proxy-protocol.txt): who stands behind a forwarding peer.

Only for listeners that require the header, from peers that may send it. It is read as strictly as an
envelope: a number with a leading zero, a missing field or a length that does not fit ends the connection.
"""

import ipaddress
import re
import struct

from msgspec import Struct


class ProxyHeader(Struct, frozen=True):
    """`local`: the peer speaks for itself (LOCAL, UNKNOWN): its own address counts, and the rest is empty."""

    source: str
    source_port: int
    destination: str
    local: bool


class BadProxy(Exception):
    """What came is no PROXY header: say nothing, close."""


V1_OCTETS = 107  # spec 2.1: the longest line with its CR LF
V2_OCTETS = 2048  # addresses take 216; the rest are type-length-values, of which we use none
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED = 16
_LOCAL = ProxyHeader("", 0, "", local=True)

_V1 = re.compile(rb"PROXY (TCP4|TCP6) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})")
_V1_UNKNOWN = re.compile(rb"PROXY UNKNOWN(?: [ -~]*)?")


def parse_proxy(data: bytes) -> tuple[ProxyHeader, int] | None:
    """The header and its length in octets; None if more bytes are needed. Raises BadProxy."""
    if data.startswith(_SIGNATURE):
        return _v2(data)
    if data.startswith(b"PROXY "):
        return _v1(data)
    if _SIGNATURE.startswith(data) or b"PROXY ".startswith(data):
        return None
    raise BadProxy("no PROXY header")


def make_proxy_v1(source: str, source_port: int, destination: str, destination_port: int) -> bytes:
    """The header that a forwarding peer sends; both addresses of one family."""
    family = "TCP6" if ":" in source else "TCP4"
    return f"PROXY {family} {source} {destination} {source_port} {destination_port}\r\n".encode("ascii")


def _v1(data: bytes) -> tuple[ProxyHeader, int] | None:
    end = data.find(b"\n", 0, V1_OCTETS)
    if end < 0:
        if len(data) >= V1_OCTETS:
            raise BadProxy("line too long")
        return None
    if data[end - 1 : end] != b"\r":
        raise BadProxy("the line must end in CR LF")
    line = data[: end - 1]
    if _V1_UNKNOWN.fullmatch(line):
        return _LOCAL, end + 1
    found = _V1.fullmatch(line)
    if found is None:
        raise BadProxy("malformed line")
    version = 4 if found[1] == b"TCP4" else 6
    source, destination = (_address(group.decode("ascii"), version) for group in found.group(2, 3))
    if max(int(found[4]), int(found[5])) > 0xFFFF:
        raise BadProxy("port out of range")
    return _header(source, int(found[4]), destination), end + 1


def _v2(data: bytes) -> tuple[ProxyHeader, int] | None:
    if len(data) < _FIXED:
        return None
    command, family, length = struct.unpack_from(">BBH", data, len(_SIGNATURE))
    if _FIXED + length > V2_OCTETS:
        raise BadProxy("header too long")
    if command not in (0x20, 0x21):
        raise BadProxy("unknown version or command")
    if len(data) < _FIXED + length:
        return None
    if command == 0x20 or family == 0x00:  # LOCAL, or a family the peer could not name: spec 2.2
        return _LOCAL, _FIXED + length
    return _v2_addresses(family, data[_FIXED : _FIXED + length]), _FIXED + length


def _v2_addresses(family: int, block: bytes) -> ProxyHeader:
    match family:
        case 0x11:
            size = 4
        case 0x21:
            size = 16
        case _:
            raise BadProxy("neither TCP over IPv4 nor over IPv6")
    if len(block) < 2 * size + 4:
        raise BadProxy("too short for its addresses")
    source, destination = block[:size], block[size : 2 * size]
    (port,) = struct.unpack_from(">H", block, 2 * size)
    return _header(ipaddress.ip_address(source), port, ipaddress.ip_address(destination))


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _address(text: str, version: int) -> _Address:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise BadProxy("malformed address") from None
    if address.version != version:
        raise BadProxy("address of another family")
    return address


def _header(source: _Address, port: int, destination: _Address) -> ProxyHeader:
    return ProxyHeader(_plain(source), port, _plain(destination), local=False)


def _plain(address: _Address) -> str:
    """An IPv4 address in IPv6 clothes is one client, not two."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
