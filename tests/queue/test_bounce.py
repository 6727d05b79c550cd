"""Reports on letters that could not be delivered: to whom, what they say, what they carry, what they never
do.
"""

import email
import email.header
import email.message
from datetime import UTC, timedelta, timezone

import pytest

from covers import covers
from sekisho.model.envelope import Envelope, Origin
from sekisho.model.phrase import Phrase
from sekisho.model.verdict import Reply
from sekisho.queue.bounce import LISTED_MAX, Bounce, Failure, Original, Reporter, bounce_for

NOW = 1_767_571_200_000_000
SENDER = "hana@example.com"
LETTER = (
    b"Received: here\r\nSubject: =?utf-8?B?44GT44KT44Gr44Gh44Gv?=\r\n"
    b"From: <hana@example.com>\r\n\r\nhello\r\n..dot\r\n"
)
EXPIRED = Reply(554, "5.4.7", "delivery time expired; last reply: 451 4.4.1 no answer")
NOBODY = Failure("nobody@example.net", Reply(550, "5.1.1", "no such user"))


def report(
    letter: bytes = LETTER,
    failures: tuple[Failure, ...] = (NOBODY,),
    sender: str | None = SENDER,
    limit: int = 50_000,
    say: object = str,
    **options: str,
) -> Bounce | None:
    envelope = Envelope(sender, (), Origin("s", "submission", NOW - 60_000_000), options)
    reporter = Reporter("mx.example.com", limit, timezone(timedelta(hours=9)), say)  # type: ignore[arg-type]
    return bounce_for(Original(envelope, letter), failures, reporter, "0123456789abcdefg", NOW)


def parsed(bounce: Bounce | None) -> email.message.Message:
    """As a reader gets it: dots unstuffed."""
    assert bounce is not None
    assert bounce.letter.endswith(b"\r\n") and b"\r\n.\r\n" not in bounce.letter
    wire = bounce.letter
    return email.message_from_bytes(wire.replace(b"\r\n.", b"\r\n"))


def parts(bounce: Bounce | None) -> list[email.message.Message]:
    payload = parsed(bounce).get_payload()
    assert isinstance(payload, list)
    return payload  # type: ignore[return-value]


def text_of(bounce: Bounce | None) -> str:
    payload = parts(bounce)[0].get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


@covers("Q-16")
def test_is_a_report_of_three_parts() -> None:
    """RFC 6522 and 3464: words, fields for machines, the letter."""
    bounce = report()
    message = parsed(bounce)
    assert "multipart/report" == message.get_content_type()
    assert "delivery-status" == message.get_param("report-type")
    assert ["text/plain", "message/delivery-status", "message/rfc822"] == [
        part.get_content_type() for part in parts(bounce)
    ]
    per_message, per_recipient = parts(bounce)[1].get_payload()
    assert "dns; mx.example.com" == per_message["Reporting-MTA"]
    assert "Mon, 5 Jan 2026 08:59:00 +0900" == per_message["Arrival-Date"]
    assert "rfc822; nobody@example.net" == per_recipient["Final-Recipient"]
    assert ("failed", "5.1.1") == (per_recipient["Action"], per_recipient["Status"])
    assert "smtp; 550 5.1.1 no such user" == per_recipient["Diagnostic-Code"]


def test_its_own_head() -> None:
    """To the return path, from nobody, marked as automatic (RFC 3834), with an id and a date of the zone."""
    message = parsed(report())
    assert f"<{SENDER}>" == message["To"]
    assert "auto-replied" == message["Auto-Submitted"]
    assert "<0123456789abcdefg@mx.example.com>" == message["Message-ID"]
    assert "Mon, 5 Jan 2026 09:00:00 +0900" == message["Date"]
    assert "<MAILER-DAEMON@mx.example.com>" in message["From"]
    assert "1.0" == message["MIME-Version"]
    assert "Your message was not delivered" == message["Subject"]


def test_the_letter_comes_back_byte_for_byte() -> None:
    """Wire form in, wire form out: dots, CRLF and odd bytes are those of the letter."""
    odd = b"Subject: caf\xe9\r\n\r\n..\r\n\xff\xfe\r\n--=_0123456789abcdefg--\r\n"
    bounce = report(odd)
    assert bounce is not None and b"\r\n\r\n" + odd + b"\r\n--=_0123456789abcdefg_--\r\n" in bounce.letter
    assert "8bit" == parsed(bounce)["Content-Transfer-Encoding"]
    assert 3 == len(parts(bounce))


@pytest.mark.parametrize("sender", [None, ""])
def test_a_report_is_never_reported_on(sender: str | None) -> None:
    """RFC 5321 4.5.5: without a return path there is nobody to tell."""
    assert report(sender=sender) is None


def test_nothing_failed() -> None:
    """No failures, no report."""
    assert report(failures=()) is None


@covers("Q-16")
@pytest.mark.parametrize(("over", "whole"), [(-1, True), (0, True), (1, False)])
def test_the_cap_is_exact(over: int, whole: bool) -> None:
    """A letter of just the cap comes back whole and says so; a byte more, and only its head does."""
    head = b"Subject: x\r\n\r\n"
    letter = head + b"y" * (1000 + over - len(head) - 2) + b"\r\n"
    bounce = report(letter, limit=1000)
    kind = parts(bounce)[2].get_content_type()
    assert ("message/rfc822" if whole else "text/rfc822-headers") == kind
    assert ("The message is attached." in text_of(bounce)) == whole
    assert ("Only the head" in text_of(bounce)) == (not whole)


@covers("Q-16")
def test_a_large_letter_makes_a_small_report() -> None:
    """5 MB fail, the report stays under the cap."""
    letter = b"Subject: large\r\n\r\n" + b"z" * 76 * 100 + b"\r\n"
    bounce = report(letter[:50_001] + b"w" * 50_000)
    assert bounce is not None and len(bounce.letter) < 50_000
    assert b"Subject: large\r\n" in bounce.letter and b"zzzz" not in bounce.letter


def test_a_head_that_is_too_large_is_cut_between_lines() -> None:
    """Whole lines only, never over the cap."""
    letter = b"".join(b"X-%04d: %s\r\n" % (number, b"v" * 50) for number in range(100)) + b"\r\nbody\r\n"
    bounce = report(letter, limit=1000)
    content = parts(bounce)[2].get_payload()
    assert isinstance(content, str) and len(content) <= 1000
    assert content.rstrip().endswith("v" * 50)


def test_without_any_letter() -> None:
    """A cap of nothing: the report has two parts, and says that the letter is not there."""
    bounce = report(limit=0)
    assert 2 == len(parts(bounce)) and "not attached" in text_of(bounce)


@covers("Q-16")
def test_the_sender_may_want_the_head_only() -> None:
    """RET=HDRS (RFC 3461 4.3)."""
    assert "text/rfc822-headers" == parts(report(RET="HDRS"))[2].get_content_type()
    assert "message/rfc822" == parts(report(RET="FULL"))[2].get_content_type()


def test_one_report_for_several_recipients() -> None:
    """Each with its own status and reply; one that lasted too long has the class 4 or 5 that it came with."""
    failures = (
        NOBODY,
        Failure("full@example.org", Reply(552, "5.2.2", "over quota")),
        Failure(
            "slow@example.org", Reply(554, "5.4.7", "delivery time expired; last reply: 451 4.4.1 no answer")
        ),
        Failure("old@example.org", Reply(550, "", "no")),
        Failure("later@example.org", Reply(450, "", "busy")),
    )
    bounce = report(failures=failures)
    groups = parts(bounce)[1].get_payload()
    assert ["5.1.1", "5.2.2", "5.4.7", "5.0.0", "4.0.0"] == [group["Status"] for group in groups[1:]]
    for failure in failures:
        assert f"<{failure.recipient}>" in text_of(bounce) and str(failure.reply) in text_of(bounce)
    assert bounce is not None and "Your message was not delivered to 5 recipients" == bounce.subject


def test_ten_thousand_failures_make_one_report() -> None:
    """The first are listed, all are counted, the size is bounded."""
    failures = tuple(
        Failure(f"r{number}@example.net", Reply(550, "5.1.1", "no such user " * 20))
        for number in range(10_000)
    )
    bounce = report(failures=failures)
    assert bounce is not None and len(bounce.letter) < 50_000
    listed = len(parts(bounce)[1].get_payload()) - 1
    assert 10 < listed <= LISTED_MAX
    assert f"and {10_000 - listed} more recipients" in text_of(bounce)


@pytest.mark.parametrize(
    "text",
    ["x\r\nBcc: <victim@example.net>", "x\r\n\r\n--=_0123456789abcdefg--", "こんにちは \x1b[31m", "y" * 5000],
)
def test_a_servers_words_stay_words(text: str) -> None:
    """Whatever a server said, it begins no header, ends no part, and stays short."""
    plain = b"Subject: plain\r\n\r\nhello\r\n"
    bounce = report(plain, failures=(Failure("a@example.net", Reply(550, "", text)),))
    message = parsed(bounce)
    assert message["Bcc"] is None and 3 == len(parts(bounce))
    (group,) = parts(bounce)[1].get_payload()[1:]
    assert ["Final-Recipient", "Action", "Status", "Diagnostic-Code"] == list(group)
    assert group["Diagnostic-Code"].isascii() and len(group["Diagnostic-Code"]) < 700


def test_the_words_are_in_the_readers_language() -> None:
    """Every sentence passes the catalogue; text of any language survives the way."""
    said: list[str] = []

    def say(sentence: Phrase) -> str:
        said.append(sentence.pattern)
        return "配達できませんでした。" + str(sentence)

    bounce = report(say=say)
    message = parsed(bounce)
    assert text_of(bounce).count("配達できませんでした。") == len(said) - 2
    from_, subject = (
        str(email.header.make_header(email.header.decode_header(message[name])))
        for name in ("From", "Subject")
    )
    assert subject.startswith("配達できませんでした。") and from_.startswith("配達できませんでした。")
    assert all(len(line) <= 998 and line.isascii() for line in bounce.letter.split(b"\r\n"))  # type: ignore[union-attr]


def test_names_the_letter() -> None:
    """Its subject, decoded and made harmless, and when it came."""
    assert '"こんにちは" of Mon, 5 Jan 2026 08:59:00 +0900' in text_of(report())
    assert "Your message of Mon" in text_of(report(b"From: x\r\n\r\nhi\r\n"))
    assert "\x1b" not in text_of(report(b"Subject: \x1b[31mred\r\n\r\nhi\r\n"))


def test_zone_of_greenwich() -> None:
    """UTC is +0000, never -0000."""
    envelope = Envelope(SENDER, (), Origin("s", "submission", NOW))
    reporter = Reporter("mx.example.com", 100, UTC, str)
    bounce = bounce_for(Original(envelope, LETTER), (NOBODY,), reporter, "0123456789abcdefg", NOW)
    assert parsed(bounce)["Date"].endswith("+0000")
