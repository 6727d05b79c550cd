"""Automatic replies: who gets one (RFC 3834), and what it is."""

from datetime import UTC
from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.mail.autoreply import Autoreply, Away, declined, letter, person
from sekisho.mail.headers import Head, fields_of

REPLY = Autoreply("Away", "I am away.\n", addresses=("sales@example.com",))
AWAY = Away("hello@example.com", "hello@example.com", REPLY)
FRIEND = "friend@far.example"


def head(*lines: str) -> Head:
    return Head(fields_of("".join(f"{line}\r\n" for line in lines).encode()), 0)


@pytest.mark.parametrize(
    "line",
    [
        "To: hello@example.com",
        'TO: "Doe, Jane" <x@y.example>,\r\n\tHello <HELLO+news@Example.com>',
        "Cc: a@b.example, sales@example.com",
        "Resent-To: <hello-x@example.com>",
    ],
)
def test_a_letter_to_the_account_is_answered(line: str) -> None:
    """In any case, with an extension, by another of its names, in a folded field."""
    assert "" == declined(head(line), FRIEND, AWAY)
    assert "" == declined(head(line, "Auto-Submitted: no", "Precedence: first-class"), FRIEND, AWAY)


@pytest.mark.parametrize(
    "sender",
    [
        "",
        "mailer-daemon@far.example",
        "MAILER-DAEMON@far.example",
        "postmaster@far.example",
        "owner-list@far.example",
        "list-request@far.example",
        "list-owner@far.example",
        "no-reply@far.example",
        "noreply@far.example",
        "bounces+x=y@far.example",
        "hello@example.com",
        "Hello@Example.com",
        "prvs=abc=hello@example.com",
        "SRS0=h=d=far.example=mailer-daemon@other.example",
        '"odd name"@far.example',
        "ünï@far.example",
    ],
)
def test_machines_and_oneself_are_not_answered(sender: str) -> None:
    """By their names, also behind a signed or forwarded return path."""
    assert declined(head("To: hello@example.com"), sender, AWAY)


@pytest.mark.parametrize(
    "line",
    [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: auto-generated; owner-email=x@y",
        "auto-submitted:\r\n\tauto-notified",
        "List-Id: <x.y.example>",
        "List-Unsubscribe: <mailto:x@y.example>",
        "Precedence: bulk",
        "Precedence:  List ",
        "Precedence: junk",
        "X-Auto-Response-Suppress: DR, OOF",
        "X-Spam-Flag: YES",
    ],
)
def test_lists_and_bulk_are_not_answered(line: str) -> None:
    """RFC 3834 2."""
    assert declined(head("To: hello@example.com", line), FRIEND, AWAY)


@pytest.mark.parametrize(
    "line", ["To: other@example.com", "To: undisclosed:;", "Subject: hello@example.com", "To: "]
)
def test_what_does_not_name_the_account_is_not_answered(line: str) -> None:
    """A list or a blind copy: the writer did not write to this person."""
    assert "not addressed" == declined(head(line), FRIEND, AWAY)


def test_one_person_has_one_name() -> None:
    """Return paths that change with each letter are no new people."""
    assert FRIEND == person("Friend@far.example") == person("prvs=1234=friend@far.example")
    assert FRIEND == person("SRS0=hash=day=far.example=friend@forwarder.example")


def test_the_reply_is_a_letter() -> None:
    """From the account, to the return path, marked as automatic, in the thread; the text as it is."""
    asked = head("To: hello@example.com", "Message-ID: <1@far.example>")
    away = Away("hello@example.com", "hello@example.com", Autoreply("お休み\nBcc: x@y", "戻ります。\n.\n"))
    raw = letter(asked, FRIEND, away, ("id", "mx.example.com", 1_700_000_000_000_000, UTC))
    reply = message_from_bytes(raw, policy=policy.default)
    assert ("hello@example.com", FRIEND) == (reply["from"], reply["to"])
    assert ("auto-replied", "<1@far.example>") == (reply["auto-submitted"], reply["in-reply-to"])
    assert ("お休み Bcc: x@y", None) == (reply["subject"], reply["bcc"])
    assert "戻ります。\n.\n" == reply.get_content()


def test_a_strange_message_id_is_not_repeated() -> None:
    """What would break a header line or carry another."""
    for ident in ("<a b@c>", "<a@b>\r\n x", "words", "<" + "x" * 300 + "@y>"):
        raw = letter(head(f"Message-ID: {ident}"), FRIEND, AWAY, ("id", "mx", 1_700_000_000_000_000, UTC))
        assert b"In-Reply-To" not in raw


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=40), max_size=6), st.text(max_size=40))
def test_whatever_comes_is_judged(lines: list[str], sender: str) -> None:
    """Any head, any sender: a reason or none, and a reply of one sender and one recipient."""
    asked = Head(fields_of("".join(f"{line}\r\n" for line in lines).encode()), 0)
    declined(asked, sender, AWAY)
    person(sender)
