"""The servers that are compared: each starts on loopback with its data on the bench disk, and ends with
the run."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

START_S = 30

POSTFIX_MAIN = """\
compatibility_level = 3.6
queue_directory = {base}/queue
data_directory = {base}/data
myhostname = bench.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:{sink}
default_destination_concurrency_limit = 50
initial_destination_concurrency = 50
smtp_connection_cache_destinations = [127.0.0.1]:{sink}
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
default_process_limit = 150
in_flow_delay = 0
maillog_file = {base}/postfix.log
maillog_file_prefixes = {base}
smtpd_recipient_restrictions = permit_mynetworks, reject
local_recipient_maps =
alias_maps =
alias_database =
"""
POSTFIX_PORT = "127.0.0.1:{port} inet n - n - 150 smtpd{more}\n"
HOLD = " -o smtpd_client_restrictions=static:HOLD"
SEKISHO = """\
hostname = "bench.test"
trusted = ["127.0.0.0/8"]
[listen.mx]
address = "127.0.0.1:{port}"
protocol = "smtp"
[limits]
sessions = 20000
sessions_per_address = 1000
recipients = 1000
[outbound.smarthost]
host = "[127.0.0.1]:{sink}"
"""


@dataclass(frozen=True)
class Running:
    name: str
    port: int
    pid: int


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for(port: int) -> None:
    """Until somebody greets on the port."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 2) as sock:
            if sock.recv(512).startswith(b"220"):
                sock.sendall(b"QUIT\r\n")
                return
        time.sleep(0.1)
    raise RuntimeError(f"nobody greets on port {port}")


@contextlib.contextmanager
def postfix(disk: Path, sink: int = 9, *, hold: bool = True) -> Iterator[Running]:
    """A private Postfix. `hold`: messages go to the hold queue, its best case, no queue manager's work; else
    they are relayed to `sink`, with more connections and their cache than it has by itself.
    """
    base, port = disk / "postfix", free_port()
    config = base / "etc"
    config.mkdir(parents=True)
    base.chmod(0o755)
    for folder in ("queue", "data"):
        (base / folder).mkdir()
    shutil.chown(base / "data", "postfix")
    master = Path("/etc/postfix/master.cf").read_text().replace("\nsmtp      inet", "\n#smtp      inet")
    (config / "main.cf").write_text(POSTFIX_MAIN.format(base=base, sink=sink))
    (config / "master.cf").write_text(
        _without_chroot(master) + POSTFIX_PORT.format(port=port, more=HOLD if hold else "")
    )
    subprocess.run(["postfix", "-c", config, "set-permissions"], capture_output=True, check=False)
    subprocess.run(["postfix", "-c", config, "start"], check=True, capture_output=True)
    try:
        wait_for(port)
        pid = int((base / "queue" / "pid" / "master.pid").read_text())
        yield Running("postfix", port, pid)
    finally:
        subprocess.run(["postfix", "-c", config, "stop"], check=False, capture_output=True)


def _without_chroot(master: str) -> str:
    lines = []
    for line in master.split("\n"):
        fields = line.split()
        if len(fields) >= 8 and not line.startswith(("#", " ")):
            fields[4] = "n"
            line = " ".join(fields)
        lines.append(line)
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def sekisho(disk: Path, sink: int = 9, more: str = "") -> Iterator[Running]:
    """Our server as `sekisho serve` starts it; where its next hop is closed, the lane rests after one try.

    `more` stands at the end of the settings.
    """
    base, port = disk / "sekisho", free_port()
    program = str(Path(sys.executable).parent / "sekisho")
    subprocess.run([program, "init", base, "--domain", "bench.test"], check=True, capture_output=True)
    (base / "sekisho.toml").write_text(SEKISHO.format(port=port, sink=sink) + more)
    with open(disk / "sekisho.log", "wb") as log:
        server = subprocess.Popen([program, "serve", "-c", base / "sekisho.toml"], stdout=log, stderr=log)
    try:
        wait_for(port)
        yield Running("sekisho", port, server.pid)
    finally:
        os.kill(server.pid, signal.SIGTERM)
        server.wait(30)
