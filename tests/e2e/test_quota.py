"""Quotas through a real server: at RCPT, at the final delivery, the letter at 90 percent, Courier's file."""

import time
from pathlib import Path

import pytest

from covers import covers
from e2e.running import Installation

BOB = "bob@example.com"


def send(site: Installation, text: str, recipient: str = BOB, size: int = 0) -> tuple[int, str]:
    """What the server said last."""
    with site.client() as client:
        client.ehlo()
        client.mail("a@example.net", [f"size={size}"] if size else [])
        code, said = client.rcpt(recipient)
        if code == 250:
            code, said = client.data(f"Subject: x\r\n\r\n{text}\r\n".encode())
        return code, said.decode()


def box(site: Installation) -> Path:
    return site.folder / "mail/example.com/bob/Maildir"


def sizes(site: Installation) -> tuple[int, int]:
    """What `maildirsize` adds up to."""
    lines = [line.split() for line in (box(site) / "maildirsize").read_text().splitlines()[1:]]
    return sum(int(line[0]) for line in lines), sum(int(line[1]) for line in lines)


@covers("Q-35")
@covers("Q-28")
@pytest.mark.parametrize("processes", ["one", "split"])
def test_a_full_mailbox(tmp_path: Path, processes: str) -> None:
    """452 4.2.2 at RCPT; what is in the queue already waits; a letter that fits is still taken; 552 when the
    settings say so, and room again when the operator gives it."""
    site = Installation(tmp_path / "site", processes=processes)
    site.add_account(BOB)
    site.run("alias", "add", "both@example.com", BOB, "away@example.net")
    assert "quota: 10240S,100C" in site.run("account", "set", BOB, "--quota", "10K,100") + site.run(
        "account", "show", BOB
    )
    with site.serving():
        assert 250 == send(site, "y" * 6000)[0]
        site.wait_for_letters(BOB, 1)
        code, said = send(site, "", size=6000)
        assert (452, True) == (code, said.startswith("4.2.2 "))
        code, said = send(site, "z" * 6000)  # it did not say how large it is
        assert (452, True) == (code, said.startswith("4.2.2 "))
        code, said = send(site, "z" * 12_000)
        assert (552, True) == (code, said.startswith("5.2.2 "))
        assert 250 == send(site, "z" * 6000, recipient="both@example.com")[0]  # others have room
        assert 250 == send(site, "small", recipient="both@example.com", size=1_000_000)[0]
        site.wait_for_letters(BOB, 2)
        deadline = time.monotonic() + 60
        while "452 4.2.2 Mailbox is full" not in site.run("queue", "list", "--recipient", BOB):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert sizes(site) == (sum(len(one) for one in site.letters(BOB)), 2)
        site.settings.write_text(site.settings.read_text() + '[local]\nover_quota = "refuse"\n')
    with site.serving():
        code, said = send(site, "", size=6000)
        assert (552, True) == (code, said.startswith("5.2.2 "))
        site.run("account", "set", BOB, "--quota", "none")
        time.sleep(0.3)
        assert 250 == send(site, "", size=6000)[0]


@covers("Q-35")
def test_one_of_two_recipients_can_never_take_it(tmp_path: Path) -> None:
    """The letter is larger than his whole quota: he bounces at once, the other one has it."""
    site = Installation(tmp_path / "site")
    carol = "carol@example.com"
    site.add_account(BOB)
    site.add_account(carol)
    site.run("account", "set", BOB, "--quota", "10K")
    with site.serving():
        with site.signed_in(carol) as client:
            client.mail(carol)
            assert [250, 250] == [client.rcpt(each)[0] for each in (BOB, carol)]
            assert 250 == client.data(b"Subject: x\r\n\r\n" + b"z" * 12_000 + b"\r\n")[0]
        letters = site.wait_for_letters(carol, 2)
        (report,) = [one for one in letters if b"multipart/report" in one]
        assert b"Final-Recipient: rfc822; bob@example.com" in report and b"Status: 5.2.2" in report
        assert [] == site.letters(BOB)


@covers("Q-35")
def test_the_owner_is_told_once_at_ninety_percent(tmp_path: Path) -> None:
    """In his language, by a letter in the mailbox; the next letters bring no other."""
    site = Installation(tmp_path / "site")
    site.add_account(BOB)
    site.run("account", "set", BOB, "--language", "ja")
    site.run("domain", "set", "example.com", "--quota", "20K")
    with site.serving():
        assert 250 == send(site, "y" * 17_500)[0]
        letters = site.wait_for_letters(BOB, 1)
        assert 250 == send(site, "y" * 700)[0]
        letters = site.wait_for_letters(BOB, 3)
        (notice,) = [one for one in letters if b"Auto-Submitted: auto-generated" in one]
        assert b"From: sekisho <postmaster@example.com>" in notice and b"Subject: =?utf-8?" in notice
        assert 250 == send(site, "")[0]
        site.wait_for_letters(BOB, 4)
        time.sleep(0.5)
        assert 4 == len(site.letters(BOB))
        assert sizes(site) == (sum(len(one) for one in site.letters(BOB)), 4)


@covers("Q-35")
def test_a_mailbox_of_couriers_is_taken_over(tmp_path: Path) -> None:
    """Its `maildirsize` is believed, continued, and its quota holds though nobody has told us of one."""
    site = Installation(tmp_path / "site")
    site.add_account(BOB)
    for name in ("tmp", "new", "cur", ".Sent/cur"):
        (box(site) / name).mkdir(parents=True)
    (box(site) / "cur/1380000000.M1P1.host,S=5000:2,S").write_bytes(b"x" * 5000)
    (box(site) / ".Sent/cur/1380000001.M1P1.host:2,").write_bytes(b"x" * 200)
    text = b"      9000S,1000C\n      5000         1\n       200         1\n".lstrip()
    (box(site) / "maildirsize").write_bytes(text)
    with site.serving():
        assert 250 == send(site, "y" * 1000)[0]
        (letter,) = site.wait_for_letters(BOB, 1)
        assert text + f"{len(letter)} 1\n".encode() == (box(site) / "maildirsize").read_bytes()
        assert 250 == send(site, "z" * 3000)[0]  # a quota that nobody has told us of is seen at delivery
        deadline = time.monotonic() + 60
        while "452 4.2.2 Mailbox is full" not in site.run("queue", "list", "--recipient", BOB):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert 1 == len(site.letters(BOB))
