"""SIGHUP after SIGHUP while mail comes in: nobody is refused, no letter is lost or doubled, and everything
new counts."""

import os
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from conftest import program
from covers import covers
from e2e.running import Installation
from e2e.slowhost import SlowHost

MESSAGES, SESSIONS = 1500, 20
BOB, ANNA = "bob@example.com", "anna@example.com"
RELAYED = "hosts = {{ 'far.example' = '[127.0.0.1]:{port}' }}\nhelo = '{helo}'\n"


@pytest.fixture(params=["one", "split"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    site = Installation(tmp_path / "site", processes=request.param)
    site.add_account(BOB)
    with site.serving():
        yield site


def hang_up(site: Installation) -> None:
    assert site.server is not None
    site.server.send_signal(signal.SIGHUP)


EARLY = """
import importlib, os, signal, sys
from sekisho.cli import main
load = importlib.import_module
def loading(name):
    os.kill(os.getpid(), signal.SIGHUP)
    return load(name)
importlib.import_module = loading
main.run()
"""
"""The command, and a SIGHUP as soon as it begins to load the server."""


@pytest.mark.parametrize("processes", ["one", "split"])
def test_a_hangup_while_it_starts_ends_no_server(tmp_path: Path, processes: str) -> None:
    """It is kept from the first moment, and settings are read once more when the server is there."""
    site = Installation(tmp_path / "site", processes=processes)
    command = [sys.executable, "-c", EARLY, "serve", "-c", str(site.settings)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as server:
        assert server.stdout is not None
        assert b"listening on" in server.stdout.readline()
        time.sleep(0.5)
        assert server.poll() is None
        server.terminate()
        assert 0 == server.wait(60)


def new_certificate(site: Installation, authority: trustme.CA) -> bytes:
    """Puts one in place, as a client for certificates does: the certificate first, then its key."""
    issued = authority.issue_cert("mx.example.com")
    for name, blob in (("cert.pem", issued.cert_chain_pems[0]), ("key.pem", issued.private_key_pem)):
        fresh = site.folder / "keys" / f".{name}"
        fresh.write_bytes(blob.bytes())
        os.replace(fresh, site.folder / "keys" / name)
    return ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())


def shown(site: Installation) -> bytes:
    """The certificate of a session that begins now."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", site.submissions), timeout=30) as line,
        context.wrap_socket(line) as tls,
    ):
        assert tls.recv(100).startswith(b"220 ")
        return tls.getpeercert(binary_form=True) or b""


@contextmanager
def reloading(site: Installation) -> Iterator[list[int]]:
    """Ten SIGHUPs a second, with new certificates and now and then settings that are wrong."""
    over, count, text = threading.Event(), [0], site.settings.read_text()
    authority = trustme.CA()

    def work() -> None:
        while not over.wait(0.1):
            count[0] += 1
            new_certificate(site, authority)
            key = "recipient" if count[0] % 5 == 4 else "message_bytes"
            site.settings.write_text(text.replace("[limits]", f"[limits]\n{key} = {2_000_000 + count[0]}"))
            hang_up(site)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield count
    finally:
        over.set()
        worker.join()
        site.settings.write_text(text)


def wait_until(true: Callable[[], bool], within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert true()


@covers("Q-10", partly="the package on an image of another distribution")
def test_every_letter_arrives_once_while_settings_are_read_again(site: Installation) -> None:
    """smtp-source, with and without a connection for each letter: one refusal of any kind would end it with
    1."""
    source = [program("smtp-source"), "-d", "-s", str(SESSIONS), "-m", str(MESSAGES), "-l", "2000"]
    with site.client() as idle, reloading(site) as count:
        idle.ehlo()
        for command in (source, [word for word in source if word != "-d"]):
            where = ["-f", "a@far.example", "-t", BOB, f"127.0.0.1:{site.mx}"]
            done = subprocess.run([*command, *where], capture_output=True, text=True, timeout=200)
            assert 0 == done.returncode, done.stderr
        assert 250 == idle.noop()[0], "a session under way goes on"
    assert count[0] >= 5
    letters = site.wait_for_letters(BOB, 2 * MESSAGES)
    assert 2 * MESSAGES == len(set(site.ids(BOB))) == len(letters)
    assert "limits.recipient" in site.log() and "Traceback" not in site.log()


def test_what_is_new_counts_from_the_next_session_on(site: Installation) -> None:
    """Certificate, limits, name, and an account that was added meanwhile, without any SIGHUP."""
    before = shown(site)
    fresh = new_certificate(site, trustme.CA())
    assert before != fresh
    text = site.settings.read_text()
    site.settings.write_text(text.replace('"mx.example.com"', '"new.example.com"'))
    hang_up(site)
    wait_until(lambda: fresh == shown(site))
    with site.client() as client:
        assert b"new.example.com" in client.ehlo()[1]
    site.add_account(ANNA)
    with site.signed_in(ANNA) as client:
        client.sendmail(ANNA, [BOB], "Subject: x\r\n\r\nx\r\n")
    site.wait_for_letters(BOB, 1)


def test_a_key_that_does_not_fit_changes_nothing(site: Installation) -> None:
    """The sentence names the file; the old certificate goes on to be shown, and so do the old limits."""
    before = shown(site)
    key = (site.folder / "keys" / "key.pem").read_bytes()
    stranger = trustme.CA().issue_cert("x.example")
    (site.folder / "keys" / "key.pem").write_bytes(stranger.private_key_pem.bytes())
    text = site.settings.read_text()
    site.settings.write_text(text.replace("[limits]", "[limits]\nmessage_bytes = 4096"))
    hang_up(site)
    wait_until(lambda: "cert.pem: not a certificate with its key" in site.log())
    assert before == shown(site)
    with site.client() as client:
        client.ehlo()
        assert "4096" != client.esmtp_features["size"]
    (site.folder / "keys" / "key.pem").write_bytes(key)
    hang_up(site)

    def smaller() -> bool:
        with site.client() as client:
            client.ehlo()
            return client.esmtp_features["size"] == "4096"

    wait_until(smaller)


def test_what_only_a_restart_changes_is_named(site: Installation) -> None:
    """Another address of a listener, a new listener: one sentence, each time; the rest is in force."""
    text = site.settings.read_text()
    more = text.replace(f":{site.mx}", ":0") + "\n[listen.more]\naddress = '127.0.0.1:0'\nprotocol = 'smtp'\n"
    site.settings.write_text(more)
    hang_up(site)
    wait_until(lambda: "restart: listen.more, listen.mx.address" in site.log())
    with site.client() as client:
        assert 250 == client.noop()[0]
    hang_up(site)
    wait_until(lambda: 2 == site.log().count("restart: listen.more, listen.mx.address"))


def test_mail_out_and_bounces_go_by_the_new_settings(site: Installation) -> None:
    """The next hop, the name in EHLO, and the name in a report."""
    host = SlowHost(0)
    port = host.start("127.0.0.1", 0)
    text = site.settings.read_text()
    site.settings.write_text(
        text.replace("[outbound]\n", "[outbound]\n" + RELAYED.format(port=port, helo="out.example.net"))
        .replace('"mx.example.com"', '"new.example.com"')
        .replace("[limits]", "[queue]\nbounce_bytes = 0\n[limits]")
    )
    hang_up(site)
    wait_until(lambda: shown_name(site) == "new.example.com")
    try:
        with site.signed_in(BOB) as client:
            client.sendmail(BOB, ["x@far.example"], "Subject: x\r\n\r\nx\r\n")
            client.sendmail(BOB, ["nobody@far.example"], "Subject: y\r\n\r\nbody of it\r\n")
        wait_until(lambda: ["x@far.example"] == host.taken)
        assert {"out.example.net"} == set(host.names)
        (bounce,) = site.wait_for_letters(BOB, 1)
        assert b"new.example.com" in bounce and b"body of it" not in bounce
    finally:
        host.stop()


def shown_name(site: Installation) -> str:
    with site.client() as client:
        return client.ehlo()[1].decode().split()[0]


def test_idle_sessions_are_told_and_transactions_end(site: Installation) -> None:
    """SIGTERM: 421 to who does nothing, the reply to who is sending, nobody new, and the end with 0."""
    assert site.server is not None
    with site.client() as busy:
        idle = site.client()
        busy.ehlo()
        busy.mail("a@example.net")
        busy.rcpt(BOB)
        busy.putcmd("data")
        assert 354 == busy.getreply()[0]
        site.server.send_signal(signal.SIGTERM)
        assert (421, "4.3.2") == _code_and_status(idle)
        idle.close()
        with pytest.raises((OSError, smtplib.SMTPException)):
            site.client(5)
        busy.send(b"Subject: last\r\n\r\nx\r\n.\r\n")
        assert 250 == busy.getreply()[0]
    assert 0 == site.server.wait(60), site.log()


def _code_and_status(client: smtplib.SMTP) -> tuple[int, str]:
    code, text = client.getreply()
    return code, text.decode().split()[0]
