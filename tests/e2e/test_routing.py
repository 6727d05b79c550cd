"""Where a real server takes mail: relay and hub on loopback, what they are told on the wire, and what
strangers may not do through them.
"""

import asyncio
import json
import smtplib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from covers import covers
from nameserver import NameServer
from sekisho.lab.sink import Sink, SinkMessage
from sekisho.model.verdict import Reply

from .running import Installation

ZONE: dict[tuple[str, str], Any] = {
    ("relay.example.net", "MX"): ["10 in.example.net."],
    ("hub.example.net", "MX"): ["10 in.example.net."],
    ("in.example.net", "A"): ["127.0.0.21"],
    ("home.example.net", "A"): ["127.0.0.1"],
    ("back.example.net", "MX"): ["10 mx.example.com."],
}
SOURCE = 'local_relay = "smtp:relay.example.net"\nexact = true\nspellings = true\n'
HUB_STICKY = 'mail_hub = "smtp:hub.example.net"\nexact = true\nstickyhost = true\nspellings = true\n'
LETTER = b"From: x@remote.example\r\nTo: Taro@example.com\r\nSubject: hello\r\n\r\nhello\r\n"


class Elsewhere:
    """A sink at 127.0.0.21 and a name server. `known` are the users it has; None: everybody."""

    def __init__(self, port: int) -> None:
        self.known: set[str] | None = None
        self.later = False
        self._port = port
        self.sink = Sink(self._refuse)
        self._loop = asyncio.new_event_loop()
        self._names = NameServer(ZONE)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.dns = self._call(self._start(port))

    async def _start(self, port: int) -> int:
        await self.sink.start("127.0.0.21", port)
        return await self._names.start()

    def _refuse(self, recipient: str) -> Reply | None:
        if self.later:
            return Reply(450, "4.7.1", "greylisted")
        if self.known is None or recipient in self.known:
            return None
        return Reply(550, "5.1.1", "no such user")

    def _call(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def wait_for(self, count: int) -> list[SinkMessage]:
        deadline = time.monotonic() + 60
        while len(self.sink.messages) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        assert count == len(self.sink.messages)
        return list(self.sink.messages)

    def close(self) -> None:
        """The host is down."""
        self._call(self.sink.stop())

    def open(self) -> None:
        self._call(self.sink.start("127.0.0.21", self._port))

    def stop(self) -> None:
        async def end() -> None:
            await self.sink.stop()
            self._names.stop()

        self._call(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()


@contextmanager
def routed(folder: Path, settings: str) -> Iterator[tuple[Installation, Elsewhere]]:
    """hana has her mailbox here; the port of other hosts is that of our own listener, as in the world."""
    site = Installation(folder, extra=settings)
    there = Elsewhere(site.mx)
    lines = f"private_networks = true\nport = {site.mx}\nresolver = ['127.0.0.1:{there.dns}']\n"
    site.settings.write_text(site.settings.read_text().replace("private_networks = true\n", lines))
    site.add_account("hana@example.com")
    try:
        with site.serving():
            yield site, there
    finally:
        there.stop()


def from_outside(site: Installation, *recipients: str) -> dict[str, tuple[int, bytes]]:
    """A stranger's letter; returns who was refused."""
    with site.client() as client:
        try:
            return client.sendmail("x@remote.example", recipients, LETTER)
        except smtplib.SMTPRecipientsRefused as refused:
            return refused.recipients


@covers("M-01", "M-02", "M-03", "M-05")
@pytest.mark.parametrize(
    ("terms", "told"),
    [(SOURCE, "taro@relay.example.net"), (HUB_STICKY, "Taro@example.com")],
    ids=["source", "hub and sticky"],
)
def test_the_relay_is_told_what_sendmail_tells(tmp_path: Path, terms: str, told: str) -> None:
    """The source's recipe loses the domain, a sticky hub keeps it, letters and all; header fields stay. A
    stranger goes no further through either, whatever an address may mean to the next host."""
    with routed(tmp_path / "site", f"[routing.sendmail]\n{terms}") as (site, there):
        assert not from_outside(site, "Taro@example.com")
        (letter,) = there.wait_for(1)
        assert (told,) == letter.recipients and b"To: Taro@example.com" in letter.body
        evil = ["a@far.example", "a%far.example@example.com", "far!a@example.com", '"a@far"@example.com']
        assert {550} == {code for code, _ in from_outside(site, *evil).values()}
        assert set(evil) == set(from_outside(site, *evil))
        assert 1 == len(there.sink.messages)


@covers("M-05")
def test_whom_we_do_not_have_is_at_the_hub(tmp_path: Path) -> None:
    """Split delivery: hana here, taro there with his domain, other domains as usual, nobody twice."""
    rule = '[routing.rules.rest]\nrecipients = ["ours"]\nusers = "unknown"\nto = "mx:hub.example.net"\n'
    with routed(tmp_path / "site", rule) as (site, there):
        assert not from_outside(site, "hana@example.com", "taro@example.com")
        (letter,) = there.wait_for(1)
        assert ("taro@example.com",) == letter.recipients
        site.wait_for_letters("hana@example.com", 1)
        assert 550 == from_outside(site, "a@far.example")["a@far.example"][0]


@pytest.mark.parametrize("to", ["mx:back.example.net", "home.example.net:{mx}", "mx:gone.example.net"])
def test_a_way_that_leads_back_waits_for_the_operator(tmp_path: Path, to: str) -> None:
    """A hub that is ourselves, or is not there: nothing goes round, nothing bounces, the queue says why."""
    rule = '[routing.rules.rest]\nrecipients = ["ours"]\nusers = "unknown"\nto = "{to}"\n'
    with routed(tmp_path / "site", "") as (site, there):
        site.settings.write_text(site.settings.read_text() + rule.format(to=to.format(mx=site.mx)))
        site.stop()
        site.start()
        assert not from_outside(site, "taro@example.com")
        deadline = time.monotonic() + 60
        row: dict[str, Any] = {}
        while not row.get("last_reply") and time.monotonic() < deadline:
            time.sleep(0.1)
            row = json.loads(site.run("queue", "list", "--json").splitlines()[0])
        assert "waiting" == row["state"], row
        assert ("4.1.2" if "gone" in to else "4.4.6") in row["last_reply"], row
        assert not there.sink.messages
