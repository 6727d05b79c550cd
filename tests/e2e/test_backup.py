"""A backup of a server that runs, as docs/install.md says it, and what stands up from it elsewhere."""

import contextlib
import copy
import os
import shutil
import signal
import smtplib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.running import PASSWORD, Installation, free_port, queue_id

BOB, ANNA = "bob@example.com", "anna@example.com"
PATIENCE_S = 60


@pytest.fixture(params=["one", "split"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    nowhere = f"hosts = {{ 'far.example' = '[127.0.0.1]:{free_port()}' }}"
    site = Installation(tmp_path / "site", processes=request.param, outbound=nowhere)
    site.add_account(BOB)
    site.add_account(ANNA, "another long password")
    with site.serving():
        yield site


class Stream:
    """A client that sends without end; `promised` has the ids it was told."""

    def __init__(self, site: Installation) -> None:
        self._site = site
        self._over = threading.Event()
        self.promised: list[str] = []
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def _send(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(OSError, smtplib.SMTPException), self._site.client() as client:
                client.ehlo()
                while not self._over.is_set():
                    client.mail("x@far.example")
                    client.rcpt(BOB)
                    code, said = client.data("Subject: x\r\n\r\nx\r\n")
                    if code == 250:
                        self.promised.append(queue_id(said))

    def until(self, count: int) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while len(self.promised) < count:
            assert time.monotonic() < deadline, self._site.log()
            time.sleep(0.02)

    def ends(self) -> None:
        self._over.set()
        self._thread.join(PATIENCE_S)


def frozen_copy(site: Installation, backup: Path) -> None:
    """What the page says: everything but the mailboxes while nothing runs, the mailboxes after that."""
    processes = site.processes()
    for number in processes:
        os.kill(number, signal.SIGSTOP)
    try:
        shutil.copytree(site.folder, backup, ignore=lambda at, names: {"mail", "run"} & set(names))
    finally:
        for number in processes:
            os.kill(number, signal.SIGCONT)
    shutil.copytree(site.folder / "mail", backup / "mail", ignore=unfinished)


def unfinished(folder: str, names: list[str]) -> list[str]:
    """Letters that are being written, and gone from there in a moment."""
    return names if folder.endswith("/Maildir/tmp") else []


def restored(site: Installation, backup: Path, elsewhere: Path) -> Installation:
    shutil.copytree(backup, elsewhere)
    other = copy.copy(site)
    other.folder, other.settings, other.server = elsewhere, elsewhere / "sekisho.toml", None
    return other


def test_what_was_accepted_stands_in_the_backup(site: Installation, tmp_path: Path) -> None:
    """Copied while mail comes in, the machine lost, served from another folder: each letter that was accepted
    before is there, once, delivered or in the queue; accounts log in; mail goes on.
    """
    with site.signed_in(BOB) as client:
        client.mail(BOB)
        client.rcpt("friend@far.example")
        far = queue_id(client.data("Subject: far\r\n\r\nx\r\n")[1])
    stream = Stream(site)
    try:
        stream.until(50)
        promised = set(stream.promised)
        frozen_copy(site, tmp_path / "backup")
        stream.until(len(stream.promised) + 20)
    finally:
        stream.ends()
    site.kill()
    other = restored(site, tmp_path / "backup", tmp_path / "elsewhere")
    with other.serving():
        arrived = Counter(other.wait_for_ids(BOB, promised))
        assert not promised - set(arrived) and {1} == set(arrived.values())
        assert far in other.run("queue", "list", "--json")
        for account, password in ((BOB, PASSWORD), (ANNA, "another long password")):
            other.signed_in(account, password).quit()
        with other.client() as client:
            client.sendmail("a@far.example", [ANNA], "Subject: after\r\n\r\nx\r\n")
        other.wait_for_letters(ANNA, 1)
