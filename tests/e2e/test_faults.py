"""System calls of a serving sekisho fail, each in its turn: what was promised arrives, the rest is refused
for now, and the server goes on by itself when the disk does.

FAULT_TURNS in the environment is how many calls of each kind fail, one after another.
"""

import contextlib
import os
import smtplib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import program

from .running import Installation, queue_id

TURNS = int(os.environ.get("FAULT_TURNS", "4"))
BOB = "bob@example.com"
LARGE = b"Subject: large\r\n\r\n" + b"y" * 70 + b"\r\n" + (b"z" * 998 + b"\r\n") * 600
SMALL = b"Subject: small\r\n\r\nx\r\n"

NAMES = "?rename,?renameat,?renameat2,?link,?linkat"
CALLS = {
    "pwrite64": ("ENOSPC", "EIO"),  # journal and table
    "fdatasync": ("EIO",),
    "fsync": ("EIO", "ENOSPC"),  # large bodies, mailboxes, folders
    "?open,openat": ("ENOSPC", "EIO", "EMFILE"),
    NAMES: ("ENOSPC", "EIO"),
}


@contextlib.contextmanager
def failing(site: Installation, call: str, error: str, when: int) -> Iterator[Path]:
    """While this lasts, the `when`-th such call of any thread ends with `error`, and every later one not."""
    assert site.server is not None
    rule = f"inject={call}:error={error}:when={when}"
    trace = site.folder.parent / "trace"
    words = [program("strace"), "-f", "-q", "-o", trace, "-e", f"trace={call}", "-e", rule]
    tracer = subprocess.Popen([*words, "-p", str(site.server.pid)], stderr=subprocess.DEVNULL)
    status = Path(f"/proc/{site.server.pid}/status")
    deadline = time.monotonic() + 60
    while "TracerPid:\t0\n" in status.read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        yield trace
    finally:
        tracer.terminate()
        tracer.wait(60)


def send(site: Installation, letters: list[bytes], kept: set[str]) -> list[int]:
    """The codes of the ends of data; a 250 puts its id among the kept. A lost connection is code 0."""
    codes = []
    for letter in letters:
        try:
            with site.client(timeout_s=60) as client:
                client.ehlo()
                client.mail("a@example.net")
                client.rcpt(BOB)
                code, text = client.data(letter)
                if code == 250:
                    kept.add(queue_id(text))
        except smtplib.SMTPDataError as refusal:
            code = refusal.smtp_code
        except (OSError, smtplib.SMTPException):
            code = 0
        codes.append(code)
    return codes


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_fails_costs_nothing_that_was_promised(tmp_path: Path, call: str) -> None:
    """The n-th call fails, for n from 1 on, while small and large letters come: each gets 250 or 4yz, those
    behind get 250 without a restart, and all of the 250s are in the mailbox, each once."""
    site = Installation(tmp_path / "site")
    site.add_account(BOB)
    kept: set[str] = set()
    failed = 0
    with site.serving():
        for error in CALLS[call]:
            for when in range(1, TURNS + 1):
                with failing(site, call, error, when) as trace:
                    codes = send(site, [SMALL, LARGE, SMALL], kept)
                assert all(code in (0, 250) or 400 <= code < 500 for code in codes), (error, when, codes)
                failed += trace.read_text().count("(INJECTED)")
                after = send(site, [SMALL, LARGE], kept)
                assert [250, 250] == after, (error, when, codes, after, site.log())
        if site.run("queue", "list", "--recipient", BOB, "--json").strip():
            with contextlib.suppress(AssertionError):  # the last has gone meanwhile
                site.run("queue", "retry", "--recipient", BOB, "--yes")
        found = site.wait_for_ids(BOB, kept)
    assert failed > 0, "no such call was made"
    assert len(found) == len(set(found))
    assert kept == set(found)
