"""`sekisho queue` on a server's queue while it runs, and on the same queue when no server does."""

import json
import re
import smtplib
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from covers import covers
from e2e.running import Installation
from ports import free_port

REFUSING = free_port()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Installation]:
    """Five messages of anna and one of bob wait for a host that does not answer."""
    extra = f'[outbound.smarthost]\nhost = "[127.0.0.1]:{REFUSING}"\n[soften]\nsender_local = "delay"\n'
    site = Installation(tmp_path / "site", extra=extra)
    site.add_account("anna@example.com")
    site.add_account("bob@example.com")
    with site.serving():
        for name, count in (("anna", 5), ("bob", 1)):
            with site.signed_in(f"{name}@example.com") as client:
                for number in range(count):
                    letter = f"Subject: {name} {number}\r\n\r\nwords of {name}\r\n"
                    client.sendmail(f"{name}@example.com", [f"x{number}@far.example"], letter)
        yield site


def listed(site: Installation, *words: str) -> list[dict[str, object]]:
    out = site.run("queue", "list", "--json", *words)
    return [json.loads(line) for line in out.splitlines()]


@covers("T-01", partly="the selector --campaign: nothing finds campaigns yet")
def test_every_selector_finds_its_own(site: Installation) -> None:
    """By account, sender, recipient, subject, body, id, age and client; all that are given must match."""
    assert 6 == len(listed(site))
    assert 5 == len(listed(site, "--account", "anna@example.com"))
    assert 1 == len(listed(site, "--sender", "bob@*"))
    assert 2 == len(listed(site, "--recipient", "x0@far.example"))
    assert 6 == len(listed(site, "--recipient", "@far.example"))
    assert 1 == len(listed(site, "--subject", "ANNA 3"))
    assert 5 == len(listed(site, "--body", "words of anna"))
    assert 0 == len(listed(site, "--older", "3600"))
    assert 2 == len(listed(site, "--subject", "re:^anna [34]$"))
    assert 1 == len(listed(site, "--header", "subject: bob"))
    assert 6 == len(listed(site, "--header", r"re:^received: .*by mx\.example\.com"))
    assert 0 == len(listed(site, "--state", "purged"))
    assert 6 == len(listed(site, "--address", "127.0.0.0/8"))
    (row,) = listed(site, "--account", "anna@example.com", "--recipient", "x4@far.example")
    assert 1 == len(listed(site, "--id", str(row["message"])))
    assert ("anna@example.com", "127.0.0.1") == (row["account"], row["address"])


@covers("T-02")
def test_purge_shows_its_plan_and_can_be_undone(site: Installation) -> None:
    """--dry-run changes nothing; a purge is restored, held, by its action, also after a restart; then
    released."""
    site.run("queue", "purge", "--account", "anna@example.com", "--dry-run")
    assert 6 == len(listed(site))
    said = site.run("queue", "purge", "--account", "anna@example.com", "--yes")
    assert "5 deliveries of 5 messages" in said and "5 deliveries purged" in said
    assert 1 == len(listed(site))
    match = re.search(r"--held-by (\w+)", said)
    assert match
    site.stop()
    site.start()
    site.run("queue", "restore", "--held-by", match[1], "--yes")
    rows = listed(site, "--account", "anna@example.com")
    assert 5 == len(rows) and all(row["held_by"] for row in rows)
    site.run("queue", "release", "--account", "anna@example.com", "--yes")
    assert not any("held_by" in row for row in listed(site))


def test_without_a_server_the_command_owns_the_spool(site: Installation) -> None:
    """The same list and the same verbs; a second owner is refused while a server runs."""
    before = listed(site)
    site.stop()
    assert [row["delivery"] for row in before] == [row["delivery"] for row in listed(site)]
    site.run("queue", "hold", "--sender", "@example.com", "--yes")
    site.start()
    assert all(row["held_by"] for row in listed(site))


def test_bounce_tells_the_sender(site: Installation) -> None:
    """Given up by the operator, reported to the sender's own mailbox."""
    site.run("queue", "bounce", "--account", "bob@example.com", "--yes")
    (letter,) = site.wait_for_letters("bob@example.com", 1)
    assert b"multipart/report" in letter and b"x0@far.example" in letter


def test_mistakes_are_named(site: Installation) -> None:
    """No selector for a verb that destroys is 64; nothing that matches is 1."""
    assert "selector" in site.run("queue", "purge", "--yes", code=64)
    assert "nothing" in site.run("queue", "purge", "--account", "nobody@example.com", "--yes", code=1)
    assert "nothing" in site.run("queue", "show", "nosuchid", code=1)
    assert "--subject" in site.run("queue", "purge", "--subject", "re:(", "--yes", code=64)


@covers("T-05")
def test_a_line_has_all_that_a_postmaster_asks(site: Installation) -> None:
    """Id, sender, recipient, size, age, next try, last reply, account and client; and the same summed up."""
    deadline = time.monotonic() + 60
    rows = listed(site)
    while not any("last_reply" in row for row in rows) and time.monotonic() < deadline:
        time.sleep(0.1)
        rows = listed(site)
    row = next(row for row in rows if "last_reply" in row)
    assert row["sender"] == row["account"] and "127.0.0.1" == row["address"]
    assert str(row["recipient"]).endswith("@far.example")
    assert row["message"] and row["size"] and row["next_at"] > row["accepted_at"]  # type: ignore[operator]
    for name in ("accepted_at", "next_at", "expires_at"):
        assert datetime.fromisoformat(str(row[name])).tzinfo is not None
    assert "4.4.1" in str(row["last_reply"])
    assert [row["accepted_at"] for row in rows] == sorted(row["accepted_at"] for row in rows)  # type: ignore
    groups = listed(site, "--by", "account")
    assert [("anna@example.com", 5), ("bob@example.com", 1)] == [(g["name"], g["deliveries"]) for g in groups]
    assert ["far.example"] == [group["name"] for group in listed(site, "--by", "domain")]


@covers("T-05")
def test_a_letter_that_a_check_delays_says_so(site: Installation) -> None:
    """Which check, and why; as long as nobody has tried to deliver it."""
    with site.client() as client:
        client.sendmail("ghost@example.com", ["bob@example.com"], "Subject: boo\r\n\r\nx\r\n")
    (row,) = listed(site, "--recipient", "bob@example.com")
    assert "waiting" == row["state"]
    assert str(row["delayed_by"]).startswith("sender_local: softened from reject")
    assert f"delayed by {row['delayed_by']}" in site.run("queue", "list", "--recipient", "bob@example.com")
    assert not any("delayed_by" in each for each in listed(site, "--recipient", "@far.example"))
    site.run("queue", "retry", "--recipient", "bob@example.com", "--yes")
    site.wait_for_letters("bob@example.com", 1)


@covers("O-05")
@covers("T-01")
def test_the_server_takes_mail_while_the_queue_is_changed(site: Installation) -> None:
    """A greeting each 100 ms never fails through purges and restores, and a dry run counts what is done."""
    failed: list[Exception] = []
    greeted = threading.Event()
    over = threading.Event()

    def knock() -> None:
        while not over.wait(0.1):
            try:
                with site.client() as client:
                    client.noop()
                greeted.set()
            except (OSError, smtplib.SMTPException) as error:
                failed.append(error)

    knocking = threading.Thread(target=knock)
    knocking.start()
    for _ in range(3):
        words = ("--account", "anna@example.com")
        for verb, *more in (("purge",), ("restore",), ("release",)):
            planned = site.run("queue", verb, *words, "--dry-run", *more)
            assert 5 == json.loads(site.run("queue", verb, *words, "--dry-run", "--json"))["matched"]
            done = site.run("queue", verb, *words, "--yes", *more)
            assert "5 deliveries of 5 messages" in planned and "5 deliveries" in done.splitlines()[1]
    over.set()
    knocking.join()
    assert greeted.is_set() and [] == failed
