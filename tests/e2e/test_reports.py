"""What senders are told of their mail, by a real server: what they asked for, once, and in their zone."""

import email
import email.message
import email.utils
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from covers import covers
from e2e.farhost import FarHost, refuse
from e2e.running import Installation

HELLO, LOCAL = "hello@example.com", "local@example.com"
POSTMASTER = "postmaster@example.com"
LETTER = "Subject: on its way\r\n\r\nhello\r\n"


@pytest.fixture
def far() -> Iterator[FarHost]:
    host = FarHost(refuse)
    yield host
    host.stop()


def site_with(tmp_path: Path, far: FarHost, queue: str = "", top: str = "") -> Installation:
    site = Installation(tmp_path / "site", extra=far.smarthost + f"[queue]\nfirst_retry_s = 1\n{queue}")
    site.settings.write_text(top + site.settings.read_text())
    for address in (HELLO, LOCAL):
        site.add_account(address)
    site.run("alias", "add", "away@example.com", "nobody@far.example")
    return site


def send(site: Installation, wishes: dict[str, str], options: str = "", account: str = HELLO) -> None:
    with site.signed_in(account) as client:
        client.docmd(f"MAIL FROM:<{account}> {options}".rstrip())
        for recipient, wish in wishes.items():
            assert 250 == client.docmd(f"RCPT TO:<{recipient}> {wish}".rstrip())[0]
        assert 250 == client.data(LETTER)[0]


def fields(report: bytes) -> list[email.message.Message]:
    """The groups of the machines' part: of the message, then of each recipient."""
    found = [part for part in email.message_from_bytes(report).walk()
             if part.get_content_type() == "message/delivery-status"]  # fmt: skip
    assert found, report
    groups = found[0].get_payload()
    assert isinstance(groups, list)
    return groups  # type: ignore[return-value]


def by_recipient(reports: list[bytes]) -> dict[str, email.message.Message]:
    groups = [group for each in reports for group in fields(each)[1:]]
    return {group["Final-Recipient"].partition("; ")[2]: group for group in groups}


def settled(site: Installation) -> None:
    """Nothing is left in the queue."""
    deadline = time.monotonic() + 60
    while site.run("queue", "list", "--json").strip() and time.monotonic() < deadline:
        time.sleep(0.1)


@covers("Q-16")
def test_each_recipient_is_reported_as_it_was_asked_for(tmp_path: Path, far: FarHost) -> None:
    """RFC 3461: NEVER, SUCCESS, FAILURE, nothing said; ORCPT, ENVID and RET stand in the report."""
    site = site_with(tmp_path, far)
    with site.serving():
        wishes = {
            "nobody.never@far.example": "NOTIFY=NEVER",
            "nobody.success@far.example": "NOTIFY=SUCCESS",
            "nobody.plain@far.example": "",
            "nobody.asked@far.example": "NOTIFY=FAILURE ORCPT=rfc822;first+2Bname@old.example",
            "friend@far.example": "NOTIFY=SUCCESS,FAILURE",
            "quiet@far.example": "NOTIFY=FAILURE",
            LOCAL: "NOTIFY=SUCCESS",
        }
        send(site, wishes, "ENVID=QQ+2B314 RET=HDRS")
        site.wait_for_letters(LOCAL, 1)
        settled(site)
        reports = site.letters(HELLO)
    told = by_recipient(reports)
    assert {
        "nobody.plain@far.example": "failed",
        "nobody.asked@far.example": "failed",
        "friend@far.example": "relayed",
        LOCAL: "delivered",
    } == {name: group["Action"] for name, group in told.items()}
    asked = told["nobody.asked@far.example"]
    assert ("rfc822; first+name@old.example", "5.1.1") == (asked["Original-Recipient"], asked["Status"])
    assert "smtp; 550 5.1.1 no such user" == asked["Diagnostic-Code"]
    assert {"QQ+314"} == {fields(each)[0]["Original-Envelope-Id"] for each in reports}
    assert 1 == sum(b"nobody.plain" in each and b"nobody.asked" in each for each in reports)
    for each in reports:
        assert b"text/rfc822-headers" in each and b"\nhello\n" not in each.replace(b"\r\n", b"\n")


@covers("Q-08")
@pytest.mark.parametrize(("zone", "offset_h"), [("Asia/Tokyo", 9), ("America/Phoenix", -7)])
def test_dates_of_bounces_have_the_offset_of_the_zone(
    tmp_path: Path, far: FarHost, zone: str, offset_h: int
) -> None:
    """Date of the report, Arrival-Date, and the Received field of what comes back."""
    site = site_with(tmp_path, far, top=f'zone = "{zone}"\n')
    with site.serving():
        send(site, {"nobody@far.example": ""})
        (report,) = site.wait_for_letters(HELLO, 1)
    whole = email.message_from_bytes(report)
    received = email.message_from_string(whole.get_payload()[2].get_payload()[0].as_string())["Received"]  # type: ignore
    for date in (whole["Date"], fields(report)[0]["Arrival-Date"], received.rpartition(";")[2]):
        moment = email.utils.parsedate_to_datetime(date.strip())
        assert timedelta(hours=offset_h) == moment.utcoffset(), date
        assert abs(moment.timestamp() - time.time()) < 300
    assert b"-0000" not in report


@covers("Q-18")
@pytest.mark.parametrize("policy", ["postmaster", "drop"])
def test_a_bounce_that_cannot_be_delivered(tmp_path: Path, far: FarHost, policy: str) -> None:
    """The postmaster has exactly one letter about it, or nobody has and one is counted; never a bounce of a
    bounce to its sender.
    """
    site = site_with(tmp_path, far, f'double_bounces = "{policy}"\n')
    with site.serving():
        with site.client() as client:
            client.sendmail("nobody.either@else.example", ["away@example.com"], LETTER)
        deadline = time.monotonic() + 60
        while len(far.sink.refused) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        settled(site)
        time.sleep(0.5)
        counts = json.loads(site.run("status", "--json"))["counts"]
        assert (1 if policy == "drop" else 0) == counts["double_bounces_dropped"]
        assert f"{counts['double_bounces_dropped']:9}  bounces that could not be" in site.run("status")
        letters = site.letters(POSTMASTER)
    assert (1 if policy == "postmaster" else 0) == len(letters)
    assert ["nobody@far.example", "nobody.either@else.example"] == far.sink.refused
    assert not far.sink.messages
    for letter in letters:
        assert letter.startswith(b"Return-Path: <>\n")
        assert {"nobody.either@else.example"} == set(by_recipient([letter]))
        assert b"nobody@far.example" in letter  # the bounce itself, with what it was about


@covers("Q-18")
def test_the_postmaster_is_not_told_of_his_own(tmp_path: Path, far: FarHost) -> None:
    """Where even the letter to the postmaster fails, that is the end."""
    site = site_with(tmp_path, far)
    site.run("domain", "set", "example.com", "--postmaster", "nobody.boss@far.example")
    with site.serving():
        with site.client() as client:
            client.sendmail("nobody.either@else.example", ["away@example.com"], LETTER)
        deadline = time.monotonic() + 60
        while len(far.sink.refused) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        settled(site)
        time.sleep(2)
    assert ["nobody.boss@far.example"] == far.sink.refused[2:]


def test_who_waits_long_is_told_once(tmp_path: Path, far: FarHost) -> None:
    """After `delay_warning_s`, for all recipients that want it together; not again at the next try, nor after
    a restart.
    """
    site = site_with(tmp_path, far, "delay_warning_s = 1\nlongest_retry_s = 1\n")
    with site.serving():
        wishes = {"busy.a@far.example": "", "busy.b@far.example": "NOTIFY=DELAY ORCPT=rfc822;b@old.example",
                  "busy.c@far.example": "NOTIFY=FAILURE", "friend@far.example": ""}  # fmt: skip
        send(site, wishes)
        (warning,) = site.wait_for_letters(HELLO, 1)
        time.sleep(3)
    with site.serving():
        time.sleep(3)
        assert [warning] == site.letters(HELLO)
    archive = b"".join(path.read_bytes() for path in (site.folder / "events").iterdir())
    assert 2 == archive.count(b'"kind":"delayed"') and b'"event":"troubled"' not in archive
    told = by_recipient([warning])
    assert {"busy.a@far.example": "delayed", "busy.b@far.example": "delayed"} == {
        name: group["Action"] for name, group in told.items()
    }
    assert "rfc822; b@old.example" == told["busy.b@far.example"]["Original-Recipient"]
    until = email.utils.parsedate_to_datetime(told["busy.a@far.example"]["Will-Retry-Until"])
    assert timedelta(days=4) < until - email.utils.parsedate_to_datetime(
        email.message_from_bytes(warning)["Date"]
    )
    assert {"4.2.1"} == {group["Status"] for group in told.values()}
