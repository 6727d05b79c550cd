"""What is done to a letter on its way in, and who is named in it: submissions are completed, relayed mail is
not touched; percent signs and exclamation marks lead nowhere else.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from covers import covers
from e2e.running import Installation

HELLO = "hello@example.com"
ODD = "a%b@example.com"
BARE = "Subject: bare\r\nX-Odd :  spaces  \r\n\r\n.a dot\r\n caf=E9\t\r\n\r\n"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Installation]:
    site = Installation(tmp_path / "site")
    for address in (HELLO, ODD):
        site.add_account(address)
    with site.serving():
        yield site


def below_ours(letter: bytes) -> bytes:
    """Without Return-Path and the one Received field that we wrote."""
    head, received, rest = letter.replace(b"\r\n", b"\n").partition(b"Received: ")
    assert received and head.count(b"\n") <= 2, letter
    return rest[re.search(rb"\n(?![ \t])", rest).end() :]  # type: ignore[union-attr]


@covers("Q-33")
def test_what_is_submitted_is_completed_and_what_is_relayed_is_not_touched(site: Installation) -> None:
    """Date and Message-ID for who has logged in, once each; from a stranger the same bytes below Received."""
    with site.client() as client:
        client.sendmail("a@example.net", [HELLO], BARE)
    (relayed,) = site.wait_for_letters(HELLO, 1)
    assert BARE.replace("\r\n", "\n").encode() == below_ours(relayed)
    with site.signed_in(HELLO) as client:
        client.sendmail(HELLO, [HELLO], BARE)
        client.sendmail(HELLO, [HELLO], "Date: x\r\nMessage-ID: <own@example.com>\r\n" + BARE)
    submitted = [letter for letter in site.wait_for_letters(HELLO, 3) if letter != relayed]
    bare, whole = sorted(submitted, key=lambda letter: b"<own@" in letter)
    given = re.findall(rb"\nMessage-ID: <\w+@mx\.example\.com>\r?\n", bare)
    assert 1 == bare.count(b"\nDate: ") == len(given)
    assert 1 == whole.count(b"Date: x") == whole.count(b"\nDate: ") == whole.count(b"\nMessage-ID: ")


@covers("Q-29")
@pytest.mark.parametrize("shown", ["address", "token", "none"])
def test_who_has_sent_it_is_told_as_the_settings_say(tmp_path: Path, shown: str) -> None:
    """Address, token or nothing in the letter; the token leads the operator to account, address and time."""
    site = Installation(tmp_path / "site")
    site.settings.write_text(f'show_client = "{shown}"\n' + site.settings.read_text())
    site.add_account(HELLO)
    with site.serving():
        with site.signed_in(HELLO) as client:
            client.sendmail(HELLO, [HELLO], BARE)
        (letter,) = site.wait_for_letters(HELLO, 1)
        assert (shown == "address") == (b"[127.0.0.1]" in letter) == (b"laptop" in letter)
        token = re.search(rb"\(token (\w+)\)", letter)
        assert (shown == "token") == (token is not None)
        if token is not None:
            told = site.told(token[1].decode(), f"{HELLO} signed in from 127.0.0.1")
            assert re.match(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d", told)


@covers("Q-19")
def test_no_address_leads_anywhere_else(site: Installation) -> None:
    """Percent hack, bang path, quoted at, source route are refused; a user of such a name has mail."""
    with site.client() as client:
        client.ehlo()
        client.mail("a@example.net")
        for path in (
            "victim%evil.example@example.com",
            "evil.example!victim@example.com",
            '"victim@evil.example"@example.com',
            "@example.com:victim@evil.example",
            "victim@evil.example",
            "victim@[127.0.0.1]",
        ):
            code, _ = client.docmd(f"RCPT TO:<{path}>")
            assert 550 == code, path
        assert 250 == client.docmd(f"RCPT TO:<{ODD}>")[0]
        assert 250 == client.data(BARE)[0]
    deadline = time.monotonic() + 60
    while not (found := list(site.folder.glob("mail/example.com/a*b/Maildir/new/*"))):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert 1 == len(found)
