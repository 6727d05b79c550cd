"""The maker of reports: what it reads of a kept letter, and in which language it writes."""

import email
import hashlib
from datetime import UTC

from hosts import BODY, deliveries, letter, mx_route
from msgspec import structs

from covers import covers
from sekisho.model.config import Config, Queue
from sekisho.model.letter import Letter
from sekisho.model.verdict import Reply
from sekisho.service.bouncing import Bouncer
from sekisho.service.reporting import Report
from sekisho.testing.disk import FakeDisk

NO = Reply(550, "5.1.1", "no such user")
FAILED = [(delivery, NO) for delivery in deliveries(mx_route("example.net"), "b@example.net")]


def made(sent: Letter, disk: FakeDisk | None = None, limit: int = 50_000) -> Report | None:
    config = Config(hostname="mx.example.com", queue=Queue(bounce_bytes=limit))
    return Bouncer(disk or FakeDisk(), config, UTC)(sent, FAILED, "0123456789abcdefg", 0)


def test_a_report_is_a_letter() -> None:
    """Its digest and subject are those of the letter made; head and body of the original come back."""
    report = made(letter())
    assert report is not None
    assert hashlib.sha256(report.body).hexdigest() == report.digest
    assert ("a@me.example", b"", "Your message was not delivered") == (
        report.recipient,
        report.head,
        report.subject,
    )
    assert b"Received: x\r\n" + BODY in report.body


def test_none_for_the_null_sender() -> None:
    """Nobody is told."""
    assert made(letter(sender=None)) is None


@covers("Q-16")
def test_five_megabytes_come_back_as_their_head() -> None:
    """Of a letter in a file only what a report carries is read."""
    disk = FakeDisk()
    disk.make_folders("/bodies")
    disk.write_new("/bodies/m1", (b"Subject: large\r\n\r\n", b"z" * 78 * 65536))
    plain = letter()
    sent = structs.replace(plain, body=(), path="/bodies/m1")
    report = made(sent, disk)
    assert report is not None and len(report.body) < 50_000
    assert b"Subject: large\r\n" in report.body and b"zzzz" not in report.body
    gone = made(structs.replace(sent, path="/bodies/m2"), disk)
    assert gone is not None and b"Received: x\r\n" in gone.body


def test_in_the_language_of_the_account() -> None:
    """The account's own, else the operator's; an unknown one is the operator's too."""
    asked: list[str] = []

    def language(account: str) -> str:
        asked.append(account)
        return "ja"

    origin = structs.replace(letter().envelope.origin, account="a@me.example")
    sent = structs.replace(letter(), envelope=structs.replace(letter().envelope, origin=origin))
    report = Bouncer(FakeDisk(), Config(hostname="mx.example.com"), UTC, language)(sent, FAILED, "0" * 17, 0)
    assert report is not None and ["a@me.example"] == asked
    assert "multipart/report" == email.message_from_bytes(report.body).get_content_type()
