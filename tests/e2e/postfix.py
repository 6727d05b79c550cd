"""A real Postfix in a folder of its own, as a site runs it: submission with SASL by a real Dovecot, another
with whatever main.cf says, and everything else as Debian has it.

Clients reach submission with a PROXY header, so that one machine can play the whole internet.
"""

import contextlib
import json
import os
import shutil
import smtplib
import socket
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
myhostname = mx.customer.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.2/32
relayhost = [127.0.0.1]:{sink}
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
smtpd_client_connection_rate_limit = 0
maillog_file = {base}/postfix.log
maillog_file_prefixes = {base}
local_recipient_maps =
alias_maps =
alias_database =
{more}"""

MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
  -o syslog_name=postfix/submission
  -o smtpd_upstream_proxy_protocol=haproxy
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_sasl_type=dovecot
  -o smtpd_sasl_path={sasl}
  -o smtpd_recipient_restrictions=reject_non_fqdn_recipient
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
127.0.0.1:{second} inet n - n - - smtpd
  -o syslog_name=postfix/second
  -o smtpd_upstream_proxy_protocol=haproxy
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
"""


class Postfix:
    def __init__(self, base: Path, sasl: str, sink: int, more: str = "") -> None:
        self.base, self.port, self.second = base, free_port(), free_port()
        self.config = base / "etc"
        self.config.mkdir(parents=True)
        for folder in ("queue", "data"):
            (base / folder).mkdir()
        shutil.chown(base / "data", "postfix")
        given = Path("/usr/share/postfix/master.cf.dist")
        master = (given if given.exists() else Path("/etc/postfix/master.cf")).read_text()
        (self.config / "main.cf").write_text(MAIN.format(base=base, sink=sink, more=more))
        services = MASTER.format(sasl=sasl, port=self.port, second=self.second)
        (self.config / "master.cf").write_text(_closed(master) + services)
        self.environment = {**os.environ, "MAIL_CONFIG": str(self.config), "LC_ALL": "C"}

    def apply(self, text: str) -> None:
        """Runs what `sekisho configure` has printed, as an operator pastes it."""
        done = subprocess.run(
            ["sh", "-e"], input=text, env=self.environment, capture_output=True, text=True, check=False
        )
        assert 0 == done.returncode, done.stdout + done.stderr

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        self._run("postfix", "-c", self.config, "set-permissions", check=False)
        self._run("postfix", "-c", self.config, "start")
        try:
            yield
        finally:
            self._run("postfix", "-c", self.config, "stop", check=False)

    def held(self) -> list[str]:
        """Queue ids in the hold queue."""
        listed = self._run("postqueue", "-c", self.config, "-j").stdout
        rows = [json.loads(line) for line in listed.splitlines()]
        return [row["queue_id"] for row in rows if row["queue_name"] == "hold"]

    def looked_up(self, table: str, key: str) -> str:
        """What Postfix finds there; "" for nothing, and it must not complain."""
        done = self._run("postmap", "-c", self.config, "-q", key, table, check=False)
        assert not done.stderr, done.stderr
        return done.stdout.rstrip("\n")

    def log(self) -> str:
        path = self.base / "postfix.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _run(self, *words: str | Path, check: bool = True) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            words, capture_output=True, text=True, check=check, env=self.environment, timeout=60
        )


class Claimed(smtplib.SMTP):
    """A client somewhere in the world."""

    def __init__(self, port: int, address: str) -> None:
        self._address = address
        super().__init__("127.0.0.1", port, "laptop", timeout=60)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        sock = socket.create_connection((host, port), timeout)
        sock.sendall(f"PROXY TCP4 {self._address} 192.0.2.25 40000 587\r\n".encode())
        return sock


@contextlib.contextmanager
def postfix(sasl: str, sink: int, setup: str, more: str = "") -> Iterator[Postfix]:
    """With what `sekisho configure postfix` has printed. Skips with a reason where there is none."""
    program("postfix")
    if os.getuid():
        assert not os.environ.get("CI"), "Postfix starts only as root"
        pytest.skip("Postfix starts only as root")
    with tempfile.TemporaryDirectory(prefix="postfix-") as name:
        Path(name).chmod(0o755)
        server = Postfix(Path(name), sasl, sink, more)
        with server.serving():
            server.apply(setup)
            server.apply(setup)  # twice is once
            for port in (server.port, server.second):
                until(lambda port=port: socket.create_connection(("127.0.0.1", port)).close() or True)
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
