"""Next hops: how they are written, in which order, and where nobody's DNS may lead us."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.queue.hops import HOSTS_MAX, Hop, Written, in_order, is_null, is_private, is_self, parse_hop


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("mx.example.net", Written("mx.example.net", 25, False)),
        ("MX.Example.net:2525", Written("mx.example.net", 2525, False)),
        ("[192.0.2.1]", Written("192.0.2.1", 25, True)),
        ("[192.0.2.1]:2525", Written("192.0.2.1", 2525, True)),
        ("192.0.2.1", Written("192.0.2.1", 25, True)),
        ("192.0.2.1:2525", Written("192.0.2.1", 2525, True)),
        ("[2001:db8::1]:26", Written("2001:db8::1", 26, True)),
        ("[IPv6:2001:db8::1]", Written("2001:db8::1", 25, True)),
        ("[ipv6:2001:db8::1]", Written("2001:db8::1", 25, True)),
        ("2001:db8::1", Written("2001:db8::1", 25, True)),
    ],
)
def test_notation(text: str, written: Written) -> None:
    """Names and addresses, with and without port."""
    assert written == parse_hop(text, 25)


@pytest.mark.parametrize(
    "text", ["", ":25", "mx:0", "mx:65536", "mx:x", "[mx]", "[]:25", "a:b:c", "[192.0.2.1", "fe80::1%eth0"]
)
def test_what_is_none(text: str) -> None:
    """A mistake is a None, never an exception."""
    assert parse_hop(text, 25) is None


@given(st.text(max_size=40))
def test_any_text_is_a_hop_or_none(text: str) -> None:
    """What comes out is callable."""
    written = parse_hop(text, 25)
    assert written is None or (written.host and 0 < written.port < 65536)


def test_order_of_exchanges() -> None:
    """Groups by preference, best first; within a group the draw decides; the null name is nobody."""
    draws = iter([3, 1, 2, 9])
    hosts = [(20, "D.Example."), (10, "a.example"), (10, "b.example"), (5, "")]
    assert [["a.example", "b.example"], ["d.example"]] == in_order(hosts, lambda: next(draws))
    assert HOSTS_MAX == sum(map(len, in_order([(n, f"h{n}") for n in range(200)], lambda: 0)))


def test_null_mx() -> None:
    """RFC 7505 3: the root as the only host."""
    assert is_null([(0, "")]) and is_null([(0, ".")])
    assert not is_null([]) and not is_null([(0, ""), (10, "mx.example")])


def test_hop_as_text() -> None:
    """Name and address, once if they are the same."""
    assert "mx.example[192.0.2.1]" == str(Hop("mx.example", "192.0.2.1", 25))
    assert "192.0.2.1" == str(Hop("192.0.2.1", "192.0.2.1", 25))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.0.1",
        "0.0.0.0",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:0.0.0.0",
        "64:ff9b::7f00:1",
    ],
)
def test_everybody_is_himself_there(address: str) -> None:
    """Loopback and the unspecified address, however they are dressed."""
    assert is_self(address) and is_private(address)


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "224.0.0.1", "255.255.255.255", "192.0.0.8", "198.18.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1",
        "2002:a00:1::1", "2001:0:1::1", "fe80::1", "fd12::1", "fec0::1", "ff02::1", "::10.0.0.1",
    ],
)  # fmt: skip
def test_no_host_of_the_internet(address: str) -> None:
    """Private, shared, link-local, multicast and reserved networks."""
    assert is_private(address) and not is_self(address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "172.32.0.1",
        "100.128.0.1",
        "192.0.2.1",
        "2001:db8::1",
        "2600::1",
        "2002:808:808::1",
        "::ffff:8.8.8.8",
    ],
)
def test_hosts_of_the_internet(address: str) -> None:
    """Public addresses, and those that documents and tests use."""
    assert not is_private(address) and not is_self(address)
