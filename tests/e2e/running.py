"""A real `sekisho serve` in a temporary folder on free loopback ports, as an operator would start it."""

import atexit
import contextlib
import functools
import os
import re
import shutil
import signal
import smtplib
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ports import free_port
from waiting import PATIENCE_S, until

PROGRAM = str(Path(sys.executable).parent / "sekisho")
NEWS_S = 0.3
"""A server looks five times a second whether somebody has changed a database."""

PASSWORD = "correct horse battery staple"

SETTINGS = """\
hostname = "mx.example.com"
trusted = []
processes = "{processes}"
[listen.mx]
address = "127.0.0.1:{mx}"
protocol = "smtp"
[listen.submission]
address = "127.0.0.1:{submission}"
protocol = "submission"
[listen.submissions]
address = "127.0.0.1:{submissions}"
protocol = "submissions"
[limits]
sessions_per_address = 500
[outbound]
private_networks = true
{outbound}
"""


@functools.cache
def founded(made_by: str) -> Path:
    """What `sekisho init` makes, made once by each process; it names no place."""
    above = tempfile.mkdtemp(prefix="sekisho-founded-")
    atexit.register(shutil.rmtree, above)
    folder = Path(above) / "site"
    words = [made_by, "init", str(folder), "--domain", "example.com", "--hostname", "mx.example.com"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    assert str(folder) not in (folder / "sekisho.toml").read_text()
    return folder


class Installation:
    """A state folder made by `sekisho init`, with its ports; `serving` runs the server on it."""

    def __init__(self, folder: Path, *, processes: str = "one", outbound: str = "", extra: str = "") -> None:
        self.folder = folder
        self.mx, self.submission, self.submissions = free_port(), free_port(), free_port()
        shutil.copytree(founded(PROGRAM), folder, dirs_exist_ok=True)
        self.settings = folder / "sekisho.toml"
        ports = {"mx": self.mx, "submission": self.submission, "submissions": self.submissions}
        self.settings.write_text(SETTINGS.format(processes=processes, outbound=outbound, **ports) + extra)
        self.server: subprocess.Popen[bytes] | None = None
        self.program = [PROGRAM]

    def run(self, *words: str, stdin: str = "", code: int = 0) -> str:
        """What `sekisho WORDS` prints; it must end with `code`."""
        ended, said = self.tried(*words, stdin=stdin)
        assert code == ended, f"{words}: {ended}\n{said}"
        return said

    def tried(self, *words: str, stdin: str = "") -> tuple[int, str]:
        """How `sekisho WORDS` ends, and what it prints."""
        environment = {**os.environ, "SEKISHO_CONFIG": str(self.folder / "sekisho.toml"), "LC_ALL": "C"}
        done = subprocess.run(
            [PROGRAM, *words], input=stdin, capture_output=True, text=True, env=environment, check=False
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout + done.stderr

    def add_account(self, address: str, password: str = PASSWORD) -> None:
        self.run("account", "add", address, stdin=password + "\n")

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        self.start()
        try:
            yield
        finally:
            self.stop()

    def start(self) -> None:
        with open(self.folder / "server.log", "ab") as log:
            self.server = subprocess.Popen(
                [*self.program, "serve", "-c", str(self.settings)],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            assert self.server.poll() is None, self.log()
            with contextlib.suppress(OSError, smtplib.SMTPException), self.client() as client:
                client.noop()
                return
            time.sleep(0.05)
        raise AssertionError(f"no greeting in {PATIENCE_S} s\n{self.log()}")

    def stop(self) -> None:
        """As an operator does: SIGTERM, and it ends by itself with 0."""
        if self.server is not None and self.server.poll() is None:
            self.server.send_signal(signal.SIGTERM)
            assert 0 == self.server.wait(60), self.log()

    def processes(self) -> list[int]:
        assert self.server is not None
        listing = subprocess.run(
            ["ps", "-o", "pid=", "-g", str(self.server.pid)], capture_output=True, text=True
        )
        return [int(word) for word in listing.stdout.split()]

    def kill(self) -> None:
        """kill -9 of every process of the server at once."""
        assert self.server is not None
        os.killpg(self.server.pid, signal.SIGKILL)
        self.server.wait(PATIENCE_S)

    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")[-4000:]

    def client(self, timeout_s: float = 60) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", self.mx, "client.example.net", timeout=timeout_s)

    def signed_in(self, account: str, password: str = PASSWORD) -> smtplib.SMTP:
        client = smtplib.SMTP("127.0.0.1", self.submission, "laptop", timeout=60)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client.starttls(context=context)
        client.login(account, password)
        return client

    def takes_mail_and_a_login(self, address: str) -> None:
        """A stranger's letter and one of the account's own, both in its mailbox."""
        with self.client() as client:
            client.sendmail("a@far.example", [address], "Subject: in\r\n\r\nx\r\n")
        with self.signed_in(address) as client:
            client.sendmail(address, [address], "Subject: own\r\n\r\nx\r\n")
        self.wait_for_letters(address, 2)

    def told(self, key: str, *facts: str) -> str:
        """What `sekisho trace KEY` prints, once all of these facts stand in it: events are written a moment
        after what they tell of.
        """

        def asked() -> str:
            code, said = self.tried("trace", key)
            assert code == 0 and all(fact in said for fact in facts), said
            return said

        return until(asked)

    def letters(self, address: str) -> list[bytes]:
        """What stands in new/ of an account's Maildir."""
        local, _, domain = address.partition("@")
        folder = self.folder / "mail" / domain / local / "Maildir" / "new"
        return [path.read_bytes() for path in sorted(folder.iterdir())] if folder.exists() else []

    def wait_for_letters(self, address: str, count: int, within_s: float = 60) -> list[bytes]:
        deadline = time.monotonic() + within_s
        while len(found := self.letters(address)) < count and time.monotonic() < deadline:
            time.sleep(0.05)
        assert count == len(found), f"{len(found)} of {count}\n{self.log()}"
        return found

    def ids(self, address: str) -> list[str]:
        """The message ids of the letters of an account, from our own Received field."""
        found = (re.search(rb"\bid (\w{17})\b", letter) for letter in self.letters(address))
        return [match[1].decode() for match in found if match]

    def wait_for_ids(self, address: str, wanted: set[str], within_s: float = 120) -> list[str]:
        deadline = time.monotonic() + within_s
        while wanted - set(found := self.ids(address)) and time.monotonic() < deadline:
            time.sleep(0.2)
        return found


def queue_id(reply: bytes | str) -> str:
    """The message id in "250 2.6.0 queued as ID"."""
    text = reply.decode() if isinstance(reply, bytes) else reply
    match = re.search(r"queued as (\S+)", text)
    assert match, text
    return match[1]
