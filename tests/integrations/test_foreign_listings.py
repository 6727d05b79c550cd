"""What Postfix's tools and Exim's spool say, and what they can be made to say."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.integrations import exim_queue, postfix_queue, qmail_queue, sendmail_queue
from sekisho.integrations.foreign import BadListing, returned_from, subject_in

EXIM = b"""1xVxsG-000000007e1-0R5a-H
nobody 65534 65534
<x@far.example>
1795554984 0
-received_time_usec .138360
--helo_name [127.0.0.1]
-host_address [2001:db8::7]:46280
--auth_id hello@example.com
-frozen 1795554990
YN a@far.example
NN d@far.example
4
a@far.example
b@far.example
c@far.example x@far.example 13,-1#1
d@far.example orcpt;x 10,2  0,-1#3

025F From: hello@example.com
--
017* Subject: marked

037  Subject: folded
\tand X-Fake: field
021  X-One: -auth_id bob
"""


def test_exim_fields() -> None:
    """Who was reached is left out, by the tree and by the journal; what is marked is no header any more."""
    letter = exim_queue.parsed("1xVxsG-000000007e1-0R5a", EXIM, b"b@far.example\n")
    assert ["c@far.example"] == [pending.address for pending in letter.recipients]
    assert ("hello@example.com", "2001:db8::7", "x@far.example", True) == (
        letter.account, letter.address, letter.sender, letter.held
    )  # fmt: skip
    assert 1795554984_000000 == letter.accepted_at


def test_exim_frozen_once() -> None:
    """What is put back is frozen, and only once."""
    thawed = EXIM.replace(b"-frozen 1795554990\n", b"")
    once = exim_queue.frozen(thawed, 5_000_000)
    assert b"1795554984 0\n-frozen 5\n-received" in once
    assert once == exim_queue.frozen(once, 6_000_000) and EXIM == exim_queue.frozen(EXIM, 7)


@pytest.mark.parametrize("ident", ["-Mrm", "1xVxsG-0007e1-0R/..", "1xVxsG-0007e1", "", "1xVxsG-0007e1-0R\n"])
def test_no_id_is_an_option_or_a_path(ident: str) -> None:
    """Ids stand on command lines and in paths."""
    assert not exim_queue.is_id(ident) and not postfix_queue.is_id(ident)


@given(st.binary(max_size=300), st.integers(0, len(EXIM)), st.integers(0, 200))
def test_exim_garbage_is_said_to_be_such(garbage: bytes, at: int, cut: int) -> None:
    """Whatever a damaged file holds: a letter or BadListing."""
    fields = EXIM[:at] + garbage + EXIM[at + cut :]
    try:
        exim_queue.parsed("1xVxsG-000000007e1-0R5a", fields)
        exim_queue.header_of(exim_queue.rest_of(fields))
    except BadListing:
        pass


GOOD = (
    b'{"queue_name": "hold", "queue_id": "4F1B2C", "arrival_time": 1795553061, "message_size": 340, '
    b'"forced_expire": false, "sender": "MAILER-DAEMON", '
    b'"recipients": [{"address": "a\\u202eb@far.example"}]}\n'
)


def test_a_line_of_postqueue() -> None:
    """Text of strangers is made harmless; the null sender is ours."""
    letter = postfix_queue.listed(GOOD)
    assert ("4F1B2C", "", True, "a\\u202eb@far.example") == (
        letter.id, letter.sender, letter.held, letter.recipients[0].address
    )  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        b"", b"{}", b"[]", b"postqueue: warning", GOOD[:-20], GOOD.replace(b"340", b'"x"'),
        GOOD.replace(b"4F1B2C", b"-d ALL"),
        GOOD.replace(b"4F1B2C", b"../../etc/passwd"), GOOD[:60],
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_is_refused(line: bytes) -> None:
    """Nothing is done on the strength of it."""
    with pytest.raises(BadListing):
        postfix_queue.listed(line)


def test_postcat_is_read_by_its_parts() -> None:
    """Attributes count in the envelope only, and the first of a name; a path that is none is not followed."""
    said = (
        b"*** ENVELOPE RECORDS deferred/4/4F1 ***\nnamed_attribute: sasl_username=hello\n"
        b"named_attribute: sasl_username=second\nsender: x\n*** MESSAGE CONTENTS deferred/4/4F1 ***\n"
        b"named_attribute: sasl_username=fake\n*** ENVELOPE RECORDS hold/BAD ***\nSubject: x\n"
        b"*** HEADER EXTRACTED deferred/4/4F1 ***\n*** MESSAGE FILE END deferred/4/4F1 ***\n"
        b"*** ENVELOPE RECORDS ../../x/4F2 ***\n*** MESSAGE CONTENTS ../../x/4F2 ***\n"
        b"*** HEADER EXTRACTED ../../x/4F2 ***\n"
    )
    found = dict(postfix_queue.envelopes(said.splitlines(keepends=True)))
    assert {"4F1": ("hello", "deferred/4/4F1"), "4F2": ("", "")} == {
        name: (one.account, one.place) for name, one in found.items()
    }


def test_what_a_bounce_returns() -> None:
    """The topmost Received of the returned letter, not of the bounce."""
    bounce = (
        b"Received: from mx (mx [198.51.100.1])\r\nSubject: no\r\n\r\nContent-Type: message/rfc822\r\n\r\n"
        b"Received: from laptop (x [IPv6:2001:db8::1])\r\n\tby mx; now\r\nReceived: from a ([192.0.2.1])\r\n"
    )
    assert "2001:db8::1" == returned_from(bounce)
    assert "" == returned_from(b"Received: from mx ([198.51.100.1])\r\n\r\n")
    assert b"a b" == subject_in(b"X: y\r\nSubject: a\r\n b\r\nSubject: z\r\n")


SENDMAIL = b"""V8
T1795555507
K0
N2
P30021
MDeferred: Connection refused by [127.0.0.1]
$_mx.theirs.example [192.0.2.7]
${auth_authen}hello@example.com
S<x@far.example>
rRFC822; a@far.example
RPFD:<a@far.example>
RPF:postmaster
H?P?Return-Path: <\x81g>
H??Received: from [127.0.0.1] (x)
\t(authenticated bits=0)
H??Subject: one
\ttwo
H??X: ${auth_authen}bob@example.com
.
"""


def test_sendmail_fields() -> None:
    """Macros count before the header only; what the delivery fills in is no header."""
    letter = sendmail_queue.parsed("6AOLP7lV006440", SENDMAIL, held=True)
    assert ("hello@example.com", "192.0.2.7", "x@far.example", 2, True) == (
        letter.account, letter.address, letter.sender, letter.tries, letter.held
    )  # fmt: skip
    assert ["a@far.example", "postmaster"] == [pending.address for pending in letter.recipients]
    assert "Deferred: Connection refused by [127.0.0.1]" == letter.recipients[0].reply
    assert b"Return-Path" not in sendmail_queue.header_of(SENDMAIL)
    once = sendmail_queue.quarantined(SENDMAIL)
    assert b"\nqsekisho\nS<x@" in once and once == sendmail_queue.quarantined(once)


@given(st.binary(max_size=200), st.integers(0, len(SENDMAIL)), st.integers(0, 100))
def test_sendmail_garbage_is_said_to_be_such(garbage: bytes, at: int, cut: int) -> None:
    """Whatever a damaged file holds: a letter or BadListing."""
    data = SENDMAIL[:at] + garbage + SENDMAIL[at + cut :]
    with contextlib.suppress(BadListing):
        sendmail_queue.parsed("6AOLP7lV006440", data, held=False)
    sendmail_queue.quarantined(data)


@given(st.binary(max_size=200))
def test_qmail_garbage_is_said_to_be_such(data: bytes) -> None:
    """Records, info, envelope, header."""
    for read in (lambda: list(qmail_queue.records(data)), lambda: qmail_queue.sender_of(data)):
        with contextlib.suppress(BadListing):
            read()
    with contextlib.suppress(BadListing):
        qmail_queue.envelope_of(data)
    qmail_queue.origin_of(b"Received: (qmail 1 invoked from network); x\n" + data)


@pytest.mark.parametrize(
    "field, account",
    [
        (b"from unknown (HELO x) (hello@example.com@192.0.2.7)\n  by mx with ESMTP", "hello@example.com"),
        (b"from unknown (HELO x) (hello@192.0.2.7)\n  by mx with ESMTPA", "hello"),
        (b"from unknown (HELO x) (ident@192.0.2.7)\n  by mx with SMTP", ""),
        (b"from unknown (HELO (a@10.0.0.1)) (192.0.2.7)\n  by mx with SMTP", ""),
        (b"from unknown (192.0.2.7)\n  by mx with SMTP", ""),
    ],
)
def test_qmail_says_who_has_logged_in(field: bytes, account: str) -> None:
    """Only what qmail-smtpd proved; a letter that brings such a field of its own proves nothing."""
    before = b"Received: (qmail 1 invoked from network); now\n"
    said = b"Received: " + field + b"; now\n"
    assert (account, "192.0.2.7") == (
        qmail_queue.origin_of(before + said).account, qmail_queue.origin_of(before + said).address
    )  # fmt: skip
    assert (
        "" == qmail_queue.origin_of(said).account == qmail_queue.origin_of(before + b"X: y\n" + said).account
    )
