"""The PROXY header: both versions, byte by byte, and nothing that only resembles it."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.wire.proxy import BadProxy, ProxyHeader, make_proxy_v1, parse_proxy

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL = ProxyHeader("", 0, "", local=True)


def v2(command: int, family: int, block: bytes) -> bytes:
    return SIGNATURE + struct.pack(">BBH", command, family, len(block)) + block


IPV4 = bytes([192, 0, 2, 1, 198, 51, 100, 2]) + struct.pack(">HH", 4000, 25)
IPV6 = bytes.fromhex("20010db8" + "00" * 11 + "01" + "20010db8" + "00" * 11 + "02") + struct.pack(
    ">HH", 4000, 25
)
MAPPED = bytes.fromhex("00" * 10 + "ffff" + "c0000201") * 2 + struct.pack(">HH", 4000, 25)

GOOD = [
    (b"PROXY TCP4 192.0.2.1 198.51.100.2 4000 25\r\n", ProxyHeader("192.0.2.1", 4000, "198.51.100.2", False)),
    (
        b"PROXY TCP6 2001:db8::1 2001:db8::2 4000 25\r\n",
        ProxyHeader("2001:db8::1", 4000, "2001:db8::2", False),
    ),
    (b"PROXY TCP6 ::ffff:192.0.2.1 ::1 0 65535\r\n", ProxyHeader("192.0.2.1", 0, "::1", False)),
    (b"PROXY UNKNOWN\r\n", LOCAL),
    (b"PROXY UNKNOWN ffff:f...f:ffff 65535 65535\r\n", LOCAL),
    (v2(0x21, 0x11, IPV4), ProxyHeader("192.0.2.1", 4000, "198.51.100.2", False)),
    (v2(0x21, 0x21, IPV6), ProxyHeader("2001:db8::1", 4000, "2001:db8::2", False)),
    (v2(0x21, 0x21, MAPPED), ProxyHeader("192.0.2.1", 4000, "192.0.2.1", False)),
    (v2(0x21, 0x11, IPV4 + b"\x03\x00\x04abcd"), ProxyHeader("192.0.2.1", 4000, "198.51.100.2", False)),
    (v2(0x20, 0x00, b""), LOCAL),
    (v2(0x20, 0x11, IPV4), LOCAL),
    (v2(0x21, 0x00, b"anything"), LOCAL),
]


@pytest.mark.parametrize(("header", "expected"), GOOD)
def test_a_header_is_read_and_measured(header: bytes, expected: ProxyHeader) -> None:
    """What follows it is left for SMTP."""
    assert (expected, len(header)) == parse_proxy(header + b"EHLO x\r\n")


@pytest.mark.parametrize(("header", "expected"), GOOD)
def test_every_beginning_waits_for_more(header: bytes, expected: ProxyHeader) -> None:
    """One octet less than a header is not a header yet."""
    for length in range(len(header)):
        assert parse_proxy(header[:length]) is None


@pytest.mark.parametrize(
    "data",
    [
        b"EHLO client.example\r\n",
        b"proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY\r\n",
        b"PROXY  TCP4\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
        b"PROXY TCP4\r\n",
        b"PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n",
        b"PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
        b"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
        b"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 25\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 \xb2\r\n",
        b"PROXY TCP4 " + b"1" * 200,
        b"PROXY UNKNOWN " + b"x" * 94 + b"\r\n",
        b"PROXY UNKNOWNX\r\n",
        b"\r\n\r\n\0\r\nQUIZ",
        b"\r\nEHLO",
        v2(0x22, 0x11, IPV4),
        v2(0x11, 0x11, IPV4),
        v2(0x21, 0x12, IPV4),
        v2(0x21, 0x31, b"/run/x".ljust(216, b"\0")),
        v2(0x21, 0x11, IPV4[:-1]),
        v2(0x21, 0x21, IPV4),
        SIGNATURE + b"\x21\x11\xff\xff",
    ],
)
def test_what_resembles_a_header_is_none(data: bytes) -> None:
    """Wrong case, spaces, ports, families, lengths: the connection ends, nothing is guessed."""
    with pytest.raises(BadProxy):
        parse_proxy(data)


@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(0, 65535), st.integers(0, 65535))
def test_what_is_made_is_read_back(source: object, destination: object, port: int, other: int) -> None:
    """Our own header, as the demo's player sends it."""
    header = make_proxy_v1(str(source), port, str(destination), other)
    assert (ProxyHeader(str(source), port, str(destination), False), len(header)) == parse_proxy(header)


def test_an_ipv6_header_is_made_too() -> None:
    """The family follows from the address."""
    assert b"PROXY TCP6 2001:db8::1 ::1 4000 25\r\n" == make_proxy_v1("2001:db8::1", 4000, "::1", 25)


@given(
    st.one_of(
        st.binary(max_size=60),
        st.binary(max_size=60).map(lambda tail: SIGNATURE + tail),
        st.binary(max_size=60).map(lambda tail: b"PROXY TCP4 " + tail),
    )
)
def test_garbage_waits_or_ends(data: bytes) -> None:
    """No other exception, and never for long: 2 KB decide."""
    for given_bytes in (data, data + b"\0" * 2048):
        try:
            found = parse_proxy(given_bytes)
        except BadProxy:
            continue
        assert found is not None or len(given_bytes) < 2048
