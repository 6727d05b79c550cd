"""Webhooks: what is posted, how it is signed, when it is tried again, and what a restart does to it."""

import hmac
import json
from hashlib import sha256
from pathlib import Path

import pytest
from msgspec.structs import replace

from covers import covers
from guard.streams import HOTEL
from sekisho.model.config_notify import Notify, Webhook
from sekisho.service.outbox import PREFIX
from sekisho.testing.disk import FakeDisk
from sekisho.testing.net import HungUp, Silent
from sekisho.testing.world import FakeDns
from service.watch_site import HELLO, Site, play

PAGER, SECRET = "10.0.0.9", b"0123456789abcdef-secret"
DAY_S = 86_400


class Listener:
    """Takes posts, answers with a status, or hangs up."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.status = "204 No Content"
        self._buffer = b""

    def greeting(self) -> bytes:
        return b""

    def receive(self, data: bytes) -> bytes:
        self._buffer += data
        head, _, body = self._buffer.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        if len(body) < int(fields.get("Content-Length", "1")):
            return b""
        self._buffer = b""
        self.heard.append((fields | {"": head.decode().split("\r\n")[0]}, body))
        if not self.status:
            raise HungUp
        return f"HTTP/1.1 {self.status}\r\nLocation: https://evil.example/\r\n\r\n{'x' * 99}".encode()


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listener: Listener) -> Site:
    site = Site(tmp_path, monkeypatch)
    hook = Webhook("https://pager.example:8443/hook?x=1", "/keys/pager")
    site.config = replace(site.config, notify=Notify(webhooks={"pager": hook}))
    site.dns = FakeDns(addresses={"pager.example": [PAGER]})
    site.net.peers[PAGER, 8443] = lambda: listener
    site.start_again()
    keep_secret(site)
    return site


def keep_secret(site: Site, secret: bytes = SECRET) -> None:
    disk = site.fakes.disk
    assert isinstance(disk, FakeDisk)
    if disk.exists("/keys/pager"):
        disk.unlink("/keys/pager")
    disk.write_new("/keys/pager", (secret + b"\n",))


def waiting(site: Site) -> int:
    return len(site.house.states(PREFIX))


async def robbed(site: Site) -> None:
    await site.live(20)
    await site.attack()
    await site.fakes.clock.sleep(5)


@covers("F-08", partly="POP and IMAP, the account's lock in the console")
def test_an_incident_is_posted_once_and_signed(site: Site, listener: Listener) -> None:
    """The signature covers the time of the try and every byte of the body."""

    async def scene(site: Site) -> None:
        await robbed(site)
        (case,) = site.house.incidents(open_only=True)
        ((fields, body),) = listener.heard
        assert fields[""] == "POST /hook?x=1 HTTP/1.1" and fields["Host"] == "pager.example:8443"
        signed = fields["Sekisho-Timestamp"].encode() + b"." + body
        assert fields["Sekisho-Signature"] == "v1=" + hmac.new(SECRET, signed, sha256).hexdigest()
        told = json.loads(body)
        assert told["delivery"] == fields["Sekisho-Delivery"]
        keys = ("id", "account", "grade", "sentence")
        assert [case.id, HELLO, "contained", str(case.sentence)] == [told["incident"][key] for key in keys]
        assert any("still has it" in note for note in told["incident"]["notes"])
        assert waiting(site) == 0
        await site.judged(lambda: site.town.login(HOTEL))
        await site.fakes.clock.sleep(60)
        assert len(listener.heard) == 1

    play(site, scene)


@pytest.mark.parametrize("status", ["", "500 No", "302 Found", "404 Gone"])
def test_a_listener_that_does_not_take_it_is_asked_again(
    site: Site, listener: Listener, status: str
) -> None:
    """With growing pauses; a redirect leads nowhere; the signature is of the new try."""

    async def scene(site: Site) -> None:
        listener.status = status
        await robbed(site)
        assert waiting(site) == 1
        await site.fakes.clock.sleep(400)
        tried = len(listener.heard)
        assert 4 <= tried <= 6
        assert len({fields["Sekisho-Delivery"] for fields, _ in listener.heard}) == 1
        assert len({fields["Sekisho-Signature"] for fields, _ in listener.heard}) == tried
        assert {PAGER} == {address for address, _ in site.net.dialled}
        listener.status = "200 OK"
        await site.fakes.clock.sleep(1000)
        assert waiting(site) == 0 and len(listener.heard) > tried
        assert [("webhook", "pager")] == [trouble[:2] for trouble in site.recording.troubles]
        site.recording.troubles.clear()

    play(site, scene)


def test_what_waits_outlives_a_restart(site: Site, listener: Listener) -> None:
    """Written down before anybody is called."""

    async def first(site: Site) -> None:
        site.net.down.add(PAGER)
        await robbed(site)
        assert waiting(site) == 1
        site.recording.troubles.clear()

    async def second(site: Site) -> None:
        site.net.down.clear()
        await site.fakes.clock.sleep(30)
        assert len(listener.heard) == 1 and waiting(site) == 0

    play(site, first)
    site.start_again()
    keep_secret(site)
    play(site, second)


def test_after_three_days_it_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the operator can read that."""
    monkeypatch.setattr("sekisho.service.watching.RHYTHM_S", 600.0)
    monkeypatch.setattr("sekisho.service.outbox.RHYTHM_S", 600.0)

    async def scene(site: Site) -> None:
        site.net.down.add(PAGER)
        await robbed(site)
        await site.fakes.clock.sleep(3 * DAY_S + 7200)
        assert waiting(site) <= 2  # reminders of this case came meanwhile
        assert any("given up" in trace for _, _, trace in site.recording.troubles)
        site.recording.troubles.clear()

    play(site, scene)


@pytest.mark.parametrize("wrong", ["certificate", "short secret"])
def test_nothing_is_posted_unverified_or_unsigned(site: Site, listener: Listener, wrong: str) -> None:
    """A certificate that is not of that name; a secret that somebody guesses."""

    async def scene(site: Site) -> None:
        if wrong == "certificate":
            site.net.certificates[PAGER] = b"somebody else's"
        else:
            keep_secret(site, b"hunter2")
        await robbed(site)
        assert listener.heard == [] and waiting(site) == 1
        assert len(site.recording.troubles) == 1 and "hunter2" not in str(site.recording.troubles)
        site.recording.troubles.clear()

    play(site, scene)


def test_a_silent_listener_holds_up_nobody(site: Site, listener: Listener) -> None:
    """Neither the containment nor another listener."""
    quiet = Webhook("https://quiet.example/", "/keys/pager")
    both = {"quiet": quiet, **site.config.notify.webhooks}
    site.config = replace(site.config, notify=Notify(webhooks=both))
    site.dns.records["addresses"] = {"pager.example": [PAGER], "quiet.example": ["10.0.0.8"]}
    site.net.peers["10.0.0.8", 443] = Silent
    site.start_again()
    keep_secret(site)

    async def scene(site: Site) -> None:
        await robbed(site)
        assert len(listener.heard) == 1
        assert site.house.planned() == []
        site.recording.troubles.clear()

    play(site, scene)


def test_the_log_has_one_line(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    """On standard error, where a service manager reads."""

    async def scene(site: Site) -> None:
        await robbed(site)
        lines = capfd.readouterr().err.splitlines()
        (line,) = [line for line in lines if line.startswith("sekisho: incident ")]
        assert ": contained: hello@example.com: " in line

    play(site, scene)
