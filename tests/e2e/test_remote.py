"""A real server that sends to the outside: MX answers of a real name server, sinks on loopback, real
bounces.
"""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import dns.rcode
import pytest

from covers import covers
from nameserver import NameServer
from sekisho.lab.sink import Rules, Sink
from sekisho.model.verdict import Reply

from .running import Installation

WRITER = "hana@example.com"
NAMES = ("busy.test", "no.test", "yes.test", "never.test")
ADDRESSES = {name: f"127.0.0.{place}" for place, name in enumerate(NAMES, 11)}
HELLO = Reply(220, "", "hello")
GREETINGS = {
    "busy.test": Reply(421, "4.3.2", "busy"),
    "no.test": Reply(554, "5.7.1", "not you"),
    "never.test": Reply(554, "", "never"),
}
LONG = [f"{number} mail-exchange-with-a-very-long-name-{number:03d}.big.test." for number in range(11, 130)]
ZONE: dict[tuple[str, str], Any] = {
    ("second.test", "MX"): ["10 busy.test.", "20 yes.test."],
    ("third.test", "MX"): ["10 busy.test.", "20 no.test.", "30 yes.test."],
    ("refusing.test", "MX"): ["10 no.test.", "20 never.test."],
    ("null.test", "MX"): ["0 ."],
    ("big.test", "MX"): ["1 yes.test.", *LONG],
    ("loop.test", "MX"): ["10 mx.example.com."],
    ("home.test", "MX"): ["10 home.test."],
    ("home.test", "A"): ["127.0.0.1"],
    ("down.test", "MX"): dns.rcode.SERVFAIL,
    ("gone.test", "MX"): dns.rcode.NXDOMAIN,
    **{(name, "A"): [address] for name, address in ADDRESSES.items()},
}
BIG = b"Subject: large\r\n\r\n" + (b"z" * 76 + b"\r\n") * 67_000


def refuse(recipient: str) -> Reply | None:
    return Reply(550, "5.1.1", "no such user") if recipient.startswith("nobody") else None


class Outside:
    """Sinks and the name server in a thread of their own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._loop = asyncio.new_event_loop()
        self.sinks = {name: Sink(refuse, Rules(greeting=GREETINGS.get(name, HELLO))) for name in NAMES}
        self.names = NameServer(ZONE)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> int:
        """The port of the name server."""
        self._thread.start()
        return asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(60)

    async def _start(self) -> int:
        for name, sink in self.sinks.items():
            await sink.start(ADDRESSES[name], self._port)
        return await self.names.start()

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    async def _stop(self) -> None:
        for sink in self.sinks.values():
            await sink.stop()
        self.names.stop()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, Outside]]:
    """One server for the file; remote port is the port of its own mx listener, so that it could call
    itself.
    """
    # The guard would ask why nearly all recipients of this account are refused; here that is the point.
    site = Installation(tmp_path_factory.mktemp("remote"), extra="[guard]\nenabled = false\n")
    outside = Outside(site.mx)
    lines = f"private_networks = true\nport = {site.mx}\nresolver = ['127.0.0.1:{outside.start()}']\n"
    site.settings.write_text(site.settings.read_text().replace("private_networks = true\n", lines))
    site.add_account(WRITER)
    with site.serving():
        yield site, outside
    outside.stop()


def send(site: Installation, recipient: str, letter: bytes = b"Subject: far\r\n\r\nhello\r\n") -> None:
    with site.signed_in(WRITER) as client:
        client.sendmail(WRITER, [recipient], letter)


def bounced(site: Installation, recipient: str, letter: bytes = b"Subject: far\r\n\r\nhello\r\n") -> bytes:
    """Sends, and waits for the report on it in the writer's mailbox."""
    before = len(site.letters(WRITER))
    send(site, recipient, letter)
    reports = site.wait_for_letters(WRITER, before + 1)
    (report,) = [each for each in reports if b"Final-Recipient: rfc822; " + recipient.encode() in each]
    return report


def arrived(outside: Outside, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(outside.sinks["yes.test"].messages) < count and time.monotonic() < deadline:
        time.sleep(0.02)
    assert count == len(outside.sinks["yes.test"].messages)


@covers("Q-20")
@pytest.mark.parametrize("domain", ["second.test", "third.test"])
def test_the_next_exchange_takes_it(site: tuple[Installation, Outside], domain: str) -> None:
    """MX10 greets 421 (and MX20 554): the next one gets the letter, in the same try."""
    server, outside = site
    before = len(outside.sinks["yes.test"].messages)
    send(server, f"anna@{domain}")
    arrived(outside, before + 1)
    message = outside.sinks["yes.test"].messages[-1]
    assert (WRITER, (f"anna@{domain}",)) == (message.sender, message.recipients)
    assert message.body.startswith(b"Received: ") and message.body.endswith(b"\r\n\r\nhello\r\n")


@covers("Q-20")
def test_both_refuse(site: tuple[Installation, Outside]) -> None:
    """Two 554 greetings: the bounce has both replies."""
    report = bounced(site[0], "anna@refusing.test")
    words = b" ".join(report.split())
    assert b"554 5.7.1 not you" in words and b"never.test[127.0.0.14]: 554 never" in words


@covers("Q-06", "Q-36")
def test_a_large_answer(site: tuple[Installation, Outside]) -> None:
    """An MX answer of 6 KB comes over TCP, and the letter arrives."""
    server, outside = site
    before = len(outside.sinks["yes.test"].messages)
    send(server, "anna@big.test")
    arrived(outside, before + 1)
    assert ("big.test", "MX", "tcp") in outside.names.asked
    assert not any(kind == "ANY" for _, kind, _ in outside.names.asked)


@covers("Q-06", "Q-36")
def test_servfail_waits(site: tuple[Installation, Outside]) -> None:
    """The letter stays queued, with the reason; nothing bounces."""
    server, _ = site
    send(server, "anna@down.test")
    deadline = time.monotonic() + 60
    rows: list[dict[str, Any]] = []
    while time.monotonic() < deadline and not any(row.get("last_reply") for row in rows):
        time.sleep(0.1)
        shown = server.run("queue", "list", "--recipient", "anna@down.test", "--json")
        rows = [json.loads(line) for line in shown.splitlines() if line.startswith("{")]
    assert rows and "4.4.3" in rows[0]["last_reply"]


@pytest.mark.parametrize(
    ("recipient", "status"),
    [
        ("anna@null.test", b"5.1.10"),
        ("anna@gone.test", b"5.1.2"),
        ("anna@loop.test", b"5.4.6"),
        ("anna@home.test", b"5.4.6"),
        ("anna@[127.0.0.1]", b"5.4.6"),
        ("nobody@second.test", b"5.1.1"),
    ],
)
@covers("Q-12")
def test_what_comes_back_at_once(site: tuple[Installation, Outside], recipient: str, status: bytes) -> None:
    """Null MX, no domain, ourselves by name and by address, an unknown user: a report, without a call to
    us.
    """
    assert b"Status: " + status + b"\n" in bounced(site[0], recipient).replace(b"\r\n", b"\n")


@covers("Q-16")
def test_a_large_letter_comes_back_small(site: tuple[Installation, Outside]) -> None:
    """Of 5 MB only the head returns, with the three parts of RFC 6522."""
    report = bounced(site[0], "nobody@third.test", BIG)
    assert len(report) < 50_000
    assert b"multipart/report" in report and b"text/rfc822-headers" in report
    assert b"Subject: large" in report and b"zzzz" not in report
