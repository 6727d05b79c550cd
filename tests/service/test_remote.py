"""Remote delivery in a fake world: whom it calls, in which order, and what every answer means."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
from hosts import EHLO, Host, carry_in_turn, config, deliveries, letter, mx_route, relay_route, told

from covers import covers
from sekisho.model.config import Config, Limit, Listen, Queue
from sekisho.model.delivery import Deferred, Delivered, Delivery, Failed, Outcome, Tls
from sekisho.model.event import TlsCounted
from sekisho.model.letter import Letter
from sekisho.queue.hops import Hop
from sekisho.queue.places import Full, Seat
from sekisho.service import resting
from sekisho.service.remote import RemoteCarrier
from sekisho.testing.loop import run
from sekisho.testing.net import FakeNet, Silent
from sekisho.testing.world import FakeDns, Fakes, fakes

A, B, C = "203.0.113.1", "203.0.113.2", "203.0.113.3"
DNS = FakeDns(
    mx={"example.net": [(10, "mx1.example.net"), (20, "mx2.example.net")]},
    addresses={"mx1.example.net": [A], "mx2.example.net": [B]},
)
Peers = Mapping[tuple[str, int], Callable[[], object]]


def world(peers: Mapping[str, object] | None = None, dns: FakeDns = DNS) -> tuple[Fakes, FakeNet]:
    """One peer object by address (for all its connections), at port 25."""
    net = FakeNet({(address, 25): _always(peer) for address, peer in (peers or {}).items()})
    return fakes(net=net, dns=dns), net


def _always(peer: object) -> Callable[[], object]:
    return lambda: peer


def elsewhere(_address: str) -> bool:
    return False


def carry(
    fake: Fakes, batch: tuple[Delivery, ...], settings: Config | None = None, sent: Letter | None = None
) -> dict[str, Outcome]:
    async def main() -> dict[str, Outcome]:
        carrier = RemoteCarrier(fake.world, settings or config(), _no_trouble, elsewhere)
        outcomes = await carrier.carry(batch, sent or letter())
        await carrier.close()
        return outcomes

    return run(main())


def _no_trouble(event: object) -> None:
    assert isinstance(event, TlsCounted), event


def one(fake: Fakes, settings: Config | None = None, domain: str = "example.net") -> Outcome:
    return carry(fake, deliveries(mx_route(domain), f"b@{domain}"), settings)[f"b@{domain}"]


def test_delivers_to_the_best_host() -> None:
    """The lowest preference is called; the letter arrives with our head on top, and who took it is known."""
    host = Host()
    fake, net = world({A: host, B: Host()})
    end = one(fake)
    assert isinstance(end, Delivered)
    assert ("taken", "2.0.0", "mx1.example.net") == (end.reply.text, end.reply.status, end.host)
    assert [b"Received: x\r\nSubject: hello\r\n\r\nhello\r\n"] == host.taken
    assert [(A, 25)] == net.dialled
    assert [
        "EHLO me.example",
        "MAIL FROM:<a@me.example> SIZE=38",
        "RCPT TO:<b@example.net>",
        "DATA",
    ] == host.log[:4]


def test_equal_preferences_share_the_load() -> None:
    """RFC 5321 5.1: among equals chance decides, for each try anew."""
    dns = FakeDns({"example.net": [(10, "x"), (10, "y")]}, {"x": [A], "y": [B]})
    called = set()
    for seed in range(20):
        net = FakeNet({(A, 25): Host, (B, 25): Host})
        one(fakes(seed=seed, net=net, dns=dns))
        called.add(net.dialled[0])
    assert {(A, 25), (B, 25)} == called


@covers("Q-20")
@pytest.mark.parametrize("greeting", [b"421 4.3.2 busy\r\n", b"554 5.7.1 no\r\n", b"450 later\r\n", None])
def test_the_next_host_when_the_first_is_not_at_home(greeting: bytes | None) -> None:
    """Refused connection, 4yz, 5yz or reset instead of a greeting: the next MX is called."""
    second = Host()
    fake, net = world({A: Host(greeting=greeting), B: second})
    assert isinstance(one(fake), Delivered)
    assert 1 == len(second.taken)
    fake, net = world({B: second})
    assert isinstance(one(fake), Delivered)
    assert [(A, 25), (B, 25)] == net.dialled


@covers("Q-20")
def test_all_hosts_refuse_for_ever() -> None:
    """5yz greetings everywhere: failed, with both replies."""
    fake, _ = world({A: Host(greeting=b"554 5.7.1 not you\r\n"), B: Host(greeting=b"554 go away\r\n")})
    end = one(fake)
    assert isinstance(end, Failed)
    assert (
        "mx1.example.net[203.0.113.1]: 554 5.7.1 not you; mx2.example.net[203.0.113.2]: 554 go away"
        == end.reply.text
    )


def test_one_host_that_may_come_back_keeps_the_letter() -> None:
    """5yz from one, silence from the other: not for ever."""
    fake, _ = world({A: Host(greeting=b"554 no\r\n")})
    end = one(fake)
    assert isinstance(end, Deferred) and "connect" == end.cause
    assert "554 no" in end.reply.text and "refused" in end.reply.text


def test_recipients_are_judged_one_by_one() -> None:
    """2yz, 4yz and 5yz side by side, each with its own reply; the next MX is not asked for a second
    opinion.
    """

    def rcpt(line: str) -> bytes:
        return {"b": b"250 ok\r\n", "c": b"450 4.2.1 busy\r\n", "d": b"550 5.1.1 who?\r\n"}[line[9]]

    fake, net = world({A: Host(RCPT=rcpt), B: Host()})
    outcomes = carry(
        fake, deliveries(mx_route("example.net"), "b@example.net", "c@example.net", "d@example.net")
    )
    assert {
        "b@example.net": ("delivered", 250, ""),
        "c@example.net": ("deferred", 450, "4yz"),
        "d@example.net": ("failed", 550, "5yz"),
    } == told(outcomes)
    assert [(A, 25)] == net.dialled


OK, LATER, NEVER = b"250 ok\r\n", b"451 4.3.0 later\r\n", b"550 5.7.1 never\r\n"
TABLE = [
    # what the host says, what becomes of a recipient it accepted: kind, code, cause
    ({}, ("delivered", 250, "")),
    ({"dot": LATER}, ("deferred", 451, "4yz")),
    ({"dot": NEVER}, ("failed", 550, "5yz")),
    ({"dot": None}, ("deferred", 451, "connect")),
    ({"dot": b""}, ("deferred", 451, "timeout")),
    ({"dot": b"who are you\r\n"}, ("deferred", 451, "4yz")),
    ({"dot": b"421 4.3.2 shutting down\r\n"}, ("deferred", 421, "4yz")),
    ({"DATA": LATER}, ("deferred", 451, "4yz")),
    ({"DATA": NEVER}, ("failed", 550, "5yz")),
    ({"DATA": None}, ("deferred", 451, "connect")),
    ({"DATA": b""}, ("deferred", 451, "timeout")),
    ({"RCPT": LATER}, ("deferred", 451, "4yz")),
    ({"RCPT": NEVER}, ("failed", 550, "5yz")),
    ({"RCPT": None}, ("deferred", 451, "connect")),
    ({"MAIL": LATER}, ("deferred", 451, "4yz")),
    ({"MAIL": NEVER}, ("failed", 550, "5yz")),
    ({"MAIL": None}, ("deferred", 451, "connect")),
    ({"MAIL": b""}, ("deferred", 451, "timeout")),
    ({"EHLO": LATER}, ("deferred", 451, "4yz")),
    ({"EHLO": NEVER, "HELO": NEVER}, ("failed", 550, "5yz")),
    ({"EHLO": None}, ("deferred", 451, "connect")),
    ({"greeting": LATER}, ("deferred", 451, "4yz")),
    ({"greeting": NEVER}, ("failed", 550, "5yz")),
    ({"greeting": b""}, ("deferred", 451, "timeout")),
]


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(("says", "becomes"), TABLE)
def test_every_outcome_at_every_stage(
    says: dict[str, bytes | None], becomes: tuple[str, int, str], pipelining: bool
) -> None:
    """One host, all its answers, with and without pipelining: the outcome, its reply and its cause."""
    answers = {"EHLO": EHLO if pipelining else b"250 mx\r\n"} | says
    dns = FakeDns({"example.net": [(10, "mx1.example.net")]}, {"mx1.example.net": [A]})
    fake, _ = world({A: Host(**answers)}, dns)
    assert {"b@example.net": becomes} == told(
        carry(fake, deliveries(mx_route("example.net"), "b@example.net"))
    )


def test_a_reset_after_the_final_dot_is_not_tried_elsewhere() -> None:
    """The host may have the letter: it is deferred, the reply says so, and the second MX does not get it
    too.
    """
    second = Host()
    fake, net = world({A: Host(dot=None), B: second})
    end = one(fake)
    assert isinstance(end, Deferred) and "may have been taken" in end.reply.text
    assert [] == second.taken and [(A, 25)] == net.dialled


@pytest.mark.parametrize(
    "says", [{"DATA": None}, {"RCPT": None}, {"MAIL": b"421 bye\r\n"}, {"DATA": b"421 bye\r\n"}]
)
def test_a_session_that_breaks_before_is(says: dict[str, bytes | None]) -> None:
    """Nobody can have the letter yet: the next MX is asked in the same try."""
    second = Host()
    fake, net = world({A: Host(**says), B: second})
    assert isinstance(one(fake), Delivered)
    assert 1 == len(second.taken) and [(A, 25), (B, 25)] == net.dialled


def test_a_break_leaves_what_was_decided() -> None:
    """A recipient refused before the session broke stays refused; the other one is delivered by the next
    MX.
    """

    def rcpt(line: str) -> bytes | None:
        return b"550 5.1.1 who?\r\n" if "<d@" in line else b"421 bye\r\n"

    second = Host()
    fake, _ = world({A: Host(RCPT=rcpt), B: second})
    outcomes = carry(fake, deliveries(mx_route("example.net"), "d@example.net", "b@example.net"))
    assert {"d@example.net": ("failed", 550, "5yz"), "b@example.net": ("delivered", 250, "")} == told(
        outcomes
    )
    assert [line for line in second.log if line.startswith("RCPT")] == ["RCPT TO:<b@example.net>"]


def test_no_mx_means_the_domain_itself() -> None:
    """RFC 5321 5.1: the address of a domain without MX is its mail server."""
    host = Host()
    fake, _ = world({C: host}, FakeDns(addresses={"plain.example": [C]}))
    assert isinstance(one(fake, domain="plain.example"), Delivered)


def test_an_address_literal_is_called_directly() -> None:
    """RFC 5321 4.1.3: no DNS is asked."""
    fake, net = world({A: Host()})
    (end,) = carry(fake, deliveries(mx_route(f"[{A}]"), f"b@[{A}]")).values()
    assert isinstance(end, Delivered) and [(A, 25)] == net.dialled


@pytest.mark.parametrize(
    ("dns", "becomes", "status"),
    [
        (FakeDns(), ("failed", 550, "dns"), "5.1.2"),
        (FakeDns({"example.net": []}), ("failed", 550, "dns"), "5.1.2"),
        (FakeDns({"example.net": [(0, "")]}), ("failed", 556, "dns"), "5.1.10"),
        (FakeDns({"example.net": [(0, ".")]}), ("failed", 556, "dns"), "5.1.10"),
        (FakeDns({"example.net": [(10, "gone.example.net")]}), ("failed", 550, "dns"), "5.4.4"),
        (
            FakeDns({"example.net": [(10, "me.example")]}, {"me.example": [A]}),
            ("failed", 554, "dns"),
            "5.4.6",
        ),
    ],
)
def test_what_dns_can_say_for_ever(dns: FakeDns, becomes: tuple[str, int, str], status: str) -> None:
    """No such domain, nothing there, null MX, hosts without addresses, ourselves: nobody is called."""
    fake, net = world(dns=dns)
    end = one(fake)
    assert becomes == told({"b": end})["b"] and status == end.reply.status
    assert [] == net.dialled


@covers("Q-06", "Q-36")
@pytest.mark.parametrize("silent", ["mx example.net", "addresses mx1.example.net"])
def test_what_dns_does_not_say_is_not_for_ever(silent: str) -> None:
    """No answer about the domain or about its only host: deferred."""
    dns = FakeDns({"example.net": [(10, "mx1.example.net")]}, {"mx1.example.net": [A]})
    dns.fail.add(silent)
    fake, _ = world({A: Host()}, dns)
    end = one(fake)
    assert isinstance(end, Deferred) and ("4.4.3", "dns") == (end.reply.status, end.cause)


@covers("Q-06", "Q-36")
def test_a_great_many_exchanges() -> None:
    """40 MX hosts of which only the last of the first twenty answers within the ten that are called."""
    hosts = [(number, f"h{number}.example.net") for number in range(40)]
    dns = FakeDns({"example.net": hosts}, {name: [f"203.0.113.{number + 1}"] for number, name in hosts})
    fake, net = world({"203.0.113.10": Host()}, dns)
    assert isinstance(one(fake), Delivered)
    assert 10 == len(net.dialled)
    fake, net = world({"203.0.113.11": Host()}, dns)
    assert isinstance(one(fake), Deferred) and 10 == len(net.dialled)


def test_a_host_with_five_hundred_addresses() -> None:
    """Four of them are called, then the next host has its turn."""
    dns = FakeDns(
        {"example.net": [(10, "many"), (20, "mx2.example.net")]},
        {"many": [f"198.51.100.{number % 256}" for number in range(500)], "mx2.example.net": [B]},
    )
    fake, net = world({B: Host()}, dns)
    assert isinstance(one(fake), Delivered) and 5 == len(net.dialled)


LOOPS = [
    "0.0.0.0",
    "127.0.0.1",
    "127.9.9.9",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
]
PRIVATE = [
    "10.1.2.3",
    "192.168.0.1",
    "172.31.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "fe80::1",
    "fd00::1",
    "ff02::1",
]


@covers("Q-12")
@pytest.mark.parametrize("address", LOOPS + PRIVATE + ["203.0.113.99", "203.0.113.77", "198.51.100.9"])
def test_an_exchange_that_leads_to_us_or_to_a_neighbour(address: str) -> None:
    """Loopback, 0.0.0.0, private ranges, our own address, our address at the NAT: 5.4.6 and nobody is
    called.
    """
    dns = FakeDns({"example.net": [(10, "mx1.example.net")]}, {"mx1.example.net": [address]})
    fake, net = world(dns=dns)
    settings = config(own_addresses=("203.0.113.99", "198.51.100.0/24"))

    async def main() -> Outcome:
        carrier = RemoteCarrier(fake.world, settings, _no_trouble, lambda found: found == "203.0.113.77")
        batch = deliveries(mx_route("example.net"), "b@example.net")
        return (await carrier.carry(batch, letter()))["b@example.net"]

    end = run(main())
    assert isinstance(end, Failed) and "5.4.6" == end.reply.status
    assert [] == net.dialled


def test_hosts_worse_than_ourselves_are_not_called() -> None:
    """RFC 5321 5.1: as the second of three MX we call the first only."""
    dns = FakeDns(
        {"example.net": [(10, "mx1.example.net"), (20, "me.example"), (30, "mx2.example.net")]},
        {"mx1.example.net": [A], "me.example": [C], "mx2.example.net": [B]},
    )
    fake, net = world({B: Host()}, dns)
    assert isinstance(one(fake), Deferred)
    assert [(A, 25)] == net.dialled


def test_a_public_host_beside_a_private_one() -> None:
    """Only the public address is called."""
    dns = FakeDns({"example.net": [(10, "mx")]}, {"mx": ["10.0.0.1", A]})
    fake, net = world({A: Host()}, dns)
    assert isinstance(one(fake), Delivered) and [(A, 25)] == net.dialled


def test_private_networks_when_they_are_allowed() -> None:
    """Then only this server's own port on this machine is a loop."""
    dns = FakeDns({"example.net": [(10, "mx")]}, {"mx": ["127.0.0.1"]})
    fake, _ = world({"127.0.0.1": Host()}, dns)
    assert isinstance(one(fake, config(private_networks=True)), Delivered)
    listening = {"mx": Listen(address="127.0.0.1:25", protocol="smtp")}
    settings = Config(
        hostname="me.example", outbound=config(private_networks=True).outbound, listen=listening
    )
    fake, net = world({"127.0.0.1": Host()}, dns)
    end = one(fake, settings)
    assert isinstance(end, Failed) and "5.4.6" == end.reply.status and [] == net.dialled


@pytest.mark.parametrize("written", [f"[{A}]:25", f"{A}:25", "relay.example:25", "relay.example"])
def test_a_relay_of_the_settings(written: str) -> None:
    """By address or by name, with or without port; no MX is asked, private addresses are believed."""
    dns = FakeDns(addresses={"relay.example": [A]})
    fake, _ = world({A: Host()}, dns)
    (end,) = carry(fake, deliveries(relay_route(written), "b@example.net")).values()
    assert isinstance(end, Delivered)
    assert not any(asked.startswith("mx") for asked in dns.asked)


@pytest.mark.parametrize("written", ["relay.example:25", "relay.example:0", "[nowhere]:25", "a b:x"])
def test_a_mistake_in_the_settings_bounces_nothing(written: str) -> None:
    """A relay without an address, or that is none: deferred."""
    fake, _ = world()
    (end,) = carry(fake, deliveries(relay_route(written), "b@example.net")).values()
    assert isinstance(end, Deferred)


def tls_host(**answers: bytes) -> Host:
    """Offers STARTTLS and a login; the fake handshake always succeeds."""
    hello = b"250-mx\r\n250-PIPELINING\r\n250-AUTH PLAIN LOGIN\r\n250 STARTTLS\r\n"
    return Host(**{"EHLO": hello, "STARTTLS": b"220 go\r\n", "AUTH": b"235 2.7.0 welcome\r\n"} | answers)


@pytest.mark.parametrize("tls", [Tls.REQUIRED, Tls.VERIFY])
def test_no_letter_without_encryption_where_it_must_be(tls: Tls) -> None:
    """A host that does not offer STARTTLS, or refuses it, gets nothing."""
    for host in (Host(), tls_host(STARTTLS=b"454 4.7.0 not now\r\n")):
        fake, _ = world({A: host})
        batch = deliveries(mx_route(f"[{A}]", tls), "b@example.net")
        assert {"b@example.net": ("deferred", 451 if host.answers["EHLO"] == EHLO else 454, "tls")} == told(
            carry(fake, batch)
        )
        assert not any(line.startswith("MAIL") for line in host.log)


def test_a_session_is_used_again() -> None:
    """The next letter of the lane finds the session resting, and no greeting is waited for; then it says
    goodbye.
    """
    host = Host()
    fake, net = world({A: host})

    async def main() -> None:
        carrier = RemoteCarrier(fake.world, config(), _no_trouble, elsewhere)
        for number in range(3):
            batch = deliveries(mx_route("example.net"), f"b{number}@example.net")
            assert all(isinstance(end, Delivered) for end in (await carrier.carry(batch, letter())).values())
            await fake.clock.sleep(resting.IDLE_S / 2)
        assert 1 == len(net.dialled) and 3 == len(host.taken)
        await fake.clock.sleep(resting.IDLE_S + 2)
        assert "QUIT" == host.log[-1]
        await carrier.carry(deliveries(mx_route("example.net"), "b@example.net"), letter())
        assert 2 == len(net.dialled)
        await carrier.close()
        assert "QUIT" == host.log[-1]

    run(main())


def test_a_session_that_ended_while_it_rested() -> None:
    """It says nothing about the host: a new one is opened in the same try."""
    first = Host(
        RSET=b"421 too slow\r\n", MAIL=lambda line: b"421 idle\r\n" if len(first.taken) else b"250 ok\r\n"
    )
    peers = [first, Host()]
    fake = fakes(net=FakeNet({(A, 25): lambda: peers.pop(0)}), dns=DNS)

    async def main() -> None:
        carrier = RemoteCarrier(fake.world, config(), _no_trouble, elsewhere)
        for number in range(2):
            batch = deliveries(mx_route("example.net"), f"b{number}@example.net")
            (end,) = (await carrier.carry(batch, letter())).values()
            assert isinstance(end, Delivered)
        await carrier.close()

    run(main())
    assert [] == peers


def test_the_transaction_before_leaves_no_trace() -> None:
    """After a refused recipient the session is reset before the next letter."""
    host = Host(EHLO=b"250 mx\r\n", RCPT=lambda line: b"550 no\r\n" if "<bad@" in line else b"250 ok\r\n")
    fake, net = world({A: host})

    async def main() -> None:
        carrier = RemoteCarrier(fake.world, config(), _no_trouble, elsewhere)
        for name in ("bad", "good"):
            await carrier.carry(deliveries(mx_route("example.net"), f"{name}@example.net"), letter())
        await carrier.close()

    run(main())
    assert 1 == len(net.dialled)
    assert host.log.index("RSET") < host.log.index("RCPT TO:<good@example.net>")


def test_too_many_recipients_are_sent_in_another_transaction() -> None:
    """RFC 5321 4.5.3.1.10: 452 to the rest means once more, at once, in the same session."""
    named: list[str] = []

    def mail(line: str) -> bytes:
        named.clear()
        return b"250 ok\r\n"

    def rcpt(line: str) -> bytes:
        named.append(line)
        return b"250 ok\r\n" if len(named) <= 4 else b"452 4.5.3 too many\r\n"

    host = Host(MAIL=mail, RCPT=rcpt)
    fake, net = world({A: host})
    batch = deliveries(mx_route("example.net"), *(f"r{number}@example.net" for number in range(9)))
    outcomes = carry(fake, batch)
    assert 9 == len(outcomes) and all(isinstance(end, Delivered) for end in outcomes.values())
    assert 1 == len(net.dialled) and 3 == len(host.taken)


def test_a_host_that_accepts_nobody_with_452() -> None:
    """Then it is an ordinary refusal for now."""
    fake, _ = world({A: Host(RCPT=b"452 4.5.3 too many\r\n")})
    assert isinstance(one(fake), Deferred)


def test_lane_concurrency() -> None:
    """Twelve letters of one lane, three sessions at once."""
    open_now, most = 0, 0

    class Counting(Host):
        def greeting(self) -> bytes:
            nonlocal open_now, most
            open_now += 1
            most = max(most, open_now)
            return super().greeting()

    net = FakeNet({(A, 25): Counting}, latency=lambda: 1.0)
    fake = fakes(net=net, dns=DNS)
    settings = Config(hostname="me.example", queue=Queue(lane_concurrency=3))

    async def main() -> None:
        carrier = RemoteCarrier(fake.world, settings, _no_trouble, elsewhere)
        batches = [deliveries(mx_route("example.net"), f"b{number}@example.net") for number in range(12)]
        ends = await asyncio.gather(*(carry_in_turn(carrier, batch, letter(), 1) for batch in batches))
        assert all(isinstance(end, Delivered) for each in ends for end in each.values())
        await carrier.close()

    run(main())
    assert 3 == most


@covers("Q-05")
def test_domains_that_share_a_host_share_its_connections() -> None:
    """Three domains, one MX host, four connections at most: also those that rest count, and give way."""
    open_now: set[int] = set()
    most = 0

    class Counting(Host):
        def greeting(self) -> bytes:
            nonlocal most
            open_now.add(id(self))
            most = max(most, len(open_now))
            return super().greeting()

        def receive(self, data: bytes) -> bytes:
            if data.startswith(b"QUIT"):
                open_now.discard(id(self))
            return super().receive(data)

    net = FakeNet({(A, 25): Counting}, latency=lambda: 1.0)
    names = ("one.test", "two.test", "three.test")
    dns = FakeDns({name: [(10, "mx.shared.test")] for name in names}, {"mx.shared.test": [A]})
    fake = fakes(net=net, dns=dns)
    settings = Config(hostname="me.example", queue=Queue(host_concurrency=4))

    async def main() -> None:
        carrier = RemoteCarrier(fake.world, settings, _no_trouble, elsewhere)
        batches = [deliveries(mx_route(name), f"b{n}@{name}") for n in range(8) for name in names]
        ends = await asyncio.gather(*(carry_in_turn(carrier, batch, letter(), 1) for batch in batches))
        assert all(isinstance(end, Delivered) for each in ends for end in each.values())
        await carrier.close()

    run(main())
    assert 4 == most


def test_a_full_host_is_waited_for_and_not_gone_round() -> None:
    """The backup host is for when the first is down, not for when we have enough connections to it."""
    fake, net = world({A: Host(), B: Host()})
    settings = Config(hostname="me.example", queue=Queue(limits={A: Limit(concurrency=1)}))

    async def main() -> None:
        carrier = RemoteCarrier(fake.world, settings, _no_trouble, elsewhere)
        assert isinstance(carrier.places.enter("mx:other.test", Hop(A, A, 25), fake.clock.now()), Seat)
        ends = await carrier.carry(deliveries(mx_route("example.net"), "b@example.net"), letter())
        assert all(isinstance(end, Full) for end in ends.values())

    run(main())
    assert [] == net.dialled


def test_a_host_that_does_not_answer_is_not_called_again_at_once() -> None:
    """After three calls its backup is called without delay; with no backup the letter waits, untried."""
    fake, net = world({B: Host()})

    async def main() -> None:
        carrier = RemoteCarrier(fake.world, config(), _no_trouble, elsewhere)
        for _ in range(5):
            ends = await carrier.carry(deliveries(mx_route("example.net"), "b@example.net"), letter())
            assert all(isinstance(end, Delivered) for end in ends.values())
            await carrier.close()
        hop = Hop("mx1.example.net", A, 25)
        until = carrier.places.silent_until(hop, fake.clock.now())
        assert until
        ends = await carrier.carry(deliveries(relay_route(f"[{A}]:25"), "b@example.net"), letter())
        assert [Full(until)] == list(ends.values())

    run(main())
    assert 3 == net.dialled.count((A, 25)) and 5 == net.dialled.count((B, 25))


def test_a_host_that_never_answers_costs_its_deadline_only() -> None:
    """Silence after the connection: deferred when the time for a reply is over."""
    fake, _ = world({A: Silent(), B: Silent()})
    before = fake.clock

    async def main() -> int:
        carrier = RemoteCarrier(fake.world, config(reply_s=10), _no_trouble, elsewhere)
        (end,) = (
            await carrier.carry(deliveries(mx_route("example.net"), "b@example.net"), letter())
        ).values()
        assert isinstance(end, Deferred) and "timeout" == end.cause
        return before.ticks()

    assert 20_000_000 == run(main())


def test_eight_bit_letters() -> None:
    """Sent with BODY=8BITMIME where the host takes it, refused here where it does not (RFC 6152 3)."""
    japanese = letter("Subject: x\r\n\r\nこんにちは\r\n".encode())
    host = Host()
    fake, _ = world({A: host})
    batch = deliveries(mx_route("example.net"), "b@example.net")
    assert isinstance(carry(fake, batch, sent=japanese)["b@example.net"], Delivered)
    assert any("BODY=8BITMIME" in line for line in host.log)
    fake, _ = world({A: Host(EHLO=b"250 mx\r\n")})
    end = carry(fake, batch, sent=japanese)["b@example.net"]
    assert isinstance(end, Failed) and "5.6.3" == end.reply.status


def test_a_letter_in_a_file() -> None:
    """A large body is read in blocks from its file; a file that is gone defers, and nothing half is sent."""
    body = b"Subject: large\r\n\r\n" + b"0123456789abcdef\r\n" * 40_000
    host = Host()
    fake, _ = world({A: host, B: Host()})
    fake.disk.make_folders("/bodies")
    fake.disk.write_new("/bodies/m1", (body,))
    batch = deliveries(mx_route("example.net"), "b@example.net")
    plain = letter(body)
    filed = Letter(plain.message, plain.envelope, plain.head, (), "/bodies/m1")
    assert isinstance(carry(fake, batch, sent=filed)["b@example.net"], Delivered)
    assert [plain.head + body] == host.taken
    gone = Letter(plain.message, plain.envelope, plain.head, (), "/bodies/m2")
    assert isinstance(carry(fake, batch, sent=gone)["b@example.net"], Deferred)
    assert 1 == len(host.taken)


def test_an_unfit_letter_fails_here() -> None:
    """A bare LF never leaves, whoever put it into the spool."""
    host = Host()
    fake, _ = world({A: host})
    batch = deliveries(mx_route("example.net"), "b@example.net")
    end = carry(fake, batch, sent=letter(b"Subject: x\n\r\n.\r\n"))["b@example.net"]
    assert isinstance(end, Failed) and "5.6.11" == end.reply.status and [] == host.taken


def test_the_null_sender() -> None:
    """A report goes out with the null path."""
    host = Host()
    fake, _ = world({A: host})
    carry(fake, deliveries(mx_route("example.net"), "b@example.net"), sent=letter(sender=None))
    assert "MAIL FROM:<> SIZE=38" in host.log


def test_new_settings_count_from_the_next_try() -> None:
    """After a reload another port is called."""
    first, second = Host(), Host()
    fake = fakes(net=FakeNet({(A, 25): lambda: first, (A, 26): lambda: second}), dns=DNS)

    async def main() -> None:
        carrier = RemoteCarrier(fake.world, config(), _no_trouble, elsewhere)
        carrier.reload(config(port=26))
        await carrier.carry(deliveries(mx_route("example.net"), "b@example.net"), letter())
        await carrier.close()

    run(main())
    assert (0, 1) == (len(first.taken), len(second.taken))
