"""10,000 messages pushed into one mailbox, and every process killed in the middle of it: what got its
250 arrives, once."""

import contextlib
import re
import smtplib
import subprocess
import threading
from pathlib import Path

import pytest

from conftest import program
from covers import covers
from e2e.running import Installation, queue_id

MESSAGES = 10_000
ROUNDS = 3


LMTP = '[listen.lmtp]\naddress = "unix:lmtp"\nprotocol = "lmtp"\n'


@covers("Q-17")
def test_ten_thousand_deliveries_by_lmtp_into_one_maildir(tmp_path: Path) -> None:
    """smtp-source pushes them over 50 sessions at once: as many names in `new`, all distinct, each a whole
    letter, and nothing in `tmp`."""
    site = Installation(tmp_path / "site", extra=LMTP)
    site.add_account("bob@example.com")
    source = [program("smtp-source"), "-L", "-d", "-s", "50", "-m", str(MESSAGES), "-l", "2000"]
    with site.serving():
        addresses = ["-f", "a@example.net", "-t", "bob@example.com", f"unix:{site.folder}/lmtp"]
        subprocess.run([*source, *addresses], check=True, timeout=300)
        site.wait_for_letters("bob@example.com", MESSAGES, within_s=240)
    box = site.folder / "mail/example.com/bob/Maildir"
    names = [path.name for path in (box / "new").iterdir()]
    assert MESSAGES == len({name.partition(",")[0] for name in names})
    assert MESSAGES == len(set(site.ids("bob@example.com")))
    assert all(f",S={path.stat().st_size}," in path.name for path in (box / "new").iterdir())
    assert [] == [*(box / "tmp").iterdir(), *(box / "cur").iterdir()]


def push(site: Installation, acknowledged: list[str], ended: threading.Event) -> None:
    """Sends messages one after another over one session and notes each id that got its 250, until the
    server dies."""
    with contextlib.suppress(OSError, smtplib.SMTPException), site.client(timeout_s=20) as client:
        client.ehlo()
        while not ended.is_set():
            client.mail("a@example.net")
            client.rcpt("bob@example.com")
            code, text = client.data(b"Subject: x\r\n\r\n" + b"y" * 1500 + b"\r\n")
            if code == 250:
                acknowledged.append(queue_id(text))


@pytest.mark.parametrize("processes", ["one", "split"])
def test_nothing_acknowledged_is_lost_by_kill_9(tmp_path: Path, processes: str) -> None:
    """Several rounds of kill -9 under load: every acknowledged message arrives after the restart, none
    twice."""
    site = Installation(tmp_path / "site", processes=processes)
    site.add_account("bob@example.com")
    acknowledged: list[str] = []
    for _ in range(ROUNDS):
        site.start()
        ended = threading.Event()
        clients = [threading.Thread(target=push, args=(site, acknowledged, ended)) for _ in range(8)]
        for client in clients:
            client.start()
        target = len(acknowledged) + 300
        while len(acknowledged) < target and any(client.is_alive() for client in clients):
            ended.wait(0.02)
        site.kill()
        ended.set()
        for client in clients:
            client.join(30)
    assert len(acknowledged) >= 300 * ROUNDS
    with site.serving():
        found = site.wait_for_ids("bob@example.com", set(acknowledged))
    assert set() == set(acknowledged) - set(found)
    assert len(found) == len(set(found))


def test_no_250_precedes_its_sync(tmp_path: Path) -> None:
    """strace of the server: between the end of the data that a client sent and our 250 there is a sync of
    the spool."""
    strace = program("strace")
    site = Installation(tmp_path / "site")
    site.add_account("bob@example.com")
    trace = tmp_path / "trace"
    with site.serving():
        assert site.server is not None
        calls = "trace=read,recvfrom,write,sendto,fsync,fdatasync"
        tracer = subprocess.Popen(
            [strace, "-f", "-y", "-s", "64", "-e", calls, "-o", trace, "-p", str(site.server.pid)],
            stderr=subprocess.DEVNULL,
        )
        threading.Event().wait(1.5)
        with site.client() as client:
            client.ehlo()
            for number in range(20):
                client.mail("a@example.net")
                client.rcpt("bob@example.com")
                client.data(b"Subject: %d\r\n\r\nbody\r\n" % number)
        tracer.terminate()
        tracer.wait(60)
    synced, answers = False, 0
    for line in trace.read_text(errors="replace").split("\n"):
        if "queued as" in line and re.search(r"(write|sendto)\(", line):
            answers += 1
            assert synced, line
            synced = False
        elif re.search(r"f(data)?sync\(\d+<[^>]*spool/1/journal", line) or "sync resumed" in line:
            synced = True
    assert 20 == answers
