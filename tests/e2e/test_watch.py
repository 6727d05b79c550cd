"""`sekisho watch` as an operator runs it: a process that follows, is killed, and goes on."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.mailhome import MailHome
from e2e.running import PROGRAM, Installation
from ports import free_port
from waiting import until

WHO = "hello@example.com"
STRANGERS = (
    "83.242.101.27",
    "178.125.185.161",
    "46.118.66.80",
    "93.175.125.67",
    "93.78.3.92",
    "95.42.37.153",
)


class Following:
    """The process and the log it follows."""

    def __init__(self, folder: Path) -> None:
        self.home = MailHome(folder)
        self.log = folder / "maillog"
        self.watch: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.home.folder / "watch.out").open("ab") as out:
            self.watch = subprocess.Popen(
                [PROGRAM, "watch", "-c", self.home.path, str(self.log)],
                stdout=out, stderr=out, env={**os.environ, "LC_ALL": "C"},
            )  # fmt: skip

    def write(self, text: str) -> None:
        with self.log.open("a") as log:
            log.write(f"{datetime.now(UTC).isoformat()} mx {text}\n")

    def sign_in(self, address: str) -> None:
        self.write(f"vpopmail[7]: vchkpw-smtp: (PLAIN) login success {WHO}:{address}")

    def counts(self) -> dict[str, int]:
        result = self.home("status", "--json")
        return json.loads(result.out)["counts"] if result.code == 0 else {}

    def end(self, kill: bool = False) -> int:
        assert self.watch is not None
        self.watch.kill() if kill else self.watch.terminate()
        return self.watch.wait(60)


@pytest.fixture
def following(tmp_path: Path) -> Iterator[Following]:
    one = Following(tmp_path)
    yield one
    if one.watch is not None and one.watch.poll() is None:
        one.end(kill=True)


def test_a_theft_is_told_while_it_happens(following: Following) -> None:
    """Killed in the middle and started again, after a rotation besides: the case counts every stranger once,
    is printed once, and can be released there and then. A second watch is refused."""
    following.sign_in("60.1.1.10")
    following.start()
    until(lambda: following.counts().get("events") == 1)
    for address in STRANGERS[:2]:
        following.sign_in(address)
    until(lambda: following.counts().get("events") == 3)
    following.end(kill=True)
    following.log.rename(following.log.with_name("maillog.1"))
    for address in STRANGERS[2:]:
        following.sign_in(address)
    following.start()
    listed = until(
        lambda: [row for row in following.home("incident", "list", "--json").rows() if row["grade"] >= 2]
    )
    until(lambda: following.counts().get("lines", 0) >= 4)
    (shown,) = following.home("incident", "show", "--json", WHO).rows()
    case = shown["incidents"][0]
    assert (listed[0]["id"], WHO) == (case["id"], case["subject"])
    assert len(STRANGERS) == case["counters"]["sign_ins"] + case["counters"]["denied_sign_ins"]
    second = following.home("watch", str(following.log), "--once")
    assert (69, "") == (second.code, second.out) and "another process owns it" in second.err
    refused = following.home("serve", "--check")
    assert 69 == refused.code and "watch runs alone" in refused.err
    assert following.home("incident", "release", "--teach", "--yes", WHO).code == 0
    assert following.watch is not None
    following.watch.send_signal(signal.SIGHUP)  # as logrotate may; it is no end
    assert following.home("status").code == 0
    assert following.end() == 0
    said = (following.home.folder / "watch.out").read_text()
    assert 1 == said.count(f"{case['id']} {WHO}: ")


def test_standard_input_is_followed_to_its_end(tmp_path: Path) -> None:
    """As behind `journalctl -f |`: nothing is kept, what is found is printed."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    lines = [
        f"{now} mx vpopmail[7]: vchkpw-smtp: (PLAIN) login success {WHO}:{address}" for address in STRANGERS
    ]
    done = subprocess.run(
        [PROGRAM, "watch", "-"], input="\n".join(lines), capture_output=True, text=True, timeout=120,
        env={**os.environ, "LC_ALL": "C", "SEKISHO_CONFIG": ""},
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    assert WHO in done.stdout and "lines read" in done.stderr


def test_syslog_from_elsewhere(following: Following) -> None:
    """To an IP:PORT and to a unix socket. A datagram of the network may be forged: it alerts, and contains
    nobody; a stream of a machine in `peers` is believed, and the unix socket."""
    port = free_port()
    with Path(following.home.path).open("a") as settings:
        settings.write(f'[listen.logs]\naddress = "127.0.0.1:{port}"\nprotocol = "syslog"\n')
        settings.write('[listen.here]\naddress = "unix:log"\nprotocol = "syslog"\n')
    following.start()
    until(lambda: following.counts().get("lines") == 0)

    def message(who: str, address: str) -> bytes:
        now = datetime.now(UTC)
        line = f"<22>{now:%b} {now.day:2d} {now:%H:%M:%S} mx vpopmail[7]: vchkpw-smtp: (PLAIN) login success"
        return f"{line} {who}:{address}\n".encode()

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        for place, address in enumerate(("60.1.1.10", *STRANGERS)):
            datagrams.sendto(message("open@example.com", address), ("127.0.0.1", port))
            until(lambda place=place: following.counts()["lines"] > place)
    with socket.create_connection(("127.0.0.1", port)) as stream:
        for address in ("60.1.1.10", *STRANGERS):
            stream.sendall(message("stream@example.com", address))
        until(lambda: following.counts()["lines"] == 14)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as here:
        for address in ("60.1.1.10", *STRANGERS):
            here.sendto(message("here@example.com", address), str(following.home.folder / "log"))
    until(lambda: following.counts()["lines"] == 21)

    def grades() -> dict[str, int]:
        return {row["subject"]: row["grade"] for row in following.home("incident", "list", "--json").rows()}

    until(lambda: grades().get("here@example.com", 0) >= 2)
    found = grades()
    assert found["stream@example.com"] >= 2
    assert found.get("open@example.com", 0) < 2
    assert following.end() == 0


def test_a_server_of_ours_is_told(tmp_path: Path) -> None:
    """Where one runs its guard gets the events, and acts; it leaves the listeners of syslog to the watch."""
    port = free_port()
    site = Installation(
        tmp_path / "site", extra=f'[listen.logs]\naddress = "127.0.0.1:{port}"\nprotocol = "syslog"\n'
    )
    site.add_account(WHO)
    log = tmp_path / "maillog"
    with site.serving():
        assert "(logs)" not in site.run("status")
        now = datetime.now(UTC).isoformat()
        with log.open("w") as lines:
            for address in ("60.1.1.10", *STRANGERS):
                lines.write(f"{now} mx vpopmail[7]: vchkpw-smtp: (PLAIN) login success {WHO}:{address}\n")
        said = site.run("watch", "--once", str(log), "-c", str(site.settings))
        assert "its guard is told" in said and "(logs)" in said
        assert "contained" in until(lambda: site.run("incident", "list"))
        assert "0 lines read" in site.run("watch", "--once", str(log), "-c", str(site.settings))
