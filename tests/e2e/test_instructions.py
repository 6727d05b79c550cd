"""`.qmail` files on a real server: forwards re-enter the queue, loops end, a crash doubles nothing."""

import time
from pathlib import Path

import pytest

from covers import covers
from e2e.running import Installation


def installed(folder: Path, processes: str = "one") -> Installation:
    home = Installation(folder / "state", processes=processes, extra='[local]\ninstructions = "qmail"\n')
    for user in ("hello", "bob", "ring"):
        home.add_account(f"{user}@example.com")
    return home


def says(home: Installation, user: str, name: str, text: str) -> None:
    place = home.folder / "mail" / "example.com" / user
    place.mkdir(parents=True, exist_ok=True)
    (place / name).write_text(text)
    (place / name).chmod(0o600)


@covers("Q-11", partly="`sekisho import qmail`")
@pytest.mark.parametrize("processes", ["one", "split"])
def test_forwards_go_on_and_loops_end(tmp_path: Path, processes: str) -> None:
    """A copy stays, a list by its extension, a large letter whole; a loop and a strange name are bounced."""
    home = installed(tmp_path, processes)
    says(home, "hello", ".qmail", "./Maildir/\n&bob@example.com\n")
    says(home, "hello", ".qmail-list", "bob\nnobody\n")
    says(home, "ring", ".qmail", "&ring-x@example.com\n")
    large = "x" * 70 + "\r\n"
    with home.serving(), home.client() as client:
        client.sendmail("bob@example.com", ["hello@example.com"], "Subject: one\r\n\r\n.dot\r\n")
        home.wait_for_letters("bob@example.com", 1)
        (letter,) = home.letters("bob@example.com")
        assert letter.startswith(b"Return-Path: <bob@example.com>\nDelivered-To: bob@example.com\n")
        assert b"Delivered-To: hello@example.com\n" in letter and letter.endswith(b"Subject: one\n\n.dot\n")
        client.sendmail("bob@example.com", ["hello@example.com"], f"Subject: two\r\n\r\n{large * 6000}")
        found = home.wait_for_letters("bob@example.com", 2)
        assert any(each.endswith(b"Subject: two\n\n" + (b"x" * 70 + b"\n") * 6000) for each in found)
        home.wait_for_letters("hello@example.com", 2)
        client.sendmail("bob@example.com", ["ring@example.com"], "Subject: loop\r\n\r\n\r\n")
        found = home.wait_for_letters("bob@example.com", 3)
        assert any(b"5.4.6" in each and b"looping" in each for each in found)
        client.sendmail("bob@example.com", ["hello-list@example.com"], "Subject: list\r\n\r\n\r\n")
        found = home.wait_for_letters("bob@example.com", 5)
        assert any(b"Final-Recipient: rfc822; nobody@example.com" in each for each in found)


def test_a_crash_neither_loses_nor_doubles_a_forward(tmp_path: Path) -> None:
    """Killed in the middle of forwarding, three times: each letter that got its 250 is there once."""
    home = installed(tmp_path)
    says(home, "hello", ".qmail", "&bob@example.com\n")
    home.start()
    sent = 0
    for _ in range(3):
        with home.client() as client:
            for _ in range(20):
                client.sendmail("x@far.example", ["hello@example.com"], f"Subject: {sent}\r\n\r\n\r\n")
                sent += 1
        home.kill()
        home.start()
    home.wait_for_letters("bob@example.com", sent, 90)
    time.sleep(1)
    letters = home.letters("bob@example.com")
    subjects = sorted(letter.split(b"Subject: ")[1].split(b"\n")[0] for letter in letters)
    assert sorted(b"%d" % number for number in range(sent)) == subjects
    home.stop()
