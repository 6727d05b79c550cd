"""Debian's swaks, as a postmaster would try a new server: over 25, over 587 with TLS and a password, and
what fails."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import program
from covers import covers
from e2e.running import PASSWORD, Installation
from ports import free_port


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    site = Installation(tmp_path_factory.mktemp("site"))
    site.add_account("hello@example.com")
    site.add_account("bob@example.com")
    with site.serving():
        yield site


def swaks(*words: str, code: int = 0) -> str:
    command = [program("swaks"), "--server", "127.0.0.1", "--helo", "client.example.net", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert code == done.returncode, done.stdout + done.stderr
    return done.stdout


def test_mail_for_a_local_account_arrives(site: Installation) -> None:
    """Over port 25, without a password, from anywhere."""
    swaks(
        "--port",
        str(site.mx),
        "--from",
        "a@example.net",
        "--to",
        "bob@example.com",
        "--header",
        "Subject: one",
    )
    (letter,) = site.wait_for_letters("bob@example.com", 1)
    assert letter.startswith(b"Return-Path: <a@example.net>")
    assert b"Subject: one" in letter
    assert b"client.example.net" in letter


def test_a_submission_over_tls_with_a_password_arrives(site: Installation) -> None:
    """Over 587 with STARTTLS and over the port with TLS from the first byte; the account stands on the
    message."""
    login = ["--auth", "PLAIN", "--auth-user", "hello@example.com", "--auth-password", PASSWORD]
    mail = ["--from", "hello@example.com", "--to", "hello@example.com"]
    swaks("--port", str(site.submission), "-tls", *login, *mail)
    login[1] = "LOGIN"
    swaks("--port", str(site.submissions), "-tlsc", *login, *mail)
    letters = site.wait_for_letters("hello@example.com", 2)
    assert all(b"ESMTPSA" in letter for letter in letters)
    site.told(
        "hello@example.com", "hello@example.com signed in from 127.0.0.1", "delivered to hello@example.com"
    )


def test_a_wrong_password_gets_535(site: Installation) -> None:
    """The same text for an account that does not exist; swaks ends with its code for a failed AUTH."""
    said = []
    for user in ("hello@example.com", "nobody@example.com"):
        login = ["--auth", "PLAIN", "--auth-user", user, "--auth-password", "canary-password"]
        out = swaks("--port", str(site.submission), "-tls", *login, "--to", "bob@example.com", code=28)
        said.append([line for line in out.split("\n") if " 535 5.7.8" in line])
    assert said[0] == said[1] != []
    everything = b"".join(path.read_bytes() for path in site.folder.rglob("*") if path.is_file())
    assert b"canary-password" not in everything
    assert b"Y2FuYXJ5LXBhc3N3b3Jk" not in everything


def test_no_password_is_asked_for_without_tls(site: Installation) -> None:
    """AUTH is offered under TLS only, and refused when it is tried all the same."""
    login = ["--auth", "PLAIN", "--auth-user", "hello@example.com", "--auth-password", PASSWORD]
    out = swaks("--port", str(site.submission), *login, "--to", "bob@example.com", code=28)
    assert "AUTH" not in [line.split("-")[-1].split(" ")[0] for line in out.split("\n") if "250" in line]


@covers("Q-03", partly="extension addresses, explicit rejects and their order are tested in tests/store")
def test_an_unknown_recipient_gets_550(site: Installation) -> None:
    """At RCPT, with 5.1.1; a foreign one 5.7.1."""
    out = swaks("--port", str(site.mx), "--from", "a@example.net", "--to", "nobody@example.com", code=24)
    assert " 550 5.1.1 " in out
    out = swaks("--port", str(site.mx), "--from", "a@example.net", "--to", "x@elsewhere.example", code=24)
    assert " 550 5.7.1 " in out


def test_an_unknown_verb_gets_500(site: Installation) -> None:
    """And the session goes on."""
    with site.client() as client:
        client.ehlo()
        assert 500 == client.docmd("FNORD")[0]
        assert 250 == client.noop()[0]


def test_a_message_over_the_limit_gets_552(site: Installation, tmp_path: Path) -> None:
    """60 MB under the limit of 50: at MAIL when SIZE says so, and at the end when it does not."""
    with site.client() as client:
        client.ehlo()
        code, text = client.docmd("MAIL", "FROM:<a@example.net> SIZE=62914560")
        assert (552, b"5.3.4") == (code, text[:5])
        client.docmd("MAIL", "FROM:<a@example.net>")
        client.docmd("RCPT", "TO:<bob@example.com>")
        code, text = client.data(b"Subject: big\r\n\r\n" + (b"x" * 998 + b"\r\n") * 62_900)
        assert (552, b"5.3.4") == (code, text[:5])
        assert 250 == client.noop()[0]


@covers("O-07")
def test_a_sender_that_is_not_the_login_gets_553(site: Installation) -> None:
    """hello may not write as bob."""
    with site.signed_in("hello@example.com") as client:
        client.ehlo()
        code, text = client.docmd("MAIL", "FROM:<bob@example.com>")
        assert (553, b"5.7.1") == (code, text[:5])


def test_mail_goes_on_to_a_second_server(tmp_path: Path, site: Installation) -> None:
    """A smarthost setting sends it to another sekisho, which delivers it."""
    extra = f'[outbound.smarthost]\nhost = "[127.0.0.1]:{site.mx}"\ntls = "required"\n'
    first = Installation(tmp_path / "first", extra=extra)
    first.add_account("hello@example.com")
    before = len(site.letters("bob@example.com"))
    first.run("domain", "add", "first.example")
    first.add_account("anna@first.example")
    first.run("domain", "remove", "example.com", "--yes")
    with first.serving(), first.signed_in("anna@first.example") as client:
        client.sendmail("anna@first.example", ["bob@example.com"], b"Subject: from afar\r\n\r\nhello\r\n")
        letters = site.wait_for_letters("bob@example.com", before + 1)
    assert any(b"Subject: from afar" in letter and b"anna@first.example" in letter for letter in letters)


def test_a_peer_names_its_client_by_xclient(tmp_path: Path) -> None:
    """swaks as the proxy in front: the letter shows the client that it named; without a name, 503."""
    port = free_port()
    door = f'[listen.door]\naddress = "127.0.0.1:{port}"\nprotocol = "smtp"\nrequires_xclient = true\n'
    site = Installation(tmp_path / "site", extra=door + 'xclient_from = ["127.0.0.1"]\n')
    site.add_account("bob@example.com")
    mail = ["--port", str(port), "--from", "a@example.net", "--to", "bob@example.com"]
    with site.serving():
        swaks(*mail, "--xclient", "ADDR=192.0.2.77 NAME=client.example.net")
        (letter,) = site.wait_for_letters("bob@example.com", 1)
        assert b"[192.0.2.77]" in letter
        assert " 503 5.5.1 XCLIENT first" in swaks(*mail, code=23)
