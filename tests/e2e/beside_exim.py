"""A real Exim with a spool of its own, unpacked from Debian: it takes logins of anybody and only queues."""

import contextlib
import os
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from debian import complete, unpacked, with_users
from ports import free_port
from waiting import until

SETTINGS = """\
exim_user = nobody
exim_group = nogroup
exim_path = {program}
spool_directory = {base}/spool
log_file_path = {base}/log/%slog
primary_hostname = mx.theirs.example
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
queue_only
keep_environment =
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts =
acl_smtp_rcpt = all
begin acl
all:
  accept
begin routers
far:
  driver = manualroute
  route_list = * 127.0.0.1::9 byname
  transport = smtp
  self = send
begin transports
smtp:
  driver = smtp
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = yes
  server_set_id = $auth2
  server_advertise_condition = yes
"""


LIBRARIES = ("libmariadb3", "libspf2-2", "libpq5", "libperl5.36", "libsasl2-2")
"""Of exim4-daemon-heavy, where they are not installed."""


class WaitingExim:
    def __init__(self, base: Path, program: Path, itself: Path) -> None:
        self.program, self.config, self.port, self.base = program, base / "exim.conf", free_port(), base
        for folder in ("spool", "log"):
            (base / folder).mkdir()
            shutil.chown(base / folder, "nobody", "nogroup")
        self.config.write_text(SETTINGS.format(base=base, port=self.port, program=itself))

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        server = subprocess.Popen(
            [self.program, f"-C{self.config}", "-bdf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        try:
            until(self.listens)
            yield
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(60)

    def listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 60):
            return True
        return False

    def client(self) -> list[smtplib.SMTP]:
        with contextlib.suppress(OSError):
            return [smtplib.SMTP("127.0.0.1", self.port, "client.example", timeout=60)]
        return []

    def send(self, sender: str, recipients: list[str], letter: str, *, login: str = "") -> str:
        """The message id."""
        (client,) = self.client()
        with client:
            client.ehlo()
            if login:
                client.login(login, "x")
            client.mail(sender)
            for recipient in recipients:
                assert 250 == client.rcpt(recipient)[0]
            code, said = client.data(letter)
            assert 250 == code, said
            return said.decode().rpartition("id=")[2]

    def run(self, *words: str) -> str:
        done = subprocess.run(
            [self.program, f"-C{self.config}", *words], capture_output=True, text=True, check=False
        )
        return done.stdout

    def log(self) -> str:
        return (self.base / "log" / "mainlog").read_text()


@contextlib.contextmanager
def waiting_exim() -> Iterator[WaitingExim]:
    with tempfile.TemporaryDirectory(prefix="exim-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        root = unpacked(folder, "exim4-daemon-light")
        program = complete(root / "usr" / "sbin" / "exim4")
        server = WaitingExim(folder, with_users(folder, program, "Debian-exim"), program)
        with server.serving():
            yield server


@contextlib.contextmanager
def asking_exim(changed: Callable[[str], str]) -> Iterator[WaitingExim]:
    """The larger one of Debian's, which knows PROXY headers and Dovecot's SASL protocol, with its libraries.
    `changed` makes its settings of those above.
    """
    with tempfile.TemporaryDirectory(prefix="exim-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        root = unpacked(folder, "exim4-daemon-heavy", *LIBRARIES)
        program = root / "usr" / "sbin" / "exim4"
        program.chmod(0o755)  # the dynamic linker takes no path from anybody for a program with setuid
        (native,) = root.glob("usr/lib/*-linux-gnu")
        libraries = Path(f"{native}:{native.parent}")
        complete(program, libraries)
        itself = folder / "exim-with-libraries"
        itself.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={libraries} exec {program} "$@"\n')
        itself.chmod(0o755)
        server = WaitingExim(folder, with_users(folder, itself, "Debian-exim"), itself)
        server.config.write_text(changed(server.config.read_text()))
        with server.serving():
            yield server
