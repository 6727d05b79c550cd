"""The queue under an operator who purges and restores while mail comes and goes: nothing lost, nothing twice.

PROOF_LETTERS, PROOF_ROUNDS and PROOF_BURST in the environment make it as large as one likes; the catalogue's
O-05 is PROOF_LETTERS=100000 PROOF_ROUNDS=100, its Q-30 PROOF_BURST=20000.
"""

import itertools
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from covers import covers
from ports import free_port

from .running import Installation
from .slowhost import SlowHost

LETTERS = int(os.environ.get("PROOF_LETTERS", "480"))
"""In the queue when the operator begins; more come while he is at it."""

ROUNDS = int(os.environ.get("PROOF_ROUNDS", "6"))
BURST = int(os.environ.get("PROOF_BURST", "1200"))
SENDERS = 4
PACE_S = 0.02
"""Between two letters of one sender while the operator is at work."""

STILL_S = 60
"""Nothing more arrives: so long nothing did."""

pytestmark = pytest.mark.timeout(300 + (LETTERS + BURST) // 20 + 20 * ROUNDS)

ANNA, BOB = "anna@example.com", "bob@example.com"


@pytest.fixture
def host() -> Iterator[tuple[SlowHost, int]]:
    host, port = SlowHost(0.02), free_port()
    host.start("127.0.0.1", port)
    yield host, port
    host.stop()


def installed(folder: Path, port: int) -> Installation:
    extra = f'[outbound.smarthost]\nhost = "[127.0.0.1]:{port}"\n[guard]\nenabled = false\n'
    site = Installation(folder / "site", extra=extra)
    site.add_account(ANNA)
    site.add_account(BOB)
    return site


def names_of(who: str, count: int) -> list[str]:
    return [f"{who}{number}" for number in range(count)]


def send(site: Installation, account: str, names: Iterable[str]) -> Iterator[str]:
    """The names of the letters that were accepted."""
    with site.signed_in(account) as client:
        for name in names:
            client.sendmail(account, [f"{name}@far.example"], "Subject: x\r\n\r\nx\r\n")
            yield name


class Flow:
    """Senders of two accounts: some fill the queue, then each sends on until told to stop."""

    def __init__(self, site: Installation) -> None:
        self._site = site
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.accepted: list[str] = []

    def fill(self, count: int) -> None:
        for number in range(SENDERS):
            names = names_of(f"f{number}x", count // SENDERS)
            self._begin((ANNA, BOB)[number % 2], names)
        self._join()

    def go_on(self) -> None:
        for account in (ANNA, BOB):
            self._begin(account, self._paced(account.partition("@")[0]))

    def stop(self) -> None:
        self._stopping.set()
        self._join()

    def _paced(self, who: str) -> Iterator[str]:
        numbers = itertools.count()
        while not self._stopping.wait(PACE_S):
            yield f"{who}{next(numbers)}"

    def _begin(self, account: str, names: Iterable[str]) -> None:
        thread = threading.Thread(target=lambda: self.accepted.extend(send(self._site, account, names)))
        thread.start()
        self._threads.append(thread)

    def _join(self) -> None:
        for thread in self._threads:
            thread.join()
        self._threads = []


@covers("T-02")
@covers("O-05")
def test_purges_and_restores_while_mail_flows(tmp_path: Path, host: tuple[SlowHost, int]) -> None:
    """Rounds of purge, restore and release under injection and delivery: at the end every letter has arrived
    exactly once."""
    sink, port = host
    site = installed(tmp_path, port)
    with site.serving():
        sink.held = True
        flow = Flow(site)
        flow.fill(LETTERS)
        sink.held, began = False, len(sink.taken)
        flow.go_on()
        for _ in range(ROUNDS):
            round_of(site)
        delivered = len(sink.taken) - began
        flow.stop()
        sink.takes_s = 0
        for _ in range(3):  # what a round has left held: its restore came after the release of another
            site.run("queue", "release", "--sender", "@example.com", "--yes", "--json")
        drain(site, sink)
        assert "0 deliveries" in site.run("queue", "list", "--state", "purged")
    assert LETTERS + ROUNDS < len(flow.accepted) and 0 < delivered  # mail did flow meanwhile
    arrived = Counter(recipient.partition("@")[0] for recipient in sink.taken)
    assert set(flow.accepted) == set(arrived)
    assert [] == [name for name, times in arrived.items() if times > 1]


def round_of(site: Installation) -> None:
    said = site.run("queue", "purge", "--sender", "@example.com", "--yes", "--json")
    action = re.search(r'"action":"(\w+)"', said)
    if action:
        site.run("queue", "restore", "--held-by", action[1], "--yes", "--json")
    site.run("queue", "release", "--sender", "@example.com", "--yes", "--json")


def drain(site: Installation, sink: SlowHost) -> None:
    """Until nothing is left in the queue."""
    taken, since = len(sink.taken), time.monotonic()
    while site.run("queue", "list").splitlines()[-1].startswith("0 ") is False:
        if len(sink.taken) != taken:
            taken, since = len(sink.taken), time.monotonic()
        assert time.monotonic() - since < STILL_S, site.run("queue", "list", "--by", "state")
        time.sleep(0.2)


class Injection:
    """Senders that inject letters as fast as they go, and a watch over what arrives meanwhile."""

    def __init__(self, site: Installation, name: str) -> None:
        self.injected = 0
        self._site = site
        self._threads = [
            threading.Thread(target=self._send, args=(names_of(f"{name}{number}x", BURST // SENDERS),))
            for number in range(SENDERS)
        ]

    def _send(self, names: list[str]) -> None:
        for _ in send(self._site, BOB, names):
            self.injected += 1  # one more or less does not matter

    def run(self, sink: SlowHost) -> float:
        """Most seconds in which letters were injected all the while and none arrived."""
        moved, longest, before, seen = time.monotonic(), 0.0, len(sink.taken), 0
        for thread in self._threads:
            thread.start()
        while any(thread.is_alive() for thread in self._threads):
            time.sleep(0.02)
            if len(sink.taken) != before or self.injected == seen:
                before, moved = len(sink.taken), time.monotonic()
            seen = self.injected
            longest = max(longest, time.monotonic() - moved)
        return longest


@covers("Q-30")
def test_a_burst_does_not_stop_delivery(tmp_path: Path, host: tuple[SlowHost, int]) -> None:
    """While letters are injected as fast as they go, delivery runs at a quarter of its later rate or more,
    and never stands still for two seconds. What else this machine does may spoil a burst, but not three."""
    sink, port = host
    site = installed(tmp_path, port)
    with site.serving():
        found = []
        for number in range(3):
            found.append(burst(site, sink, f"b{number}x"))
            if found[-1] == (True, True):
                return
    raise AssertionError(f"(goes on, is fast enough): {found}")


def burst(site: Installation, sink: SlowHost, name: str) -> tuple[bool, bool]:
    """Whether delivery went on during the burst, and whether it was fast enough."""
    count, first, began = BURST // SENDERS * SENDERS, len(sink.taken), time.monotonic()
    longest = Injection(site, name).run(sink)
    during, injected_s = len(sink.taken) - first, time.monotonic() - began
    after_s = sink.wait_for(first + count, 120)
    left = count - during
    return longest <= 2, left < 50 or during / injected_s >= 0.25 * left / after_s
