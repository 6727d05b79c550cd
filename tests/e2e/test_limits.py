"""A slow destination with a limit beside a fast one, and limits that are changed while the server runs."""

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from covers import covers
from nameserver import NameServer
from ports import free_port
from waiting import until

from .running import Installation
from .slowhost import SlowHost

ACCOUNT = "anna@example.com"
LETTERS = 200
ZONE = {
    ("slow.test", "MX"): ["10 mx.slow.test."],
    ("mx.slow.test", "A"): ["127.0.0.21"],
    ("fast.test", "MX"): ["10 mx.fast.test."],
    ("mx.fast.test", "A"): ["127.0.0.22"],
    ("one.test", "MX"): ["10 mx.slow.test."],
    ("two.test", "MX"): ["10 mx.slow.test."],
}
LIMITED = """
[queue.limits."slow.test"]
concurrency = 3
[guard]
enabled = false
"""
RAISED = LIMITED.replace("concurrency = 3", "concurrency = 9")
SHARED = """
[queue.limits."*.slow.test"]
concurrency = 4
[guard]
enabled = false
"""


class Outside:
    """The slow host, the fast one, and the name server."""

    def __init__(self, takes_s: float) -> None:
        self.slow, self.fast = SlowHost(takes_s), SlowHost(0)
        port = free_port()
        self.slow.start("127.0.0.21", port)
        self.fast.start("127.0.0.22", port)
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        names = asyncio.run_coroutine_threadsafe(NameServer(ZONE).start(), self._loop).result(60)
        self.lines = f"port = {port}\nresolver = ['127.0.0.1:{names}']\n"

    def stop(self) -> None:
        self.slow.stop()
        self.fast.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)


@pytest.fixture
def outside() -> Iterator[Outside]:
    outside = Outside(takes_s=0.2)
    yield outside
    outside.stop()


def send(site: Installation, *domains: str, letters: int) -> None:
    with site.signed_in(ACCOUNT) as client:
        for number in range(letters):
            for domain in domains:
                client.sendmail(ACCOUNT, [f"x{number}@{domain}"], "Subject: x\r\n\r\nx\r\n")


def reload(site: Installation, extra: str) -> None:
    text = site.settings.read_text().partition("\n[queue.limits.")[0]
    site.settings.write_text(text + extra)
    assert site.server is not None
    os.kill(site.server.pid, signal.SIGHUP)


@covers("Q-05")
def test_a_slow_destination_gets_no_more_than_its_limit(tmp_path: Path, outside: Outside) -> None:
    """200 letters for each: never more than three connections to the slow one, the fast one done before the
    slow one has taken a single letter; a raised limit holds at once, without a restart."""
    site = Installation(tmp_path / "site", outbound=outside.lines, extra=LIMITED)
    site.add_account(ACCOUNT)
    outside.slow.held = True
    with site.serving():
        send(site, "slow.test", "fast.test", letters=LETTERS)
        outside.fast.wait_for(LETTERS, 60)
        assert sorted(f"x{number}@fast.test" for number in range(LETTERS)) == sorted(outside.fast.taken)
        assert (3, []) == (outside.slow.most, outside.slow.taken)
        reload(site, RAISED)
        until(lambda: outside.slow.open > 3)  # before the letters under way have ended
        assert outside.slow.open <= 9 and [] == outside.slow.taken
        outside.slow.held = False
        site.run("queue", "purge", "--recipient", "@slow.test", "--yes")
    assert outside.slow.most <= 9


@covers("Q-05")
def test_two_domains_share_the_limit_of_their_host(tmp_path: Path, outside: Outside) -> None:
    """Both are served in turn by the same MX host, over four connections; the queue says who waits."""
    site = Installation(tmp_path / "site", outbound=outside.lines, extra=SHARED)
    site.add_account(ACCOUNT)
    with site.serving():
        outside.slow.held = True
        send(site, "one.test", letters=30)
        send(site, "two.test", letters=10)
        until(lambda: outside.slow.open == 4)
        outside.slow.held = False
        outside.slow.wait_for(40, 60)
        assert 4 == outside.slow.most
        last = [recipient.partition("@")[2] for recipient in outside.slow.taken].index("two.test")
        assert last < 30, "the second domain does not wait for the end of the first"
        until(lambda: not site.run("queue", "list", "--json").splitlines())
