"""Letters that go on to other hosts: their return path leads back through us, and through us only back."""

import smtplib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.farhost import FarHost, report
from e2e.running import NEWS_S, Installation

WRITER, FRIEND = "Writer@else.example", "friend@far.example"
LETTER = "Subject: hello\r\n\r\nwords\r\n"


@pytest.fixture
def far() -> Iterator[FarHost]:
    host = FarHost()
    yield host
    host.stop()


@pytest.fixture
def site(tmp_path: Path, far: FarHost) -> Iterator[Installation]:
    extra = '[local]\ninstructions = "qmail"\n[returns]\nsign = "always"\nunsigned = "refuse"\n'
    site = Installation(tmp_path / "site", extra=far.smarthost + extra)
    for user in ("hello", "bob"):
        site.add_account(f"{user}@example.com")
    site.run("alias", "add", "sales@example.com", FRIEND, "bob@example.com")
    home = tmp_path / "site" / "mail" / "example.com" / "hello"
    home.mkdir(parents=True)
    (home / ".qmail").write_text(f"&{FRIEND}\n")
    (home / ".qmail").chmod(0o600)
    with site.serving():
        yield site


def answer(client: smtplib.SMTP, sender: str, recipient: str) -> int:
    client.rset()
    client.mail(sender)
    return client.rcpt(recipient)[0]


@pytest.mark.parametrize("name", ["sales@example.com", "hello@example.com"])
def test_a_bounce_of_a_forwarded_letter_finds_its_writer(site: Installation, far: FarHost, name: str) -> None:
    """By an alias or by a file; the copy that stays here names the writer himself; a bounce is let through,
    even where all that we have not signed is refused."""
    with site.client() as client:
        client.sendmail(WRITER, [name], LETTER)
    (sent,) = far.wait_for(1)
    path = sent.sender
    assert path.startswith("SRS0=") and path.endswith("=else.example=Writer@example.com")
    with site.client() as client:
        client.sendmail("", [path.lower()], report(path, FRIEND))
    back = far.wait_for(2)[1]
    assert ("", ["writer@else.example"]) == (back.sender, list(back.recipients))
    if name.startswith("sales"):
        (letter,) = site.wait_for_letters("bob@example.com", 1)
        assert letter.startswith(b"Return-Path: <Writer@else.example>\n")


def test_nobody_relays_by_it(site: Installation, far: FarHost) -> None:
    """No letter but a bounce, no other address, no invented hash."""
    with site.client() as client:
        client.sendmail(WRITER, ["sales@example.com"], LETTER)
    path = far.wait_for(1)[0].sender
    with site.client() as client:
        client.ehlo()
        assert 550 == answer(client, "spammer@evil.example", path)
        assert 550 == answer(client, "", path.replace("Writer", "victim"))
        assert 550 == answer(client, "", "SRS0=00000000=00=else.example=victim@example.com")
        assert 550 == answer(client, "", "SRS1=00000000=else.example==x=y=z=victim@example.com")
        assert 550 == answer(client, "", path.replace("example.com", "else.example"))
        assert 250 == answer(client, "", path)


def test_a_list_sends_as_its_owner(site: Installation, far: FarHost) -> None:
    """Who writes to the list, alone or beside another name, hears of no bounces: they are its owner's.
    What has no return path keeps that; `route test` says it."""
    site.run("alias", "add", "staff@example.com", FRIEND, "bob@example.com")
    site.run("alias", "add", "owner-staff@example.com", "hello@example.com")
    assert "all of the list staff@example.com" in site.run("route", "test", "staff@example.com")
    time.sleep(NEWS_S)
    with site.client() as client:
        client.sendmail(WRITER, ["staff@example.com", "bob@example.com"], LETTER)
        assert "owner-staff@example.com" == far.wait_for(1)[0].sender
        paths = {letter.splitlines()[0] for letter in site.wait_for_letters("bob@example.com", 2)}
        assert {b"Return-Path: <owner-staff@example.com>", f"Return-Path: <{WRITER}>".encode()} == paths
        receipt = "Content-Type: multipart/report; report-type=disposition-notification\r\n"
        client.sendmail("", ["staff@example.com"], receipt + LETTER)
        assert "" == far.wait_for(2)[1].sender
    with site.client() as client:
        client.sendmail(WRITER, ["staff@example.com"], f"Delivered-To: staff@example.com\r\n{LETTER}")
        assert "Writer@else.example" == far.wait_for(3)[2].recipients[0]


def test_what_our_own_people_write_is_not_rewritten(site: Installation, far: FarHost) -> None:
    """It has a return path of ours already."""
    with site.signed_in("bob@example.com") as client:
        client.sendmail("bob@example.com", ["hello@example.com"], LETTER)
        client.sendmail("bob@example.com", ["sales@example.com"], LETTER)
    assert all(sent.sender.startswith("prvs=") for sent in far.wait_for(2))
