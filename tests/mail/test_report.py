"""Bounces of many programs: who failed, with what status; and nothing that anybody sends breaks it."""

import json
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.mail.report import READ_BYTES, TOLD_MAX, Told, read_report
from shared import shared

HEAD = "From: Mail <MAILER-DAEMON@mx.far.example>\nTo: hello@example.com\nSubject: returned\n"
CORPUS = "corpora/bounces_sisimai"
NO_BOUNCES = ("arf", "rfc3834")
"""Complaints and holiday answers: they are no bounces, and speak of no failed delivery."""

INTERNAL = ".9"
"""Statuses of the gold such as 5.0.921 are the makers' own names for what the bounce does not say."""


def read(body: str, head: str = HEAD) -> list[tuple[str, str, str]]:
    letter = (head + "\n" + body).replace("\n", "\r\n").encode()
    return [(told.recipient, told.action, told.status) for told in read_report(letter)]


def test_the_fields_for_machines() -> None:
    """Original and final recipient, folded diagnostics, several groups, success and delay told apart."""
    status = """\
Reporting-MTA: dns; mx.far.example
Arrival-Date: Thu, 1 Jan 2026 00:00:00 +0900

Original-Recipient: rfc822; first@old.example
Final-Recipient: rfc822; last@new.example
Action: failed (after much thought)
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1
  no such
  user

Final-Recipient: rfc822; <slow@new.example>
Action: delayed
Status: 4.4.1

Final-Recipient: rfc822; there@new.example
Action: delivered
Status: 2.0.0
"""
    head = HEAD + 'Content-Type: multipart/report; report-type=delivery-status; boundary="x"\n'
    body = f"--x\n\nwords\n--x\nContent-Type: message/delivery-status\n\n{status}\n--x--\n"
    first, second, third = read_report((head + "\n" + body).encode())
    assert Told("last@new.example", "first@old.example", "failed", "5.1.1", "550 5.1.1 no such user") == first
    assert ("slow@new.example", "delayed", "4.4.1") == (second.recipient, second.action, second.status)
    assert ("there@new.example", "delivered") == (third.recipient, third.action)


ORIGINAL = "Received: from a by b for <hello@example.com>\nFrom: hello@example.com\nTo: wrong@far.example\n"

QMAIL = """\
Hi. This is the program.

<gone@far.example>:
Sorry, no mailbox here. (#5.1.1)

--- Below this line is a copy of the message.

"""
EXIM = """\
A message that you sent could not be delivered:

  gone@far.example
    SMTP error after RCPT TO:<gone@far.example>: 550 unknown
  too@far.example
    550 unknown

------ This is a copy of the message ------

"""
SENDMAIL = """\
   ----- Transcript of session follows -----
>>> RCPT To:<gone@far.example>
<<< 550 who?
550 <gone@far.example>... User unknown

   ----- Unsent message follows -----
"""
EXCHANGE = """\
Your message

  To:      Somebody
  Subject: Hello

did not reach the following recipient(s):

gone@far.example on Thu, 1 Jan 2026 00:00:00 +0900
    The recipient name is not recognized
"""
SENTENCE = """\
There was an error delivering your mail to <gone@far.example>.

552 mailbox full

Message headers follow.

"""
SILENT = """\
It failed.

------ original message ------

Received: by b for <gone@far.example>
From: hello@example.com
"""
GONE = ["gone@far.example"]

WORDS = {
    "qmail": (QMAIL + ORIGINAL, GONE, "5.1.1"),
    "exim": (EXIM + ORIGINAL, [*GONE, "too@far.example"], "5.0.0"),
    "old sendmail": (SENDMAIL + ORIGINAL, GONE, "5.0.0"),
    "exchange": (EXCHANGE, GONE, ""),
    "in a sentence": (SENTENCE + ORIGINAL, GONE, "5.0.0"),
    "only the letter": (SILENT, GONE, ""),
}


@pytest.mark.parametrize("name", WORDS)
def test_the_words_of_programs(name: str) -> None:
    """Each in its own way; the sender, the daemon and what came back are no recipients."""
    body, recipients, status = WORDS[name]
    found = read(body)
    assert recipients == [recipient for recipient, _, _ in found]
    assert {"failed"} == {action for _, action, _ in found} and status == found[0][2]


def test_a_named_recipient_html_and_encodings() -> None:
    """X-Failed-Recipients; HTML with entities; base64 and quoted-printable."""
    assert [("gone@far.example", "failed", "")] == read(
        "It failed.", HEAD + "X-Failed-Recipients: gone@far.example\n"
    )
    html = "<p>Not delivered to</p><p><b>&lt;gone@far.example&gt;</b></p><p>550 5.1.1 no</p>"
    assert [("gone@far.example", "failed", "5.1.1")] == read(html, HEAD + "Content-Type: text/html\n")
    quoted = HEAD + "Content-Transfer-Encoding: quoted-printable\n"
    assert [("gone@far.example", "failed", "")] == read("Not delivered:\n\n<gone=40far.exa=\nmple>\n", quoted)
    packed = HEAD + "Content-Transfer-Encoding: base64\n"
    assert [("gone@far.example", "failed", "")] == read("PGdvbmVAZmFyLmV4YW1wbGU+Ogo=\n", packed)


def test_what_only_waits_and_what_is_no_bounce() -> None:
    """A warning is a delay; a complaint and a holiday answer say nothing of deliveries."""
    waiting = "Your message is delayed. We will keep trying.\n\n<slow@far.example>\n  451 4.4.1 no answer\n"
    assert [("slow@far.example", "delayed", "4.4.1")] == read(waiting)
    complaint = HEAD + 'Content-Type: multipart/report; report-type=feedback-report; boundary="x"\n'
    feedback = "Feedback-Type: abuse\nOriginal-Rcpt-To: a@b.example\n"
    body = f"--x\nContent-Type: message/feedback-report\n\n{feedback}--x--\n"
    assert [] == read(body, complaint)
    holiday = "From: anna@far.example\nTo: hello@example.com\nAuto-Submitted: auto-replied\n"
    assert [] == read("I am away. Ask boss@far.example\n", holiday)


def gold() -> list[tuple[str, list[dict[str, str]], bytes]]:
    folder = shared(CORPUS)
    rows = [json.loads(line) for line in (folder / "gold.jsonl").read_text().splitlines()]
    return [
        (row["file"], row["expect"], (folder / row["file"]).read_bytes())
        for row in rows
        if row["expect"] and row["engine"] not in NO_BOUNCES
    ]


def test_real_bounces() -> None:
    """Of 276 a recipient is found in 98 % or more, as many as there are, and the class of the status."""
    found = many = right = said = 0
    bounces = gold()
    for _, expect, letter in bounces:
        told = read_report(letter)
        found += bool(told)
        many += len({each.recipient for each in told}) == len(expect)
        if told and expect[0]["dsn"] and INTERNAL not in expect[0]["dsn"]:
            said += 1
            right += told[0].status[:1] == expect[0]["dsn"][0]
    assert found >= 0.98 * len(bounces) and many >= 0.97 * len(bounces), (found, many)
    assert right >= 0.95 * said, (right, said)


def test_real_bounces_cut_anywhere() -> None:
    """Every one, ended at places all over it, and with bytes missing in the middle: never an exception."""
    for _, _, letter in gold():
        step = max(97, len(letter) // 6)
        for end in range(0, len(letter), step):
            read_report(letter[:end])
            read_report(letter[end:])
            read_report(letter[: end // 2] + letter[end:])


PIECES = st.sampled_from(
    [
        *("--b\n", "--b--\n", "\n\n", "a@b.example", "<", ">", ":", "550 ", "&lt;", "\x00", "\udcff", "é"),
        "Content-Type: multipart/mixed; boundary=b\n",
        "Content-Type: message/delivery-status\n",
        "Content-Transfer-Encoding: base64\n",
        "Content-Type: text/html\n",
        *("Final-Recipient: rfc822;", "Status: 5.1.1\n", "Received: x\n", "To: ", "Action: failed\n"),
    ]
)


@given(st.one_of(st.binary(max_size=600), st.lists(PIECES, max_size=60)))
def test_any_letter(letter: bytes | list[str]) -> None:
    """Bytes, and what bounces are made of in any order: some recipients or none, each an address."""
    raw = letter if isinstance(letter, bytes) else "".join(letter).encode("utf-8", "surrogateescape")
    for told in read_report(raw):
        assert "@" in told.recipient and "\n" not in told.recipient + told.text and len(told.text) <= 400


HUGE: dict[str, Callable[[int], bytes]] = {
    "letters": lambda n: b"a" * n,
    "at signs": lambda n: b"@" * n,
    "half addresses": lambda n: b"a@" * (n // 2),
    "addresses": lambda n: b"<a@b.example>\n" * (n // 14),
    "addresses on a line": lambda n: b"to a@b.example " * (n // 15),
    "dashes": lambda n: b"-" * n,
    "blanks": lambda n: b" \t" * (n // 2),
    "quotes": lambda n: b">" * n,
    "tags": lambda n: b"Content-Type: text/html\n\n" + b"<a" * (n // 2),
    "open tags": lambda n: b"Content-Type: text/html\n\n" + b"<br" + b"x" * n,
    "entities": lambda n: b"Content-Type: text/html\n\n" + b"&amp" * (n // 4),
    "fields": lambda n: b"\n\n" + b"Final-Recipient: rfc822; a@b.example\n" * (n // 37),
    "folds": lambda n: b"\n\nDiagnostic-Code: smtp;" + b"\n x" * (n // 3),
    "head": lambda n: b"X: y\n" * (n // 5),
    "parts": lambda n: b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * (n // 7),
    "nested": lambda n: b"Content-Type: multipart/mixed; boundary=b\n\n--b\n" * (n // 46),
    "words": lambda n: b"recipient to for user failed " * (n // 29),
    "below": lambda n: b"below this is are a copy " * (n // 25),
    "nul": lambda n: bytes(n),
    "eight bit": lambda n: b"\xff\xe3" * (n // 2),
}  # fmt: skip


@pytest.mark.parametrize("name", HUGE)
def test_a_hostile_letter_takes_bounded_time(name: str) -> None:
    """A megabyte takes as long as what is read of it: well under a second."""
    for head in ("", HEAD + "\n"):
        begun = time.process_time()
        told = read_report(head.encode() + HUGE[name](1024 * 1024))
        assert time.process_time() - begun < 1.5, name
        assert len(told) <= TOLD_MAX
    assert READ_BYTES < 1024 * 1024
