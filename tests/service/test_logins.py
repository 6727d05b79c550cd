"""Our passwords at smarthosts: how they go out, when they do not, and what the operator hears."""

import hashlib
import hmac
from base64 import b64decode, b64encode

import pytest
from hosts import Host, config, deliveries, letter, relay_route

from sekisho.model.config import Config, Smarthost
from sekisho.model.delivery import Deferred, Delivered, Outcome, Tls
from sekisho.model.event import Event, Troubled
from sekisho.queue.limits import destination
from sekisho.queue.routes import smarthost_route
from sekisho.service.remote import RemoteCarrier
from sekisho.testing.loop import run
from sekisho.testing.net import FakeNet
from sekisho.testing.world import fakes

A = "203.0.113.1"
PASSWORD = b"s3cret"


def tls_host(mechanisms: str = "PLAIN LOGIN", **answers: object) -> Host:
    """Offers STARTTLS and a login; the fake handshake always succeeds."""
    hello = f"250-mx\r\n250-PIPELINING\r\n250-AUTH {mechanisms}\r\n250 STARTTLS\r\n".encode()
    ordinary = {"EHLO": hello, "STARTTLS": b"220 go\r\n", "AUTH": b"235 2.7.0 welcome\r\n"}
    return Host(**(ordinary | answers))  # type: ignore[arg-type]


class Relay:
    """A smarthost that wants a password, and letters for it."""

    def __init__(
        self, host: object, tls: Tls = Tls.REQUIRED, password: bytes | None = PASSWORD + b"\n"
    ) -> None:
        self.events: list[Event] = []
        self.fake = fakes(net=FakeNet({(A, 25): lambda: host}))
        self.fake.disk.make_folders("/keys")
        if password is not None:
            self.fake.disk.write_new("/keys/relay", (password,))
        self._tls = tls
        where = f"[{A}]:25"
        self.config: Config = config(
            smarthost=Smarthost(host=where, tls=tls.value, user="me", password_file="/keys/relay")
        )
        self.batch = deliveries(relay_route(where, tls, "smarthost"), "b@example.net")

    def send(self, count: int = 1, wait_s: float = 0) -> list[Outcome]:
        async def main() -> list[Outcome]:
            carrier = RemoteCarrier(self.fake.world, self.config, self.events.append, lambda _: False)
            ends = []
            for _ in range(count):
                ends += (await carrier.carry(self.batch, letter())).values()
                await self.fake.clock.sleep(wait_s)
            await carrier.close()
            return ends

        return run(main())

    @property
    def alarms(self) -> list[tuple[str, str]]:
        return [(each.about, each.trace) for each in self.events if isinstance(each, Troubled)]


@pytest.mark.parametrize("tls", [Tls.REQUIRED, Tls.VERIFY, Tls.OPPORTUNISTIC])
def test_a_smarthost_with_a_password(tls: Tls) -> None:
    """Encrypted first, then the login, then the letter."""
    host = tls_host()
    relay = Relay(host, tls)
    assert isinstance(relay.send()[0], Delivered) and [] == relay.alarms
    assert ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL"] == [line.split()[0] for line in host.log][:5]
    assert b64encode(b"\0me\0" + PASSWORD).decode() == host.log[3].split()[2]


@pytest.mark.parametrize(
    ("host", "reply"),
    [
        (tls_host(AUTH=b"535 5.7.8 wrong\r\n"), "535 5.7.8 wrong"),
        (tls_host(AUTH=b"454 4.7.0 later\r\n"), "454 4.7.0 later"),
        (tls_host("GSSAPI"), "451 4.7.0 the server offers no login that we know"),
        (tls_host("SCRAM-SHA-256", AUTH=b"235 fine\r\n"), "451 4.7.0 the server could not prove"),
    ],
)
def test_a_refused_login_bounces_nothing(host: Host, reply: str) -> None:
    """It is the operator's to mend, who is told once an hour, and hears of it again after a success."""
    relay = Relay(host)
    ends = relay.send(3, wait_s=60)
    assert all(isinstance(end, Deferred) for end in ends)
    assert not any(line.startswith("MAIL") for line in host.log)
    ((about, why),) = relay.alarms
    assert A == about and why.startswith(reply)
    assert 3 == len(Relay(host).send(3, wait_s=3601)) and PASSWORD.decode() not in str(relay.events)


def test_an_alarm_every_hour() -> None:
    """As long as the login is refused."""
    relay = Relay(tls_host(AUTH=b"535 no\r\n"))
    relay.send(3, wait_s=3601)
    assert 3 == len(relay.alarms)


@pytest.mark.parametrize("tls", [Tls.NONE, Tls.OPPORTUNISTIC, Tls.REQUIRED])
def test_no_password_without_encryption(tls: Tls) -> None:
    """Not where STARTTLS is missing, refused or broken, whatever the settings say: deferred."""
    for host in (
        Host(EHLO=b"250-mx\r\n250 AUTH PLAIN\r\n", AUTH=b"235 ok\r\n"),
        tls_host(STARTTLS=b"454 4.7.0 not now\r\n"),
    ):
        assert isinstance(Relay(host, tls).send()[0], Deferred)
        assert not any(line.startswith(("AUTH", "MAIL")) for line in host.log)


def test_a_password_file_that_is_not_there() -> None:
    """Deferred, the reply names the file, and the operator is told."""
    relay = Relay(tls_host(), password=None)
    (end,) = relay.send()
    assert isinstance(end, Deferred) and "/keys/relay" in end.reply.text
    assert ["/keys/relay"] == [about for about, _ in relay.alarms]


def test_named_smarthosts_have_their_own_logins() -> None:
    """Two names at one host are two logins, never mixed; one that the settings do not name any more waits."""
    host = tls_host()
    relay = Relay(host)
    relay.fake.disk.write_new("/keys/bulk", (b"other\n",))
    where = f"[{A}]:25"
    named = {
        name: Smarthost(host=where, tls="required", user=name, password_file=f"/keys/{name}")
        for name in ("relay", "bulk")
    }
    relay.config = config(smarthosts=named)
    routes = [smarthost_route(relay.config.outbound, name) for name in ("relay", "bulk", "gone")]
    assert routes[2] is None and routes[0] and routes[1]
    assert routes[0].lane != routes[1].lane and destination(routes[0].lane) == A
    for route in routes[:2]:
        relay.batch = deliveries(route, "b@example.net")
        assert isinstance(relay.send()[0], Delivered)
    said = [b64decode(line.split()[2]) for line in host.log if line.startswith("AUTH PLAIN ")]
    assert [b"\0relay\0s3cret", b"\0bulk\0other"] == said
    relay.config = config()
    (end,) = relay.send()
    assert isinstance(end, Deferred) and "smarthost:bulk" in end.reply.text


class ScramHost(Host):
    """Proves and checks as RFC 5802 says, with a password of its own."""

    def __init__(self, password: bytes) -> None:
        hello = b"250-mx\r\n250-AUTH PLAIN SCRAM-SHA-256\r\n250 STARTTLS\r\n"
        super().__init__(EHLO=hello, STARTTLS=b"220 go\r\n")
        self._key = hashlib.pbkdf2_hmac("sha256", password, b"salt", 4096)
        self._first = self._said = self._expects = ""

    def _next(self) -> bytes | None:
        line, found, rest = self._buffer.partition(b"\r\n")
        if self._in_body or not found or not (line.startswith(b"AUTH ") or self._expects):
            return super()._next()
        self._buffer = rest
        return self._exchange(line.removeprefix(b"AUTH SCRAM-SHA-256 "))

    def _exchange(self, line: bytes) -> bytes:
        words = b64decode(line).decode()
        if not self._expects:
            self._first = words.removeprefix("n,,")
            nonce = self._first.partition("r=")[2]
            self._said = f"r={nonce}server,s={b64encode(b'salt').decode()},i=4096"
            self._expects = "proof"
            return b"334 " + b64encode(self._said.encode()) + b"\r\n"
        if self._expects == "proof":
            bare, _, proof = words.rpartition(",p=")
            message = f"{self._first},{self._said},{bare}".encode()
            client = hmac.digest(self._key, b"Client Key", "sha256")
            signature = hmac.digest(hashlib.sha256(client).digest(), message, "sha256")
            if b64decode(proof) != bytes(a ^ b for a, b in zip(client, signature, strict=True)):
                self._expects = ""
                return b"535 5.7.8 wrong\r\n"
            server = hmac.digest(hmac.digest(self._key, b"Server Key", "sha256"), message, "sha256")
            self._expects = "nothing"
            return b"334 " + b64encode(b"v=" + b64encode(server)) + b"\r\n"
        self._expects = ""
        return b"235 2.7.0 welcome\r\n"


def test_scram_is_preferred() -> None:
    """The password does not leave this machine, and both sides prove that they know it."""
    host = ScramHost(PASSWORD)
    assert isinstance(Relay(host).send()[0], Delivered) and 1 == len(host.taken)
    other = ScramHost(b"another")
    relay = Relay(other)
    assert isinstance(relay.send()[0], Deferred) and "535" in relay.alarms[0][1]
