"""A service manager's view of `sekisho serve`: it is told by datagrams when we are ready, reload, live and
stop."""

import itertools
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from covers import covers
from e2e.running import Installation
from sekisho.service.control import call
from sekisho.service.messages import StatusAnswer, StatusAsk

PATIENCE_S = 60


class Listening:
    """The socket that a service manager names in NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.settimeout(PATIENCE_S)
        self.heard: list[dict[str, str]] = []

    def next(self, wanted: str) -> dict[str, str]:
        """The next message that has this key; what comes before it is kept in `heard`."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            lines = self.socket.recv(4096).decode().split("\n")
            self.heard.append(dict(line.split("=", 1) for line in lines))
            if wanted in self.heard[-1]:
                return self.heard[-1]
        raise AssertionError(f"no {wanted} in {self.heard}")


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listening]:
    abstract = f"@sekisho-test-{os.getpid()}-{time.monotonic_ns()}"
    listening = Listening(str(tmp_path / "notify") if request.param == "path" else abstract)
    with listening.socket:
        yield listening


@pytest.fixture(params=["one", "split"])
def site(
    request: pytest.FixtureRequest, tmp_path: Path, manager: Listening, monkeypatch: pytest.MonkeyPatch
) -> Installation:
    site = Installation(tmp_path / "site", processes=request.param)
    site.add_account("bob@example.com")
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    return site


@covers("Q-10", partly="the package on an image of another distribution")
def test_the_manager_is_told_the_whole_life(site: Installation, manager: Listening) -> None:
    """READY once it serves, RELOADING with the time and READY around a reload, STOPPING before the end."""
    with site.serving():
        assert site.server is not None
        ready = manager.next("READY")
        assert f"127.0.0.1:{site.mx}" in ready["STATUS"]
        answer = call(str(site.folder), StatusAsk(), StatusAnswer)
        assert answer is not None and answer.ready
        before = time.monotonic_ns() // 1000
        site.server.send_signal(signal.SIGHUP)
        assert before <= int(manager.next("RELOADING")["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
        assert ready["STATUS"] == manager.next("READY")["STATUS"]
    assert "STATUS" in manager.next("STOPPING")
    tellers = [message for message in manager.heard if "READY" in message]
    assert 2 == len(tellers), "roles have nothing to say to the manager"


def test_a_reload_that_fails_is_ready_again_and_says_why(site: Installation, manager: Listening) -> None:
    """The manager must not wait for ever: READY comes, with the reason as the status."""
    with site.serving():
        assert site.server is not None
        manager.next("READY")
        text = site.settings.read_text()
        site.settings.write_text(text.replace("[limits]", "[limits]\nrecipient = 5"))
        site.server.send_signal(signal.SIGHUP)
        manager.next("RELOADING")
        status = manager.next("READY")["STATUS"]
        assert "limits.recipient" in status and "were not read again" in status
        site.settings.write_text(text)
        site.server.send_signal(signal.SIGHUP)
        manager.next("RELOADING")
        assert "were not read again" not in manager.next("READY")["STATUS"]


@pytest.mark.parametrize("site", ["one"], indirect=True)
def test_the_watchdog_hears_of_us(
    site: Installation, manager: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice in the time that it allows, and not when the manager means another process."""
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    moments = []
    with site.serving():
        for _ in range(9):
            manager.next("WATCHDOG")
            moments.append(time.monotonic())
    gaps = sorted(after - before for before, after in itertools.pairwise(moments))
    assert gaps[0] <= 0.4 and gaps[2] <= 0.4, gaps  # the others may be a busy machine's
    monkeypatch.setenv("WATCHDOG_PID", "1")
    manager.heard.clear()
    manager.next("STOPPING")
    with site.serving():
        manager.next("READY")
        time.sleep(0.6)
    manager.next("STOPPING")
    assert not [message for message in manager.heard[1:] if "WATCHDOG" in message]


@pytest.mark.parametrize("site", ["one"], indirect=True)
def test_a_manager_that_is_gone_stops_no_mail(
    site: Installation, manager: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence, and mail goes on."""
    for address in (manager.address + "-not", "vsock:2:1234"):
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        with site.serving(), site.client() as client:
            client.sendmail("a@example.net", ["bob@example.com"], "Subject: x\r\n\r\nx\r\n")
        assert "the service manager was not told how we are" in site.log()
        assert "Traceback" not in site.log()
