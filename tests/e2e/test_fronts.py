"""Two fronts behind one port: both take mail, a reload and the death of one of them lose nothing."""

import contextlib
import json
import os
import signal
import smtplib
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.running import Installation, free_port, queue_id

BOB = "bob@example.com"
SENDERS = 8
PATIENCE_S = 60


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Installation]:
    site = Installation(
        tmp_path, processes="split", outbound=f"hosts = {{ 'far.example' = '[127.0.0.1]:{free_port()}' }}"
    )
    text = site.settings.read_text()
    site.settings.write_text(text.replace('processes = "split"', 'processes = "split"\nfronts = 2'))
    site.add_account(BOB)
    with site.serving():
        yield site


class Crowd:
    """Clients that send all the time, each on its own connections, and remember what they were promised."""

    def __init__(self, site: Installation) -> None:
        self._site = site
        self._over = threading.Event()
        self._lock = threading.Lock()
        self.promised: list[str] = []
        self.refused: list[str] = []
        self._threads = [threading.Thread(target=self._send, args=(n,)) for n in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def _send(self, number: int) -> None:
        while not self._over.is_set():
            with contextlib.suppress(OSError, smtplib.SMTPServerDisconnected), self._site.client() as client:
                client.ehlo()
                for _ in range(5):
                    for code, said in (client.mail(f"x{number}@far.example"), client.rcpt(BOB)):
                        assert code == 250, said
                    code, said = client.data("Subject: x\r\n\r\nx\r\n")
                    with self._lock:
                        if code == 250:
                            self.promised.append(queue_id(said))
                        else:
                            self.refused.append(f"{code} {said!r}")

    def until(self, more: int) -> None:
        """That many more have been promised."""
        wanted, deadline = len(self.promised) + more, time.monotonic() + PATIENCE_S
        while len(self.promised) < wanted:
            assert time.monotonic() < deadline, f"{len(self.promised)} of {wanted}\n{self._site.log()}"
            time.sleep(0.02)

    def ends(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)


def status(site: Installation) -> Any:
    """Once every role answers."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        code, said = site.tried("status", "--json")
        if code == 0:
            return json.loads(said)
        time.sleep(0.1)
    raise AssertionError(f"not ready: {said}")


def takers(site: Installation) -> Counter[str]:
    """How many letters each front has taken, by the events it wrote."""
    found: Counter[str] = Counter()
    for path in (site.folder / "events").glob("*.front-*.jsonl"):
        front = path.name.split(".")[1]
        found[front] += sum(b'"event":"accepted"' in line for line in path.read_bytes().splitlines())
    return found


def send_past(site: Installation, other: int) -> str:
    """A letter while the front of this process number stands still: the kernel gives new sessions to whoever
    asks first, which may be the same one all the time.
    """
    os.kill(other, signal.SIGSTOP)
    try:
        with site.client() as client:
            client.ehlo()
            client.mail("x@far.example")
            client.rcpt(BOB)
            return queue_id(client.data("Subject: x\r\n\r\nx\r\n")[1])
    finally:
        os.kill(other, signal.SIGCONT)


def test_nothing_is_lost_between_two_fronts(site: Installation) -> None:
    """Both take mail at one port; reloads refuse nobody; one is killed with sessions open, the other goes on,
    a new one comes, and what was promised by either is in the mailbox, once.
    """
    assert site.server is not None
    crowd = Crowd(site)
    try:
        crowd.until(60)
        for _ in range(3):
            site.server.send_signal(signal.SIGHUP)
            crowd.until(20)
        killed = status(site)["counts"]["front-2.pid"]
        os.kill(killed, signal.SIGKILL)
        crowd.until(60)
    finally:
        crowd.ends()
    counts = status(site)["counts"]
    assert killed != counts["front-2.pid"]
    assert [0, 1] == [counts[f"front-{number}.restarts"] for number in (1, 2)]
    assert not crowd.refused
    crowd.promised += [send_past(site, counts[f"front-{number}.pid"]) for number in (1, 2)]
    arrived = Counter(site.wait_for_ids(BOB, set(crowd.promised)))
    assert not set(crowd.promised) - set(arrived)
    assert {1} == set(arrived.values()), "nobody has a letter twice"
    assert 2 == sum(count > 0 for count in takers(site).values()), takers(site)


def test_clients_that_come_at_once_are_shared(site: Installation) -> None:
    """Forty sessions, each front has some; and while one stands still the other greets all who come. A front
    that this machine has stopped for a second is helped by the other: that may spoil a crowd, but not five.
    """
    counts = status(site)["counts"]  # both are there
    assert any(5 <= min(shares_of_a_crowd(site)) for _ in range(5))
    os.kill(counts["front-1.pid"], signal.SIGSTOP)
    try:
        for _ in range(10):
            with site.client() as client:
                assert 250 == client.noop()[0]
    finally:
        os.kill(counts["front-1.pid"], signal.SIGCONT)


def shares_of_a_crowd(site: Installation) -> list[int]:
    """How many of forty clients that come at once each front has."""
    with contextlib.ExitStack() as sessions:
        opened = [sessions.enter_context(socket.create_connection(("127.0.0.1", site.mx))) for _ in range(40)]
        for each in opened:
            each.settimeout(PATIENCE_S)
            assert each.recv(1000).startswith(b"220 ")
        counts = status(site)["counts"]
    return [counts[f"front-{number}.sessions"] for number in (1, 2)]


def test_the_queue_of_both_is_one_queue(site: Installation) -> None:
    """What an operator lists, holds and releases is what both fronts keep."""
    names = [f"x{number}@far.example" for number in range(12)]
    promised = set()
    for name in names:
        with site.signed_in(BOB) as client:
            client.mail(BOB)
            client.rcpt(name)
            promised.add(queue_id(client.data("Subject: far\r\n\r\nx\r\n")[1]))
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        rows = [json.loads(line) for line in site.run("queue", "list", "--json").splitlines()]
        if promised == {row["message"] for row in rows}:
            break
        time.sleep(0.1)
    assert promised == {row["message"] for row in rows}


def test_what_a_front_leaves_behind_is_taken_over(site: Installation) -> None:
    """Letters wait in the queue of a front that is no more. The first one lists, holds and releases them, and
    their bounces come home; in one process too.
    """
    waiting = {}
    pids = status(site)["counts"]
    for number in (1, 2):
        os.kill(pids[f"front-{3 - number}.pid"], signal.SIGSTOP)
        try:
            with site.signed_in(BOB) as client:
                client.mail(BOB)
                client.rcpt(f"x{number}@far.example")
                waiting[number] = queue_id(client.data("Subject: far\r\n\r\nx\r\n")[1])
        finally:
            os.kill(pids[f"front-{3 - number}.pid"], signal.SIGCONT)
    site.stop()
    text = site.settings.read_text()
    for new in (text.replace("fronts = 2", "fronts = 1"), text.replace('"split"', '"one"')):
        site.settings.write_text(new)
        with site.serving():
            assert set(waiting.values()) == {row["message"] for row in listed(site)}
            held = json.loads(site.run("queue", "hold", "--id", waiting[2], "--yes", "--json"))
            assert 1 == held["performed"]["count"]
            (row,) = listed(site, "--held-by", held["performed"]["action"])
            assert row["message"] == waiting[2]
            site.run("queue", "release", "--id", waiting[2], "--yes")
    with site.serving():
        site.run("queue", "bounce", "--sender", BOB, "--yes")
        reports = site.wait_for_letters(BOB, 2)
        for number in (1, 2):
            assert 1 == sum(f"x{number}@far.example".encode() in report for report in reports)
        assert [] == listed(site)


def listed(site: Installation, *words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in site.run("queue", "list", "--json", *words).splitlines()]
