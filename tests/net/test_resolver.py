"""The resolver against a name server on loopback that can be slow, broken, large and silent."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from covers import covers
from nameserver import NameServer
from sekisho.net import resolver as module
from sekisho.net.resolver import Resolver
from sekisho.world import MxHost, NotFound, Unavailable

SECOND = 1_000_000


class TestClock:
    __test__ = False

    def __init__(self) -> None:
        self.at = 0

    def now(self) -> int:
        return self.at

    def ticks(self) -> int:
        return self.at

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def asking(
    zone: dict[tuple[str, str], Any],
    ask: Callable[[Resolver, TestClock], Coroutine[Any, Any, Any]],
    lifetime_s: float = 5,
    entries: int = 100,
    probe: str = "",
) -> NameServer:
    """Runs `ask` with a resolver that uses a name server of this zone."""

    async def run() -> NameServer:
        server = NameServer(zone)
        port = await server.start()
        clock = TestClock()
        try:
            servers = [f"127.0.0.1:{port}"]
            await ask(Resolver(clock, servers, lifetime_s=lifetime_s, entries=entries, probe=probe), clock)
        finally:
            server.stop()
        return server

    return asyncio.run(run())


def test_mx() -> None:
    """Preferences and names in lower case without the final dot; the null MX has no name (RFC 7505)."""

    async def ask(resolver: Resolver, clock: TestClock) -> None:
        assert [MxHost(10, "mx1.example.net"), MxHost(20, "b.example.net")] == sorted(
            await resolver.mx("example.net"), key=lambda host: host.preference
        )
        assert [MxHost(0, "")] == await resolver.mx("null.example")

    asking(
        {
            ("example.net", "MX"): ["20 b.example.net.", "10 MX1.example.net."],
            ("null.example", "MX"): ["0 ."],
        },
        ask,
    )


@covers("Q-06", "Q-36")
def test_large_answers_come_over_tcp() -> None:
    """An answer of 6 KB is truncated over UDP and fetched over TCP; EDNS0 is offered, ANY never asked."""
    hosts = [f"{number} mail-host-with-a-long-name-{number:03d}.example.net." for number in range(1, 130)]

    async def ask(resolver: Resolver, clock: TestClock) -> None:
        assert 129 == len(await resolver.mx("big.example"))

    server = asking({("big.example", "MX"): hosts}, ask)
    assert [("big.example", "MX", "udp"), ("big.example", "MX", "tcp")] == server.asked
    assert {1232} == server.edns


def test_addresses_of_both_families() -> None:
    """IPv4 first; a family without an answer does not matter when the other has one."""

    async def ask(resolver: Resolver, clock: TestClock) -> None:
        assert ["192.0.2.1", "2001:db8::1"] == await resolver.addresses("both.example")
        assert ["192.0.2.1"] == await resolver.addresses("half.example")
        assert [] == await resolver.addresses("empty.example")

    asking(
        {
            ("both.example", "A"): ["192.0.2.1"],
            ("both.example", "AAAA"): ["2001:db8::1"],
            ("half.example", "A"): ["192.0.2.1"],
            ("half.example", "AAAA"): dns.rcode.SERVFAIL,
        },
        ask,
    )


@covers("Q-06", "Q-36")
def test_only_nxdomain_is_a_certain_no() -> None:
    """SERVFAIL and REFUSED are Unavailable, NXDOMAIN is NotFound, and so is what cannot be a name."""

    async def ask(resolver: Resolver, clock: TestClock) -> None:
        for name in ("fail.example", "refused.example"):
            with pytest.raises(Unavailable):
                await resolver.mx(name)
            with pytest.raises(Unavailable):
                await resolver.addresses(name)
        for name in ("gone.example", "a" * 64 + ".example", "a..example"):
            with pytest.raises(NotFound):
                await resolver.mx(name)
        assert [] == await resolver.mx("empty.example")

    zone: dict[tuple[str, str], Any] = {("gone.example", "MX"): dns.rcode.NXDOMAIN}
    for kind in ("MX", "A", "AAAA"):
        zone["fail.example", kind] = dns.rcode.SERVFAIL
        zone["refused.example", kind] = dns.rcode.REFUSED
    asking(zone, ask)


def test_silence_is_unavailable() -> None:
    """A server that never answers costs the lifetime, once: the failure is remembered for a moment."""

    async def ask(resolver: Resolver, clock: TestClock) -> None:
        for _ in range(3):
            with pytest.raises(Unavailable):
                await resolver.mx("silent.example")

    server = asking({("silent.example", "MX"): None}, ask, lifetime_s=0.3)
    assert 1 <= len(server.asked) <= module.TRIES + 1


def test_answers_are_remembered_until_they_expire() -> None:
    """A record lives for its TTL, a "no such name" for a minute, a failure for seconds."""

    async def ask(resolver: Resolver, clock: TestClock) -> None:
        async def try_all() -> None:
            await resolver.mx("example.net")
            for name in ("gone.example", "fail.example"):
                with pytest.raises((NotFound, Unavailable)):
                    await resolver.mx(name)

        for at in (0, 1, 30, 100, 301):
            clock.at = at * SECOND
            await try_all()

    server = asking(
        {
            ("example.net", "MX"): ["10 mx.example.net."],
            ("gone.example", "MX"): dns.rcode.NXDOMAIN,
            ("fail.example", "MX"): dns.rcode.SERVFAIL,
        },
        ask,
    )
    asked = [name for name, _, _ in server.asked]
    assert (2, 3, 4) == tuple(asked.count(name) for name in ("example.net", "gone.example", "fail.example"))


def test_one_question_for_many_askers() -> None:
    """A thousand letters to one domain ask once."""

    async def ask(resolver: Resolver, clock: TestClock) -> None:
        await asyncio.gather(*(resolver.mx("Example.net") for _ in range(1000)))

    assert 1 == len(asking({("example.net", "MX"): ["10 mx.example.net."]}, ask).asked)


def test_the_cache_is_bounded() -> None:
    """The oldest answer goes when a new one comes."""

    async def ask(resolver: Resolver, clock: TestClock) -> None:
        for number in range(10):
            await resolver.mx(f"d{number}.example")
        assert 3 == len(resolver._cache)

    asking({}, ask, entries=3)


def test_how_long_nothing_is_believed() -> None:
    """RFC 2308 5: as long as the zone's SOA says, within our limits; a minute when it says nothing."""

    async def ask(resolver: Resolver, clock: TestClock) -> None:
        for at in (0, 61, 299, 301, 899, 901):
            clock.at = at * SECOND
            assert [] == await resolver.mx("empty.example")
            with pytest.raises(NotFound):
                await resolver.mx("gone.example")

    def run(soa: str) -> int:
        zone = {("gone.example", "MX"): dns.rcode.NXDOMAIN, ("example", "SOA"): soa}
        asked = asking(zone, ask).asked
        assert 2 * len(asked) == 4 * sum(name == "gone.example" for name, _, _ in asked)
        return len(asked) // 2

    assert 2 == run("ns.example. root.example. 1 2 3 4 86400")
    assert 3 == run("ns.example. root.example. 1 2 3 4 300")
    assert 6 == run("ns.example. root.example. 1 2 3 4 0")
    assert 4 == run("")


@pytest.mark.parametrize("servers", [["192.0.2.1"], ["127.0.0.1", "192.0.2.1"], ["[2001:db8::1]:53"]])
def test_only_a_resolver_on_this_machine_is_believed(servers: list[str]) -> None:
    """RFC 7672 2.1.1: an AD flag that came over the network proves nothing; nobody is asked."""

    async def run() -> None:
        resolver = Resolver(TestClock(), servers, probe=".", lifetime_s=0.1)
        assert "machine" in await resolver.validates()
        assert () == await resolver.tlsa("_25._tcp.mx.example.net")
        assert not (await resolver.proof("mx", "example.net")).secure

    asyncio.run(run())


def test_a_resolver_that_does_not_validate() -> None:
    """The probe comes back without AD: nothing is secure, and it is tried again after a minute."""

    async def ask(resolver: Resolver, clock: TestClock) -> None:
        assert "validated" in await resolver.validates()
        clock.at = 30 * SECOND
        assert await resolver.validates()
        clock.at = 61 * SECOND
        assert await resolver.validates()
        assert () == await resolver.tlsa("_25._tcp.mx.example.net")

    zone = {("signed.example", "SOA"): ["ns.example. root.example. 1 2 3 4 5"]}
    server = asking(zone, ask, probe="signed.example")
    assert ["signed.example"] * 2 == [name for name, _, _ in server.asked]


@covers("Q-06", "Q-36")
def test_a_text_of_4_kb() -> None:
    """It comes over TCP, as one text."""

    async def ask(resolver: Resolver, clock: TestClock) -> None:
        assert [b"x" * 4000] == await resolver.txt("example.net")

    server = asking({("example.net", "TXT"): [" ".join(['"' + "x" * 250 + '"'] * 16)]}, ask)
    assert ["udp", "tcp"] == [over for _, _, over in server.asked]


def test_txt_and_ptr() -> None:
    """The strings of one TXT record are one text (RFC 7208 3.3)."""

    async def ask(resolver: Resolver, clock: TestClock) -> None:
        assert [b"v=spf1 -all"] == await resolver.txt("example.net")
        assert ["host.example.net"] == await resolver.ptr("192.0.2.1")

    asking(
        {
            ("example.net", "TXT"): ['"v=spf1 " "-all"'],
            ("1.2.0.192.in-addr.arpa", "PTR"): ["host.example.net."],
        },
        ask,
    )


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5353", ("192.0.2.1", 5353)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", ("2001:db8::1", 5353)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
    ],
)
def test_server_notation(text: str, server: tuple[str, int]) -> None:
    """Address alone, with a port, IPv6 in brackets."""
    assert server == module._server(text)


def test_no_server_there() -> None:
    """A closed port is Unavailable, not a no."""

    async def run() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
        resolver = Resolver(TestClock(), [f"127.0.0.1:{port}"], lifetime_s=0.3)
        with pytest.raises(Unavailable):
            await resolver.mx("example.net")

    asyncio.run(run())
