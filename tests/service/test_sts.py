"""Other people's MTA-STS policies: found, fetched, kept, applied; and every way in which that can fail."""

from collections.abc import Callable

import pytest
from hosts import Host, config, deliveries, letter, mx_route

from sekisho.model.delivery import Deferred, Delivered, Outcome
from sekisho.model.event import Event, TlsCounted
from sekisho.service.fetching import FETCH_S
from sekisho.service.remote import RemoteCarrier
from sekisho.testing.loop import run
from sekisho.testing.net import FakeNet, Silent
from sekisho.testing.world import FakeDns, fakes

A, B, WEB = "203.0.113.1", "203.0.113.2", "203.0.113.80"
TLS_HELLO = b"250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n"
POLICY = "version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: {age}\n"
DAY_S = 86400


class Web:
    """The policy host: one answer for every request, which are counted."""

    def __init__(self, body: str, status: str = "200 OK", kind: str = "text/plain", more: str = "") -> None:
        self.answer = (
            f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}"
        )
        self.asked: list[str] = []

    def greeting(self) -> bytes:
        return b""

    def receive(self, data: bytes) -> bytes:
        self.asked.append(data.decode().split("\r\n")[0])
        return self.answer.encode()


class Town:
    """example.net with two hosts and a policy."""

    def __init__(self, web: object, hello: bytes = TLS_HELLO) -> None:
        self.first = Host(EHLO=hello, STARTTLS=b"220 go\r\n")
        self.second = Host(EHLO=hello, STARTTLS=b"220 go\r\n")
        peers = {(A, 25): lambda: self.first, (B, 25): lambda: self.second, (WEB, 443): lambda: web}
        self.net = FakeNet(peers)
        self.dns = FakeDns(
            {"example.net": [(10, "mx1.example.net"), (20, "mx2.example.net")]},
            {"mx1.example.net": [A], "mx2.example.net": [B], "mta-sts.example.net": [WEB]},
            {"_mta-sts.example.net": [b"v=STSv1; id=1;"]},
        )
        self.fake = fakes(net=self.net, dns=self.dns)
        self.fake.disk.make_folders("/state")
        self.events: list[Event] = []

    def carrier(self) -> RemoteCarrier:
        return RemoteCarrier(
            self.fake.world, config(), self.events.append, lambda _: False, policies="/state/sts.json"
        )

    async def send(self, carrier: RemoteCarrier) -> Outcome:
        (end,) = (
            await carrier.carry(deliveries(mx_route("example.net"), "b@example.net"), letter())
        ).values()
        await self.fake.clock.sleep(10)  # the session has gone
        return end

    def once(self) -> Outcome:
        async def main() -> Outcome:
            carrier = self.carrier()
            end = await self.send(carrier)
            await carrier.close()
            return end

        return run(main())

    @property
    def results(self) -> set[tuple[str, str]]:
        return {(each.policy, each.result) for each in self.events if isinstance(each, TlsCounted)}


def policy(mode: str = "enforce", mx: str = "*.example.net", age: int = DAY_S) -> str:
    return POLICY.format(mode=mode, mx=mx, age=age)


def test_a_policy_that_is_met() -> None:
    """Fetched over HTTPS, the host fits and its certificate is valid: delivered, encrypted, counted."""
    web = Web(policy())
    town = Town(web)
    assert isinstance(town.once(), Delivered)
    assert ["GET /.well-known/mta-sts.txt HTTP/1.1"] == web.asked
    assert {("sts", "")} == town.results and "STARTTLS" in town.first.log


def test_a_certificate_that_is_not_valid() -> None:
    """enforce: no letter to that host, the next one gets it; if none is left it waits, and is not bounced."""
    town = Town(Web(policy()))
    town.net.certificates[A] = b"self-signed"
    assert isinstance(town.once(), Delivered) and not town.first.taken and town.second.taken
    assert {("sts", "certificate-not-trusted"), ("sts", "")} == town.results
    town = Town(Web(policy()))
    town.net.certificates.update({A: b"self-signed", B: b"self-signed"})
    end = town.once()
    assert isinstance(end, Deferred) and "tls" == end.cause


def test_a_host_that_the_policy_does_not_name() -> None:
    """It is not even called."""
    town = Town(Web(policy(mx="mx2.example.net")))
    assert isinstance(town.once(), Delivered)
    assert (A, 25) not in town.net.dialled and 1 == len(town.second.taken)
    town = Town(Web(policy(mx="elsewhere.test")))
    assert isinstance(town.once(), Deferred) and not town.first.log


def test_a_host_without_encryption() -> None:
    """enforce: nothing goes out in the clear."""
    town = Town(Web(policy()), hello=b"250-mx\r\n250 PIPELINING\r\n")
    end = town.once()
    assert isinstance(end, Deferred) and not any("MAIL" in line for line in town.first.log)
    assert {("sts", "starttls-not-supported")} == town.results


@pytest.mark.parametrize("hello", [TLS_HELLO, b"250-mx\r\n250 PIPELINING\r\n"])
def test_testing_never_fails_mail(hello: bytes) -> None:
    """Certificate, names, no STARTTLS at all: counted, and delivered all the same."""
    town = Town(Web(policy("testing", "elsewhere.test")), hello)
    town.net.certificates.update({A: b"self-signed", B: b"self-signed"})
    assert isinstance(town.once(), Delivered) and town.first.taken
    expected = "certificate-not-trusted" if hello == TLS_HELLO else "starttls-not-supported"
    assert {("sts", expected)} == town.results


def test_mode_none() -> None:
    """As if there were no policy."""
    town = Town(Web(policy("none", "elsewhere.test")))
    town.net.certificates[A] = b"self-signed"
    assert isinstance(town.once(), Delivered) and {("no-policy-found", "")} == town.results


BROKEN: list[tuple[Callable[[], object], str]] = [
    (lambda: Web("", "301 Moved", more="Location: https://evil.test/\r\n"), "sts-policy-fetch-error"),
    (lambda: Web(policy(), "404 Not Found"), "sts-policy-fetch-error"),
    (lambda: Web(policy(), kind="text/html"), "sts-policy-fetch-error"),
    (lambda: Web(policy() + "x" * 65536), "sts-policy-fetch-error"),
    (lambda: Web("hello"), "sts-policy-invalid"),
    (Silent, "sts-policy-fetch-error"),
]


@pytest.mark.parametrize(("web", "result"), BROKEN)
def test_a_policy_that_cannot_be_had(web: Callable[[], object], result: str) -> None:
    """Redirects, other types, too large, nonsense, silence: no policy; mail goes out, and it is counted."""
    town = Town(web())
    assert isinstance(town.once(), Delivered)
    assert ("sts", result) in town.results and not any(place[1] != 25 for place in town.net.dialled[1:])


def test_a_policy_host_with_a_wrong_certificate() -> None:
    """What it says is not read."""
    web = Web(policy(mx="elsewhere.test"))
    town = Town(web)
    town.net.certificates[WEB] = b"self-signed"
    assert isinstance(town.once(), Delivered)
    assert [] == web.asked and ("sts", "sts-webpki-invalid") in town.results


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "0.0.0.0"])
def test_a_policy_host_inside(address: str) -> None:
    """A stranger's DNS leads nobody into our network, for a policy no more than for mail."""
    town = Town(Web(policy()))
    town.dns.records["addresses"]["mta-sts.example.net"] = [address]  # type: ignore[index]
    assert isinstance(town.once(), Delivered)
    assert not any(port == 443 for _, port in town.net.dialled)


def test_what_is_kept() -> None:
    """The same id is not fetched again, a new one is; what cannot be fetched is not asked for at once."""
    web = Web(policy())
    town = Town(web)

    async def main() -> None:
        carrier = town.carrier()
        for _ in range(3):
            await town.send(carrier)
        assert 1 == len(web.asked)
        town.dns.records["txt"]["_mta-sts.example.net"] = [b"v=STSv1; id=2;"]  # type: ignore[index]
        await town.send(carrier)
        assert 2 == len(web.asked)
        web.answer = "HTTP/1.1 500 Oops\r\n\r\n"
        town.dns.records["txt"]["_mta-sts.example.net"] = [b"v=STSv1; id=3;"]  # type: ignore[index]
        for _ in range(3):
            await town.send(carrier)
        assert 3 == len(web.asked)
        await town.fake.clock.sleep(301)
        await town.send(carrier)
        assert 4 == len(web.asked)
        await carrier.close()

    run(main())


@pytest.mark.parametrize("lost", ["dns", "record", "web", "restart"])
def test_a_kept_policy_outlives_what_announced_it(lost: str) -> None:
    """RFC 8461 5.1: until its time is over it counts, without DNS, without the web, after a restart; who has
    stolen the domain's DNS cannot take it away.
    """
    town = Town(Web(policy(age=DAY_S)))

    async def main() -> None:
        carrier = town.carrier()
        assert isinstance(await town.send(carrier), Delivered)
        town.net.certificates.update({A: b"stolen", B: b"stolen"})
        if lost == "dns":
            town.dns.fail.add("txt _mta-sts.example.net")
        if lost == "record":
            town.dns.records["txt"]["_mta-sts.example.net"] = []  # type: ignore[index]
        if lost == "web":
            town.dns.records["txt"]["_mta-sts.example.net"] = [b"v=STSv1; id=2;"]  # type: ignore[index]
            del town.net.peers[WEB, 443]
        if lost == "restart":
            await carrier.close()
            carrier = town.carrier()
            town.dns.fail.add("txt _mta-sts.example.net")
        assert isinstance(await town.send(carrier), Deferred)
        await town.fake.clock.sleep(DAY_S)
        town.dns.records["txt"]["_mta-sts.example.net"] = []  # type: ignore[index]
        town.dns.fail.clear()
        assert isinstance(await town.send(carrier), Delivered)
        await carrier.close()

    run(main())


def test_max_age_0() -> None:
    """It counts for this letter, and is fetched anew for the next session."""
    web = Web(policy(age=0))
    town = Town(web)

    async def main() -> None:
        carrier = town.carrier()
        for _ in range(2):
            assert isinstance(await town.send(carrier), Delivered)
        assert 2 == len(web.asked)
        await carrier.close()

    run(main())


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"example.net": 1}', b"\xff" * 100])
def test_a_file_that_is_no_memory(content: bytes) -> None:
    """Policies can be fetched again."""
    town = Town(Web(policy()))
    town.fake.disk.write_new("/state/sts.json", (content,))
    assert isinstance(town.once(), Delivered) and {("sts", "")} == town.results


def test_a_tarpit_for_policies_costs_its_own_domain_only() -> None:
    """A hundred letters to it wait for one fetch; another domain is served meanwhile."""
    town = Town(Silent())
    town.net.peers[A, 25] = Host
    town.dns.records["mx"]["other.test"] = [(10, "mx2.example.net")]  # type: ignore[index]

    async def main() -> None:
        carrier = town.carrier()
        spawn = town.fake.spawn
        ends: list[Outcome] = []

        async def one(number: int) -> None:
            batch = deliveries(mx_route("example.net"), f"b{number}@example.net")
            ends.extend((await carrier.carry(batch, letter())).values())

        for number in range(100):
            spawn.task("letter", one(number))
        await carrier.carry(deliveries(mx_route("other.test"), "b@other.test"), letter())
        assert [] == ends and 1 == len(town.second.taken) and town.fake.clock.ticks() < 1_000_000
        await town.fake.clock.sleep(FETCH_S + 30)
        assert 100 == len(ends) and 1 == sum(port == 443 for _, port in town.net.dialled)
        await carrier.close()

    run(main())
