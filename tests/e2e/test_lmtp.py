"""Mail for our mailboxes handed to a real Dovecot by LMTP, through a real server."""

import contextlib
import email
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.dovecot import QUOTAS, Dovecot, dovecot
from e2e.running import Installation

LARGE = "Subject: large\r\n\r\n" + "x" * 70 + "\r\n" + ("y" * 70 + "\r\n") * 300
FULL = "Nothing more fits in here"


def test_dovecot_keeps_the_mailboxes(tmp_path: Path) -> None:
    """Two recipients of one letter arrive; whom Dovecot does not know is reported to the sender, here too."""
    names = ("anna", "bob", "carl")
    with beside_dovecot(tmp_path, *names) as (site, keeper):
        with site.signed_in("anna@example.com") as client:
            recipients = [f"{name}@example.com" for name in names]
            client.sendmail("anna@example.com", recipients, "Subject: three\r\n\r\n.dot\r\n")
        deadline = time.monotonic() + 60
        while len(keeper.letters("anna")) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        annas, bobs = keeper.letters("anna"), keeper.letters("bob")
        assert (2, 1) == (len(annas), len(bobs)), keeper.log()
    assert b"Subject: three" in bobs[0] and b"\n.dot\n" in bobs[0].replace(b"\r\n", b"\n")
    assert b"Return-Path: <anna@example.com>" in bobs[0]
    (report,) = [each for each in annas if b"multipart/report" in each]
    assert b"carl@example.com" in report and b"<bob@example.com>" not in report


@contextlib.contextmanager
def beside_dovecot(folder: Path, *names: str, extra: str = "") -> Iterator[tuple[Installation, Dovecot]]:
    """A server that hands mail to a Dovecot which has anna and bob; our accounts are `names`."""
    with dovecot("anna@example.com", "bob@example.com", extra=extra) as keeper:
        site = Installation(folder / "site", extra=f'[local]\nlmtp = "unix:{keeper.socket}"\n')
        for name in names:
            site.add_account(f"{name}@example.com")
        with site.serving():
            yield site, keeper


@pytest.fixture
def full(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Installation, Dovecot]]:
    """A letter is under way to bob, whose mailbox is too small for it."""
    early, later = request.param
    quotas = QUOTAS.format(size=10_000, early=early, later=later)
    with beside_dovecot(tmp_path, "anna", "bob", extra=quotas) as (site, keeper):
        with site.signed_in("anna@example.com") as client:
            client.sendmail("anna@example.com", ["bob@example.com"], LARGE, ["RET=HDRS"])
        yield site, keeper


def waiting(site: Installation) -> list[Any]:
    """The queue, once something in it has been tried."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        rows = [json.loads(line) for line in site.run("queue", "list", "--json").splitlines()]
        if any(row["last_reply"] for row in rows):
            return rows
        time.sleep(0.1)
    raise AssertionError(f"nothing was tried\n{site.log()}")


@pytest.mark.parametrize("full", [("no", "no"), ("yes", "no")], indirect=True, ids=["late", "at RCPT"])
def test_a_full_mailbox_that_refuses_is_reported(full: tuple[Installation, Dovecot]) -> None:
    """552 5.2.2 of Dovecot's quota: one bounce with its reply and its status; the mailbox stays as it was,
    and what fits still comes.
    """
    site, keeper = full
    deadline = time.monotonic() + 30
    while not keeper.letters("anna") and time.monotonic() < deadline:
        time.sleep(0.05)
    (report,) = keeper.letters("anna")
    with site.client() as client:
        client.sendmail("x@far.example", ["bob@example.com"], "Subject: small\r\n\r\nx\r\n")
    while not keeper.letters("bob") and time.monotonic() < deadline:
        time.sleep(0.05)
    (small,) = keeper.letters("bob")
    assert b"Subject: small" in small
    fields = email.message_from_bytes(report).get_payload()[1].get_payload()[1]  # type: ignore[union-attr,index]
    assert "5.2.2" == fields["Status"] and FULL in fields["Diagnostic-Code"]  # type: ignore[index]


@pytest.mark.parametrize("full", [("no", "yes"), ("yes", "yes")], indirect=True, ids=["late", "at RCPT"])
def test_a_full_mailbox_that_waits_is_tried_again(full: tuple[Installation, Dovecot]) -> None:
    """452 4.2.2: nobody is told, the letter stays in the queue with the reply that says why."""
    site, keeper = full
    (row,) = waiting(site)
    assert "bob@example.com" == row["recipient"] and "waiting" == row["state"]
    assert "4.2.2" in str(row["last_reply"]) and FULL in str(row["last_reply"])
    assert [] == keeper.letters("anna") == keeper.letters("bob")
