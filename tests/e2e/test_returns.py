"""Return paths on a real server: signed on the way out, known again on the way in, forged by nobody."""

import json
import re
import smtplib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from covers import covers
from e2e.farhost import FarHost, report
from e2e.running import Installation, queue_id
from waiting import until

HELLO, OTHER = "hello@example.com", "other@example.com"
FAR = "friend@far.example"
LETTER = "Subject: {subject}\r\n\r\nhello\r\n"


@pytest.fixture
def far() -> Iterator[FarHost]:
    host = FarHost()
    yield host
    host.stop()


def site_with(tmp_path: Path, far: FarHost, returns: str = "") -> Installation:
    site = Installation(tmp_path / "site", extra=far.smarthost + f"[returns]\n{returns}")
    for address in (HELLO, OTHER):
        site.add_account(address)
    return site


@pytest.fixture
def site(tmp_path: Path, far: FarHost) -> Iterator[Installation]:
    site = site_with(tmp_path, far)
    with site.serving():
        yield site


def send(site: Installation, *recipients: str, sender: str = HELLO, account: str = HELLO) -> str:
    """The message's id."""
    with site.signed_in(account) as client:
        client.mail(sender)
        for recipient in recipients:
            assert 250 == client.rcpt(recipient)[0]
        return queue_id(client.data(LETTER.format(subject="out"))[1])


def bring(site: Installation, path: str, letter: str, sender: str = "") -> str:
    """A stranger's host brings mail; the id it is kept under."""
    with site.client() as client:
        client.ehlo()
        client.mail(sender)
        code, text = client.rcpt(path)
        if code != 250:
            raise smtplib.SMTPRecipientsRefused({path: (code, text)})
        return queue_id(client.data(letter)[1])


def events(site: Installation, message: str, *kinds: str) -> list[dict[str, Any]]:
    """What `trace` knows of a message, once it knows of events of all these kinds."""

    def asked() -> list[dict[str, Any]]:
        code, said = site.tried("trace", "--json", message)
        told = [json.loads(line) for line in said.splitlines()] if code == 0 else []
        return told if set(kinds) <= {event["event"] for event in told} else []

    return until(asked)


def the(told: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in told if event["event"] == kind]


@covers("O-13")
def test_a_bounce_is_tied_to_the_message_and_its_account(site: Installation, far: FarHost) -> None:
    """The other host is told a signed path; what comes back to it stands in the trace of the message, with
    account, recipient and reply, and in the sender's mailbox under the real address.
    """
    message = send(site, FAR)
    (sent,) = far.wait_for(1)
    assert re.fullmatch(r"prvs=[0-9a-z]{32}=hello@example\.com", sent.sender)
    assert message not in sent.sender
    bounce = bring(site, sent.sender, report(sent.sender, FAR))
    (letter,) = site.wait_for_letters(HELLO, 1)
    assert letter.startswith(b"Return-Path: <>\nDelivered-To: hello@example.com\n")
    (back,) = the(events(site, message, "returned"), "returned")
    assert (HELLO, FAR, bounce) == (back["account"], back["recipient"], back["bounce"])
    assert {"code": 550, "status": "5.1.1", "text": "550 5.1.1 no such user"} == back["reply"]
    site.told(bounce, f"{bounce} came back for {FAR}: 550 5.1.1", "signed in from")


def test_forged_and_foreign_paths_lead_nowhere(site: Installation, far: FarHost) -> None:
    """Another address behind the token, a changed letter, an invented token: no mailbox, and no relay."""
    send(site, FAR)
    (sent,) = far.wait_for(1)
    token = sent.sender[5:37]
    for path in (
        f"prvs={token}=other@example.com",
        f"prvs={'0' if token[0] != '0' else '1'}{token[1:]}=hello@example.com",
        f"prvs={'0' * 32}=hello@example.com",
        f"prvs={token}=hello@far.example",
        f"prvs={token}=prvs={token}=hello@example.com",
    ):
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            bring(site, path, report(path, FAR))


def test_mail_that_answers_nothing_is_shown_and_no_evidence(site: Installation) -> None:
    """To the bare address: it arrives, and no event says that it returned."""
    bounce = bring(site, HELLO, report(HELLO, FAR))
    site.wait_for_letters(HELLO, 1)
    told = events(site, bounce, "accepted", "delivery_tried")
    assert not [event for event in told if event["event"] == "returned" or event.get("bounce_of")]


def test_a_letter_of_ours_that_comes_back_in(site: Installation, far: FarHost) -> None:
    """Forwarded to us by another host under our signed path it is taken as mail, not as a bounce; the owner
    may not be locked out of writing under it, and it is not signed twice. Its own bounce finds the way.
    """
    message = send(site, FAR)
    (sent,) = far.wait_for(1)
    bring(site, OTHER, LETTER.format(subject="forwarded"), sender=sent.sender)
    (letter,) = site.wait_for_letters(OTHER, 1)
    assert b"Subject: forwarded" in letter
    time.sleep(0.5)  # events are written every 200 ms
    assert not the(events(site, message, "accepted"), "returned")
    send(site, FAR, sender=sent.sender)
    again = far.wait_for(2)[1]
    assert 1 == again.sender.count("prvs=") and again.sender != sent.sender
    with site.signed_in(OTHER) as client:
        assert 553 == client.mail(sent.sender)[0]


def test_what_is_not_signed(tmp_path: Path, far: FarHost) -> None:
    """Nothing where the settings say never; not for plain destinations; not our own bounces and notices."""
    site = site_with(tmp_path, far, 'sign = "always"\nplain = ["*.lists.example"]')
    with site.serving():
        send(site, "list@a.lists.example")
        send(site, FAR)
        plain, signed = sorted(far.wait_for(2), key=lambda each: len(each.sender))
        assert HELLO == plain.sender and signed.sender.startswith("prvs=")
    site.settings.write_text(site.settings.read_text().replace('"always"', '"never"'))
    with site.serving():
        send(site, FAR)
        assert HELLO == far.wait_for(3)[2].sender
        bring(site, signed.sender, report(signed.sender, FAR))  # what has left is still known
        assert 1 == len(site.wait_for_letters(HELLO, 1))


@covers("O-13")
def test_backscatter_is_refused_where_that_is_wanted(tmp_path: Path, far: FarHost) -> None:
    """Bounces that answer nothing: 550 at the end of the letter, nobody has it. Answers to our own mail,
    receipts and the postmaster's mail are taken; RCPT alone is answered, as others ask whether we exist.
    """
    site = site_with(tmp_path, far, 'sign = "always"\nunsigned = "refuse"')
    with site.serving():
        with pytest.raises(AssertionError, match=r"5\.7\.1 This bounce answers no message of ours"):
            bring(site, HELLO, report(HELLO, FAR))
        receipt = report(HELLO, FAR).replace("delivery-status", "disposition-notification")
        bring(site, HELLO, receipt)
        bring(site, "postmaster@example.com", report(HELLO, FAR))
        send(site, FAR)
        path = far.wait_for(1)[0].sender
        bring(site, path, report(path, FAR))
        assert 2 == len(site.wait_for_letters(HELLO, 2))
    site.settings.write_text(site.settings.read_text().replace('"always"', '"unfamiliar"'))
    assert "returns.unsigned" in site.run("config", "check", code=78)
