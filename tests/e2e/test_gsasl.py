"""A stock client that we did not write, GNU SASL's gsasl, logs in with SCRAM-SHA-256.

It overlooks STARTTLS in the last line of an EHLO reply, so a tunnel gives it TLS from the first byte.
"""

import asyncio
import contextlib
import functools
import os
import sqlite3
import ssl
import subprocess
import threading
from collections.abc import Coroutine, Iterator

import pytest

from conftest import program
from covers import covers
from e2e.running import PASSWORD, Installation
from waiting import until

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
    """A port whose connections lead through TLS to `port`.

    Both directions in one thread: a thread that reads from Python's TLS socket while another one writes to
    it sees the end of a connection that goes on.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    opening = asyncio.start_server(functools.partial(_lead, port), "127.0.0.1", 0)
    try:
        server = asyncio.run_coroutine_threadsafe(_awaited(opening), loop).result(60)
        yield server.sockets[0].getsockname()[1]
        asyncio.run_coroutine_threadsafe(_end(server), loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()


async def _awaited(opening: Coroutine[None, None, asyncio.Server]) -> asyncio.Server:
    return await opening


async def _end(server: asyncio.Server) -> None:
    server.close()
    sessions = asyncio.all_tasks() - {asyncio.current_task()}
    for session in sessions:
        session.cancel()
    await asyncio.gather(*sessions, return_exceptions=True)


async def _lead(port: int, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    far, on = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    await asyncio.gather(_pump(near, on), _pump(far, back))


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()


def tried(site: Installation, password: str) -> tuple[int, str]:
    """How gsasl ended, and what it printed."""
    with tunnel(site.submissions) as port:
        command = [
            program("gsasl"), "--smtp", f"--connect=127.0.0.1:{port}", "--mechanism=SCRAM-SHA-256",
            f"--authentication-id={USER}", f"--password={password}", "--authorization-id=", "--no-starttls",
        ]  # fmt: skip
        done = subprocess.run(
            command, input="QUIT\n", capture_output=True, text=True, check=False, timeout=120,
            env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def gsasl(site: Installation, password: str, code: int = 0) -> str:
    ended, said = tried(site, password)
    assert code == ended, said
    return said


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
    until(lambda: "535 5.7.8" in tried(site, PASSWORD)[1])
    site.signed_in(USER).quit()
    until(lambda: "235 2.7.0" in tried(site, PASSWORD)[1])
