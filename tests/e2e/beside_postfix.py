"""A real Postfix with a queue of its own: mail comes in under the login and address that a test
names (XCLIENT), and waits, since nothing is delivered.
"""

import contextlib
import os
import shutil
import smtplib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import program
from ports import free_port
from waiting import until

MAIN = """\
compatibility_level = 3.6
queue_directory = {base}/queue
data_directory = {base}/data
myhostname = mx.theirs.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 0.0.0.0/0
relayhost = [127.0.0.1]:9
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_client_connection_rate_limit = 0
defer_transports = smtp
maillog_file = {base}/postfix.log
maillog_file_prefixes = {base}
local_recipient_maps =
alias_maps =
alias_database =
"""


class WaitingPostfix:
    def __init__(self, base: Path) -> None:
        self.config, self.port, self._log = base / "etc", free_port(), base / "postfix.log"
        self.config.mkdir()
        for folder in ("queue", "data"):
            (base / folder).mkdir()
        shutil.chown(base / "data", "postfix")
        given = Path("/usr/share/postfix/master.cf.dist")
        master = (given if given.exists() else Path("/etc/postfix/master.cf")).read_text()
        (self.config / "main.cf").write_text(MAIN.format(base=base))
        (self.config / "master.cf").write_text(
            _closed(master) + f"127.0.0.1:{self.port} inet n - n - - smtpd\n"
        )

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        self.run("postfix", "set-permissions", check=False)
        self.run("postfix", "start")
        try:
            until(lambda: self.client())[0].close()
            yield
        finally:
            self.run("postfix", "stop", check=False)

    def client(self) -> list[smtplib.SMTP]:
        with contextlib.suppress(OSError):
            return [smtplib.SMTP("127.0.0.1", self.port, "client.example", timeout=60)]
        return []

    def send(
        self, sender: str, recipients: list[str], letter: str, *, login: str = "", address: str = "192.0.2.7"
    ) -> str:
        """The queue id."""
        (client,) = self.client()
        with client:
            client.ehlo()
            client.docmd("XCLIENT", f"ADDR={address} LOGIN={login or '[UNAVAILABLE]'}")
            client.ehlo()
            client.mail(sender)
            for recipient in recipients:
                assert 250 == client.rcpt(recipient)[0]
            code, said = client.data(letter)
            assert 250 == code, said
            return said.decode().rpartition(" ")[2]

    def run(self, tool: str, *words: str, check: bool = True) -> str:
        done = subprocess.run(
            [program(tool), "-c", str(self.config), *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert not check or 0 == done.returncode, done.stderr + self.log()
        return done.stdout

    def apply(self, setup: str) -> None:
        """Runs what `sekisho configure` has printed, as an operator pastes it."""
        done = subprocess.run(
            ["sh", "-e"], input=setup, env=os.environ | {"MAIL_CONFIG": str(self.config)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert 0 == done.returncode, done.stdout + done.stderr

    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""


@contextlib.contextmanager
def waiting_postfix() -> Iterator[WaitingPostfix]:
    """Skips with a reason where there is none; fails in CI."""
    program("postfix")
    if os.getuid():
        assert not os.environ.get("CI"), "Postfix starts only as root"
        pytest.skip("Postfix starts only as root")
    with tempfile.TemporaryDirectory(prefix="postfix-") as name:
        Path(name).chmod(0o755)
        server = WaitingPostfix(Path(name))
        with server.serving():
            yield server


def _closed(master: str) -> str:
    """Without the public port, and without chroot: the folder is no jail."""
    lines = []
    for line in master.split("\n"):
        fields = line.split()
        if len(fields) >= 8 and not line.startswith(("#", " ")):
            fields[4] = "n"
            line = " ".join(fields)
        lines.append("#" + line if fields[:2] == ["smtp", "inet"] else line)
    return "\n".join(lines) + "\n"
