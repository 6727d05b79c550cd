"""A stock client that we did not write, GNU SASL's gsasl, logs in with SCRAM-SHA-256.

It overlooks STARTTLS in the last line of an EHLO reply, so a tunnel gives it TLS from the first byte.
"""

import contextlib
import os
import socket
import sqlite3
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest

from conftest import program
from covers import covers
from e2e.running import PASSWORD, Installation

USER = "hello@example.com"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Roles split: the keys are the vault's alone."""
    site = Installation(tmp_path_factory.mktemp("site"), processes="split")
    site.add_account(USER)
    with site.serving():
        yield site


@contextlib.contextmanager
def tunnel(port: int) -> Iterator[int]:
    """A port whose one connection leads through TLS to `port`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        thread = threading.Thread(target=_lead, args=(listener, port), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(60)


def _lead(listener: socket.socket, port: int) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    near, _ = listener.accept()
    with near, context.wrap_socket(socket.create_connection(("127.0.0.1", port), 60)) as far:
        back = threading.Thread(target=_pump, args=(far, near), daemon=True)
        back.start()
        _pump(near, far)
        back.join(60)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def gsasl(site: Installation, password: str, code: int = 0) -> str:
    with tunnel(site.submissions) as port:
        command = [
            program("gsasl"), "--smtp", f"--connect=127.0.0.1:{port}", "--mechanism=SCRAM-SHA-256",
            f"--authentication-id={USER}", f"--password={password}", "--authorization-id=", "--no-starttls",
        ]  # fmt: skip
        done = subprocess.run(
            command, input="QUIT\n", capture_output=True, text=True, check=False, timeout=120,
            env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
    assert code == done.returncode, done.stdout + done.stderr
    return done.stdout + done.stderr


@covers("Q-04")
def test_a_stock_client_logs_in(site: Installation) -> None:
    """It checks our proof before it is content."""
    out = gsasl(site, PASSWORD)
    assert "235 2.7.0" in out
    assert "server trusted" in out


def test_a_stock_client_with_a_wrong_password_does_not(site: Installation) -> None:
    """535 in place of our proof."""
    assert "535 5.7.8" in gsasl(site, "wrong battery", code=1)


def test_an_account_that_had_a_hash_alone_logs_in_after_plain(site: Installation) -> None:
    """As one that was imported: refused, then PLAIN once, then not refused."""
    with sqlite3.connect(site.folder / "vault.db", timeout=10) as file:
        file.execute("delete from scram")
        file.execute("update notes set value = value + 1 where name = 'changes'")
    time.sleep(0.5)
    gsasl(site, PASSWORD, code=1)
    site.signed_in(USER).quit()
    deadline = time.monotonic() + 30
    while not keys(site) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    assert "235 2.7.0" in gsasl(site, PASSWORD)


def keys(site: Installation) -> int:
    with sqlite3.connect(site.folder / "vault.db", timeout=10) as file:
        return int(file.execute("select count(*) from scram").fetchone()[0])
