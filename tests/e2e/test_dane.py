"""DANE from a signed zone through a real validating resolver to a real handshake (RFC 7672)."""

import asyncio
import hashlib
import ssl
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from e2e.unbound import Signed, resolving
from ports import free_port
from sekisho.host import HostClock
from sekisho.lab.sink import Rules, Sink
from sekisho.model.config import Config, Outbound
from sekisho.model.delivery import Deferred, Delivered, Delivery, Kind, Outcome, Route
from sekisho.model.envelope import Envelope, Message, Origin
from sekisho.model.event import Event, TlsCounted
from sekisho.model.letter import Letter
from sekisho.net.dial import Dialer
from sekisho.net.resolver import Resolver
from sekisho.service.remote import RemoteCarrier
from sekisho.testing.world import fakes
from sekisho.world import NotFound, Unavailable

BODY = b"Subject: x\r\n\r\nx\r\n"
HOST = "@ 60 IN MX 10 mx.{name}.\nmx 60 IN A 127.0.0.1\n"


class Site:
    """A mail server with a certificate, and zones that speak of it."""

    def __init__(self) -> None:
        authority = trustme.CA()
        issued = authority.issue_cert("mx.good.test", "mx.anchor.test")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued.configure_cert(self.context)
        self.anchor = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
        leaf = x509.load_pem_x509_certificate(issued.cert_chain_pems[0].bytes())
        key = leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.port = free_port()
        self.pin = f"3 1 1 {hashlib.sha256(key).hexdigest()}"
        self.wrong = f"3 1 1 {hashlib.sha256(b'other').hexdigest()}"
        self.above = f"2 0 0 {self.anchor.public_bytes(Encoding.DER).hex()}"

    def zone(self, name: str, tlsa: str, **how: bool) -> Signed:
        record = f"_{self.port}._tcp.mx 60 IN TLSA {tlsa}\n" if tlsa else ""
        return Signed(name, HOST.format(name=name) + record, **how)

    def zones(self) -> list[Signed]:
        return [
            self.zone("good.test", self.pin),
            self.zone("anchor.test", self.above),
            self.zone("wrong.test", self.wrong),
            self.zone("unusable.test", "1 1 1 " + "00" * 32),
            self.zone("without.test", ""),
            self.zone("bogus.test", self.wrong, trusted=False),
            self.zone("unsigned.test", self.wrong, signed=False),
        ]

    def send(self, resolver: str, probe: str = "good.test") -> tuple[dict[str, Outcome], list[Event]]:
        async def main() -> tuple[dict[str, Outcome], list[Event]]:
            sink = Sink(None, Rules(tls=self.context))
            await sink.start(port=self.port)
            patience_s = 3.0 if probe == "nowhere.test" else 30.0  # of that one nobody tells
            world = fakes(
                net=Dialer(), dns=Resolver(HostClock(), (resolver,), probe=probe, lifetime_s=patience_s)
            ).world
            out = Outbound(port=self.port, private_networks=True, dnssec_probe=probe)
            events: list[Event] = []
            carrier = RemoteCarrier(world, Config(hostname="me.example", outbound=out), events.append)
            await carrier.check()
            ends: dict[str, Outcome] = {}
            for zone in self.zones():
                route = Route(Kind.MX, zone.name, f"mx:{zone.name}")
                batch = (Delivery(zone.name, "m", f"b@{zone.name}", route, 0, 0, 1),)
                origin = Origin("s", "submission", 0)
                letter = Letter(
                    Message("m", len(BODY), ""), Envelope("a@me.example", (), origin), b"", (BODY,)
                )
                ends |= await carrier.carry(batch, letter)
            await carrier.close()
            assert all(message.tls for message in sink.messages)
            await sink.stop()
            return ends, events

        return asyncio.run(main())


@pytest.fixture(scope="module")
def site() -> Site:
    return Site()


def test_dane_through_unbound(site: Site, tmp_path: Path) -> None:
    """Records that fit deliver, others do not; forged zones defer; unsigned ones and those without records
    go their usual way.
    """
    with resolving(tmp_path, *site.zones()) as resolver:
        ends, events = site.send(resolver)
    assert {
        "good.test": Delivered,
        "anchor.test": Delivered,
        "wrong.test": Deferred,
        "unusable.test": Delivered,
        "without.test": Delivered,
        "bogus.test": Deferred,
        "unsigned.test": Delivered,
    } == {name: type(end) for name, end in ends.items()}
    counted = {(each.domain, each.policy, each.result) for each in events if isinstance(each, TlsCounted)}
    assert {
        ("good.test", "tlsa", ""),
        ("anchor.test", "tlsa", ""),
        ("wrong.test", "tlsa", "validation-failure"),
        ("unusable.test", "tlsa", ""),
        ("without.test", "no-policy-found", ""),
        ("unsigned.test", "no-policy-found", ""),
    } == counted
    assert "dns" == ends["bogus.test"].cause  # type: ignore[union-attr]


@pytest.mark.parametrize("probe", ["unsigned.test", "bogus.test", "nowhere.test", ""])
def test_the_probe(site: Site, tmp_path: Path, probe: str) -> None:
    """A name that does not come back validated: DANE is off, and the operator is told; mail goes out."""
    with resolving(tmp_path, *site.zones()) as resolver:
        ends, events = site.send(resolver, probe)
    assert isinstance(ends["wrong.test"], Delivered)
    troubles = [each for each in events if not isinstance(each, TlsCounted)]
    assert bool(probe) == bool(troubles)


def test_answers_of_a_real_resolver(site: Site, tmp_path: Path) -> None:
    """SERVFAIL of a forged zone is Unavailable, NXDOMAIN is NotFound, and neither is "unsigned"."""

    async def main(address: str) -> None:
        resolver = Resolver(HostClock(), (address,), probe="good.test", lifetime_s=30.0)
        with pytest.raises(Unavailable):
            await resolver.mx("bogus.test")
        with pytest.raises(NotFound):
            await resolver.mx("nowhere.good.test")
        assert (await resolver.proof("mx", "good.test")).secure
        assert not (await resolver.proof("mx", "unsigned.test")).secure
        assert [] == list(await resolver.tlsa(f"_{site.port}._tcp.mx.unsigned.test"))

    with resolving(tmp_path, *site.zones()) as address:
        asyncio.run(main(address))
