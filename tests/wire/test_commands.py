"""Commands without a conversation: what each becomes, and what is offered to whom."""

import pytest

from sekisho.model.verdict import Reply
from sekisho.wire import replies
from sekisho.wire.commands import (
    HELLO_OCTETS,
    ServerSettings,
    Session,
    auth_refusal,
    capabilities,
    refusal_of,
    step_of,
)
from sekisho.wire.steps import Data, Hello, Help, Noop, Owing, Quit, Reset, StartTls, Verify

ALL = ServerSettings("mx.example.com", 1000, starttls=True, auth=True)
NONE = ServerSettings("mx.example.com", 1000, starttls=False, auth=False)


def step(
    verb: str, argument: bytes = b"", settings: ServerSettings = ALL, encrypted: bool = False
) -> Owing | Reply:
    return step_of(verb, argument, settings, Session(encrypted=encrypted))


@pytest.mark.parametrize(
    ("verb", "expected"),
    [
        ("DATA", Data()),
        ("RSET", Reset()),
        ("QUIT", Quit()),
        ("STARTTLS", StartTls()),
        ("NOOP", Noop()),
        ("HELP", Help()),
    ],
)
def test_a_verb_alone_is_a_step(verb: str, expected: Owing) -> None:
    """And with an argument only where one is allowed."""
    assert expected == step(verb)
    allowed = verb in ("NOOP", "HELP")
    assert (expected if allowed else replies.NO_ARGUMENT) == step(verb, b"argument")


def test_starttls_is_offered_once_and_only_where_it_is_served() -> None:
    """502 where it is not, 503 where it has happened."""
    assert replies.NOT_HERE == step("STARTTLS", settings=NONE)
    assert replies.TLS_ACTIVE == step("STARTTLS", encrypted=True)


def test_a_hello_needs_one_word() -> None:
    """Not none, not two, not a novel."""
    assert Hello("client.example", extended=True) == step("EHLO", b"client.example")
    assert Hello("client.example", extended=False) == step("HELO", b"client.example")
    for argument in (b"", b"two words", b"x" * (HELLO_OCTETS + 1)):
        assert replies.HELLO_NAME == step("EHLO", argument)


def test_verify_hands_on_harmless_text() -> None:
    """The argument is a stranger's."""
    assert Verify("bob\\x9b") == step("VRFY", b"bob\x9b")
    assert replies.ARGUMENT == step("VRFY")


@pytest.mark.parametrize(
    ("settings", "session", "refusal"),
    [
        (NONE, Session(encrypted=True), replies.NOT_HERE),
        (ALL, Session(encrypted=False), replies.TLS_FIRST),
        (ALL, Session(encrypted=True, authenticated=True), replies.AUTH_TWICE),
        (ALL, Session(encrypted=True), None),
    ],
)
def test_a_password_is_wanted_under_tls_once(
    settings: ServerSettings, session: Session, refusal: Reply | None
) -> None:
    """And offered exactly when it would be taken."""
    assert refusal == auth_refusal(settings, session)
    assert (refusal is None) == ("AUTH PLAIN LOGIN SCRAM-SHA-256" in capabilities(settings, session))


def test_what_is_offered_is_what_is_served() -> None:
    """What needs no TLS for everybody; REQUIRETLS and AUTH under TLS, STARTTLS without."""
    everybody = ["PIPELINING", "SIZE 1000", "8BITMIME", "ENHANCEDSTATUSCODES"]
    everybody += ["DSN", "CHUNKING", "SMTPUTF8", "LIMITS RCPTMAX=100"]
    assert everybody == capabilities(NONE, Session(encrypted=False))
    assert [*everybody, "STARTTLS"] == capabilities(ALL, Session(encrypted=False))
    login = "AUTH PLAIN LOGIN SCRAM-SHA-256"
    assert [*everybody, "REQUIRETLS", login] == capabilities(ALL, Session(encrypted=True))


@pytest.mark.parametrize(
    ("word", "code", "violation"),
    [
        (b"GET", 554, "http"),
        (b"HOST:", 554, "http"),
        (b"PROXY", 550, "proxy"),
        (b"LHLO", 502, ""),
        (b"EXPN", 502, ""),
        (b"XCLIENT", 502, ""),
        (b"XYZZY", 500, ""),
        (b"", 500, ""),
    ],
)
def test_other_words_are_told_apart(word: bytes, code: int, violation: str) -> None:
    """What would be unsafe to go on after, what others offer, what is unknown."""
    reply, what = refusal_of(word)
    assert (code, violation) == (reply.code, what)
