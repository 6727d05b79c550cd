"""What a host must show before it gets a letter: DANE, the settings, and what the sender demands."""

import pytest
from hosts import Host, config, deliveries, letter, mx_route
from msgspec import structs

from sekisho.mail.tlsa import Tlsa
from sekisho.model.delivery import Deferred, Delivered, Failed, Outcome
from sekisho.model.event import Event, TlsCounted
from sekisho.model.letter import Letter
from sekisho.service.remote import RemoteCarrier
from sekisho.service.securing import level_of
from sekisho.testing.loop import run
from sekisho.testing.net import FakeNet
from sekisho.testing.world import FakeDns, fakes

A = "203.0.113.1"
TLS_HELLO = b"250-mx\r\n250-PIPELINING\r\n250-REQUIRETLS\r\n250 STARTTLS\r\n"
PIN = b"p" * 32
GOOD, UNUSABLE = Tlsa(3, 1, 1, PIN), Tlsa(1, 1, 1, PIN)
TLSA_NAME = "_25._tcp.mx.example.net"


class Town:
    """example.net, signed all the way down unless told otherwise; its host shows the pinned certificate."""

    def __init__(self, *records: Tlsa, unsigned: str = "", hello: bytes = TLS_HELLO) -> None:
        self.host = Host(EHLO=hello, STARTTLS=b"220 go\r\n")
        self.net = FakeNet({(A, 25): lambda: self.host})
        self.net.certificates[A] = PIN
        self.dns = FakeDns({"example.net": [(10, "mx.example.net")]}, {"mx.example.net": [A]})
        self.dns.signed = {"example.net", "mx.example.net", TLSA_NAME} - {unsigned}
        self.dns.tlsa_records[TLSA_NAME] = records
        self.events: list[Event] = []

    def send(self, sent: Letter | None = None, **tls: str) -> Outcome:
        fake = fakes(net=self.net, dns=self.dns)
        settings = config(tls={name.replace("_", "."): level for name, level in tls.items()})

        async def main() -> Outcome:
            carrier = RemoteCarrier(fake.world, settings, self.events.append, lambda _: False)
            batch = deliveries(mx_route("example.net"), "b@example.net")
            (end,) = (await carrier.carry(batch, sent or letter())).values()
            await carrier.close()
            return end

        return run(main())

    @property
    def results(self) -> set[tuple[str, str]]:
        return {(each.policy, each.result) for each in self.events if isinstance(each, TlsCounted)}


def test_dane() -> None:
    """A record that fits: delivered and counted. None that fits: nobody gets the letter, and it waits."""
    town = Town(GOOD)
    assert isinstance(town.send(), Delivered) and {("tlsa", "")} == town.results
    town = Town(Tlsa(3, 1, 1, b"x" * 32))
    end = town.send()
    assert isinstance(end, Deferred) and "tls" == end.cause and not town.host.taken
    assert {("tlsa", "validation-failure")} == town.results


def test_dane_demands_encryption() -> None:
    """A host with records that offers no STARTTLS gets nothing: it may be somebody in between."""
    town = Town(GOOD, hello=b"250-mx\r\n250 PIPELINING\r\n")
    end = town.send()
    assert isinstance(end, Deferred) and {("tlsa", "starttls-not-supported")} == town.results
    assert not any("MAIL" in line for line in town.host.log)


@pytest.mark.parametrize("unsigned", ["example.net", "mx.example.net"])
def test_no_dane_without_signatures_all_the_way(unsigned: str) -> None:
    """RFC 7672 2.2: where MX or address is not signed, TLSA is not even asked for."""
    town = Town(Tlsa(3, 1, 1, b"x" * 32), unsigned=unsigned)
    assert isinstance(town.send(), Delivered) and not any("tlsa" in asked for asked in town.dns.asked)


def test_records_that_cannot_be_used() -> None:
    """RFC 7672 2.2: encryption without proof, and never in the clear."""
    assert isinstance(Town(UNUSABLE).send(), Delivered)
    town = Town(UNUSABLE, hello=b"250-mx\r\n250 PIPELINING\r\n")
    assert isinstance(town.send(), Deferred)
    assert isinstance(Town(UNUSABLE, GOOD).send(), Delivered)


def test_forged_records() -> None:
    """A bogus answer, or none, is no reason to believe that there are no records: deferred."""
    town = Town(GOOD)
    town.dns.fail.add(f"tlsa {TLSA_NAME}")
    end = town.send()
    assert isinstance(end, Deferred) and not town.host.log and {("tlsa", "dnssec-invalid")} == town.results


def test_without_a_validating_resolver_there_is_no_dane() -> None:
    """Nobody's AD flag is believed."""
    town = Town(Tlsa(3, 1, 1, b"x" * 32))
    town.dns.signed = None
    assert isinstance(town.send(), Delivered) and {("no-policy-found", "")} == town.results


@pytest.mark.parametrize(
    ("level", "certificate", "hello", "end"),
    [
        ("none", b"any", TLS_HELLO, Delivered),
        ("required", b"any", TLS_HELLO, Delivered),
        ("required", b"any", b"250 mx\r\n", Deferred),
        ("verify", b"valid", TLS_HELLO, Delivered),
        ("verify", b"any", TLS_HELLO, Deferred),
        ("dane", b"any", TLS_HELLO, Deferred),
        ("opportunistic", b"any", b"250 mx\r\n", Delivered),
    ],
)
def test_the_settings_decide(level: str, certificate: bytes, hello: bytes, end: type) -> None:
    """Per destination: what must be shown, whatever it publishes."""
    town = Town(hello=hello)
    town.net.certificates[A] = certificate
    assert isinstance(town.send(example_net=level), end)
    assert (level not in ("none", "dane") and hello == TLS_HELLO) == ("STARTTLS" in town.host.log)


def test_dane_demanded_and_there() -> None:
    """The level dane with records is DANE."""
    assert isinstance(Town(GOOD).send(example_net="dane"), Delivered)


def test_names_and_wildcards() -> None:
    """The name itself, the longest ending, everything."""
    levels = {"a.test": "none", "*.a.test": "verify", "*.b.a.test": "dane", "*": "required"}
    found = {
        name: level_of(name, levels) for name in ("a.test", "x.a.test", "x.b.a.test", "b.a.test", "c.test")
    }
    expected = ["none", "verify", "dane", "verify", "required"]
    assert expected == list(found.values()) and "" == level_of("c.test", {"a.test": "none"})


def demanding() -> Letter:
    """A letter with REQUIRETLS."""
    plain = letter()
    return structs.replace(plain, envelope=structs.replace(plain.envelope, options={"REQUIRETLS": ""}))


def test_requiretls() -> None:
    """RFC 8689: over a session whose host is proven, to a host that offers it; else it comes back: 5.7.30."""
    town = Town(GOOD)
    assert isinstance(town.send(demanding()), Delivered)
    assert any(line.endswith(" REQUIRETLS") for line in town.host.log)
    for town in (Town(), Town(UNUSABLE), Town(GOOD, unsigned="example.net")):
        end = town.send(demanding())
        assert isinstance(end, Failed) and "5.7.30" == end.reply.status and not town.host.log
    without = Town(GOOD, hello=TLS_HELLO.replace(b"250-REQUIRETLS\r\n", b""))
    end = without.send(demanding())
    assert isinstance(end, Failed) and "5.7.30" == end.reply.status and not without.host.taken
    town = Town(Tlsa(3, 1, 1, b"x" * 32))
    assert isinstance(town.send(demanding()), Deferred)
