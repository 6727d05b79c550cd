"""`sekisho account instructions`: the steps of a `.qmail` or `.forward` file, as an operator reads them."""

from pathlib import Path

import pytest
from mailhome import MailHome

from covers import covers
from sekisho.model.account import Account
from sekisho.store.house import Change

CHANGE = Change(1, "test", "added", "x")


@pytest.fixture
def home(tmp_path: Path) -> MailHome:
    home = MailHome(tmp_path)
    with home.house() as house:
        house.save_account(Account("hello@example.com"), CHANGE)
        house.save_account(Account("mary-ann@example.com"), CHANGE)
    return home


def write(home: MailHome, user: str, name: str, data: bytes) -> Path:
    folder = home.folder / "mail" / "example.com" / user
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(data)
    path.chmod(0o600)
    return path


@covers("Q-11", partly="`sekisho import qmail`")
def test_the_steps_of_a_qmail_file(home: MailHome) -> None:
    """In words for people, in fields for programs."""
    data = b"./Maildir/ \r\n# no\r\n&bob@example.net\t\nmary\n| /usr/bin/filter x\n./mbox\n"
    write(home, "hello", ".qmail", data)
    (row,) = home("account", "instructions", "hello@example.com", "--json").rows()
    steps = [(step["line"], step["kind"], step["text"]) for step in row["steps"]]
    assert [
        (1, "maildir", "Maildir/"),
        (3, "forward", "bob@example.net"),
        (4, "forward", "mary@example.com"),
        (5, "program", "/usr/bin/filter x"),
        (6, "mbox", "mbox"),
    ] == steps
    assert ("mail/example.com/hello/.qmail", [], False) == (row["file"], row["flaws"], row["discards"])
    said = home("account", "instructions", "hello@example.com")
    assert (0, 6) == (said.code, len(said.out.splitlines()))
    assert "line 3: to bob@example.net" in said.out


def test_the_file_that_speaks_for_an_extension(home: MailHome) -> None:
    """By the account that the extension belongs to, whatever stands before it; else the mailbox."""
    write(home, "mary-ann", ".qmail-list", b"a@example.net\n")
    write(home, "mary-ann", ".qmail-default", b"b@example.net\n")
    (row,) = home("account", "instructions", "mary-ann-list@example.com", "--json").rows()
    assert "a@example.net" == row["steps"][0]["text"]
    (row,) = home("account", "instructions", "mary-ann+other@example.com", "--json").rows()
    assert "b@example.net" == row["steps"][0]["text"]
    (row,) = home("account", "instructions", "hello-x@example.com", "--json").rows()
    assert ("", "mailbox") == (row["file"], row["steps"][0]["kind"])


def test_a_wrong_line_is_found_before_mail_waits_for_it(home: MailHome) -> None:
    """Exit code 1; what stands in the file reaches the terminal harmlessly."""
    path = write(home, "hello", ".forward", b'"|/bin/x \x1b[31m", a@b@c, \\hello\n')
    said = home("account", "instructions", "hello@example.com", "--format", "forward", "--file", str(path))
    assert 1 == said.code
    assert "mail waits until the file is mended" in said.err
    assert "\x1b" not in said.out and r"\x1b[31m" in said.out
    assert "a@b@c is not a mail address" in said.out


def test_a_file_that_others_may_write_is_not_read(home: MailHome) -> None:
    """Nor one behind a link."""
    path = write(home, "hello", ".qmail", b"a@example.net\n")
    path.chmod(0o666)
    assert "chmod go-w" in home("account", "instructions", "hello@example.com").err
    path.unlink()
    path.symlink_to("/etc/hostname")
    assert "without following links" in home("account", "instructions", "hello@example.com").err
