"""Where an address of ours leads, asked of a real server over SMTP."""

import smtplib
import time
from pathlib import Path

from covers import covers
from e2e.running import NEWS_S, Installation


def answer(client: smtplib.SMTP, sender: str, recipient: str) -> int:
    client.rset()
    client.mail(sender)
    return client.rcpt(recipient)[0]


def test_extensions_choose_a_folder(tmp_path: Path) -> None:
    """user+tag goes into the folder of that name, whatever its case, also behind an alias; none is made."""
    home = Installation(tmp_path / "state", extra='[local]\nextensions = "folder"\n')
    home.add_account("hello@example.com")
    home.run("alias", "add", "sales@example.com", "hello+orders@example.com")
    mailbox = tmp_path / "state" / "mail" / "example.com" / "hello" / "Maildir"
    for name in ("new", "cur", "tmp", ".Orders/new", ".Orders/cur", ".Orders/tmp"):
        (mailbox / name).mkdir(parents=True)
    with home.serving(), home.client() as client:
        for to in ("hello-orders", "sales", "hello+invented", "hello+a/b", "hello"):
            client.sendmail("x@far.example", [f"{to}@example.com"], f"Subject: {to}\r\n\r\n\r\n")
        home.wait_for_letters("hello@example.com", 3)
    orders = [path.read_bytes() for path in (mailbox / ".Orders" / "new").iterdir()]
    assert {b"Delivered-To: hello-orders@example.com", b"Delivered-To: hello+orders@example.com"} == {
        letter.splitlines()[1] for letter in orders
    }
    assert {".Orders", "cur", "new", "tmp"} == {path.name for path in mailbox.iterdir()}
    assert ["hello"] == [path.name for path in mailbox.parent.parent.iterdir()]


@covers("Q-03")
def test_lists_domains_and_the_catch_all(tmp_path: Path) -> None:
    """A list in a file, another name of a whole domain, extensions; bounces to invented names are refused."""
    home = Installation(tmp_path / "state")
    home.add_account("hello@example.com")
    home.add_account("bob@example.com")
    staff = tmp_path / "staff"
    staff.write_text("# who works here\nhello@example.com, bob+work@example.com\n")
    staff.chmod(0o644)
    home.run("alias", "add", "staff@example.com", f":include:{staff}")
    home.run("domain", "add", "example.org")
    home.run("alias", "add", "@example.org", "@example.com")
    with home.serving(), home.client() as client:
        client.sendmail("x@far.example", ["staff@example.com"], "Subject: one\r\n\r\nto all\r\n")
        client.sendmail("x@far.example", ["hello-web@example.org"], "Subject: two\r\n\r\nto hello\r\n")
        assert 550 == answer(client, "x@far.example", "invented@example.org")
        home.wait_for_letters("hello@example.com", 2)
        home.wait_for_letters("bob@example.com", 1)
        home.run("alias", "add", "@example.com", "hello@example.com")
        time.sleep(NEWS_S)
        assert 250 == answer(client, "x@far.example", "invented@example.org")
        assert 550 == answer(client, "", "invented@example.org")
        assert 250 == answer(client, "", "bob@example.org")
        staff.unlink()
        assert 451 == answer(client, "x@far.example", "staff@example.com")
