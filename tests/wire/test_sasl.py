"""AUTH PLAIN and LOGIN: what is well formed reaches the vault, and nothing else does."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.model.verdict import Reply
from sekisho.wire import replies
from sekisho.wire.sasl import (
    IDENTITY_OCTETS,
    MECHANISMS,
    PASSWORD_OCTETS,
    Challenge,
    Credentials,
    Exchange,
    Outcome,
)


def encoded(text: bytes) -> bytes:
    return base64.b64encode(text)


def plain(message: bytes) -> Outcome:
    return Exchange("PLAIN").begin(encoded(message) or b"=")


def login(identity: bytes, password: bytes) -> Outcome:
    exchange = Exchange("LOGIN")
    exchange.begin(b"")
    outcome = exchange.answer(encoded(identity))
    return exchange.answer(encoded(password)) if isinstance(outcome, Challenge) else outcome


def seen(outcome: Outcome) -> tuple[str, str, bytes]:
    assert isinstance(outcome, Credentials)
    return outcome.identity, outcome.authorization, outcome.password.reveal()


def test_plain_has_three_parts() -> None:
    """Whom to act as, who, and the password (RFC 4616 2)."""
    assert ("alice", "", b"pass word") == seen(plain(b"\0alice\0pass word"))
    assert ("alice", "bob", b"p") == seen(plain(b"bob\0alice\0p"))


def test_plain_asks_with_an_empty_challenge() -> None:
    """When no initial response came with the command."""
    exchange = Exchange("PLAIN")
    assert Challenge("") == exchange.begin(b"")
    assert ("alice", "", b"p") == seen(exchange.answer(encoded(b"\0alice\0p")))


def test_login_asks_its_two_questions() -> None:
    """Old clients compare the challenges byte by byte."""
    exchange = Exchange("LOGIN")
    assert Challenge("VXNlcm5hbWU6") == exchange.begin(b"")
    assert Challenge("UGFzc3dvcmQ6") == exchange.answer(encoded(b"alice"))
    assert ("alice", "", b"p") == seen(exchange.answer(encoded(b"p")))


def test_login_takes_the_name_with_the_command() -> None:
    """As Outlook sends it."""
    exchange = Exchange("LOGIN")
    assert Challenge("UGFzc3dvcmQ6") == exchange.begin(encoded(b"alice"))


@pytest.mark.parametrize(
    "identity", ["alice@example.com", "DOMAIN\\alice", "花子@example.com", "o'neill OR 1=1--"]
)
def test_names_of_all_kinds_pass_as_they_are(identity: str) -> None:
    """Whether they mean anything is the vault's question; to it they are data."""
    assert identity == seen(plain(b"\0" + identity.encode() + b"\0p"))[0]
    assert identity == seen(login(identity.encode(), b"p"))[0]


@pytest.mark.parametrize(
    "password", ["correct horse", "pässwörd", "a:b", " ", "\\0", "x" * PASSWORD_OCTETS, "\r\n\t"]
)
def test_passwords_pass_as_they_are(password: str) -> None:
    """No trimming, no normalisation, no limit that anybody would notice."""
    assert password.encode() == seen(plain(b"\0alice\0" + password.encode()))[2]
    assert password.encode() == seen(login(b"alice", password.encode()))[2]


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\0",
        b"\0\0",
        b"alice",
        b"alice\0p",
        b"\0\0p",
        b"\0alice\0",
        b"\0alice\0p\0",
        b"\0alice\0p\0q",
        b"\0" * 9,
        b"\0al\xffice\0p",
        b"\0alice\0p\xff",
        b"\xff\0alice\0p",
        b"\0alice\r\n\0p",
        b"\0al\x1bice\0p",
        b"\0al\x7fice\0p",
        "\0al\u202eice\0p".encode(),
        "\0al\u200bice\0p".encode(),
        "\0al\ufeffice\0p".encode(),
        "\0\u2028\0p".encode(),
        b"\0" + b"a" * (IDENTITY_OCTETS + 1) + b"\0p",
        b"\0alice\0" + b"p" * (PASSWORD_OCTETS + 1),
        b"a" * (IDENTITY_OCTETS + 1) + b"\0alice\0p",
    ],
)
def test_malformed_messages_are_refused(message: bytes) -> None:
    """Wrong number of parts, empty parts, no UTF-8, invisible characters, too long."""
    assert replies.MALFORMED == plain(message)


@pytest.mark.parametrize(
    ("identity", "password"),
    [
        (b"", b"p"),
        (b"alice", b""),
        (b"a\0b", b"p"),
        (b"alice", b"p\0q"),
        (b"\xff", b"p"),
        (b"alice", b"\xff"),
    ],
)
def test_malformed_answers_are_refused(identity: bytes, password: bytes) -> None:
    """LOGIN is held to the same rules."""
    assert replies.MALFORMED == login(identity, password)


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize(
    "line",
    [
        b"!",
        b"A",
        b"AA",
        b"AAA",
        b"AAAA=",
        b"A===",
        b"AA=A",
        b"AAAA AAAA",
        b"AA==AAAA",
        b"\xff\xff\xff\xff",
        b" ",
    ],
)
def test_only_strict_base64_is_decoded(mechanism: str, line: bytes) -> None:
    """Without padding, with too much of it, with spaces or other letters: refused."""
    exchange = Exchange(mechanism)
    exchange.begin(b"")
    assert replies.BASE64 == exchange.answer(line)
    assert replies.BASE64 == Exchange(mechanism).begin(line)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_an_asterisk_cancels(mechanism: str) -> None:
    """At any question (RFC 4954 4)."""
    exchange = Exchange(mechanism)
    exchange.begin(b"")
    assert replies.CANCELLED == exchange.answer(b"*")
    exchange = Exchange("LOGIN")
    exchange.begin(encoded(b"alice"))
    assert replies.CANCELLED == exchange.answer(b"*")


@given(st.sampled_from(MECHANISMS), st.lists(st.binary(max_size=100), min_size=1, max_size=3))
def test_garbage_is_refused_or_understood(mechanism: str, lines: list[bytes]) -> None:
    """Never an exception, decoded or not; a password only inside its Secret."""
    for dressed in (list(lines), [encoded(line) for line in lines]):
        exchange = Exchange(mechanism)
        outcome = exchange.begin(b"")
        for line in dressed:
            if isinstance(outcome, Challenge):
                outcome = exchange.answer(line)
        assert isinstance(outcome, Challenge | Credentials | Reply)
        if isinstance(outcome, Credentials):
            assert "password=***" in repr(outcome)


def test_nothing_is_said_about_where_it_went_wrong() -> None:
    """One reply for all malformed messages: it must not help to guess."""
    assert 1 == len({str(plain(message)) for message in (b"", b"\0\0p", b"\0alice\0", b"\0al\xffice\0p")})
