"""How a client speaks: the same program gives the same text, another program another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.wire.manner import LETTERS, note


def spoken(*commands: bytes) -> str:
    manner = ""
    for command in commands:
        word, _, argument = command.partition(b" ")
        manner = note(manner, word, argument)
    return manner


@pytest.mark.parametrize(
    ("commands", "manner"),
    [
        (
            (b"EHLO client.example", b"STARTTLS", b"EHLO client.example", b"AUTH PLAIN AGE="),
            "EHLO=name STARTTLS EHLO=name AUTH:PLAIN+",
        ),
        ((b"ehlo [192.0.2.1]", b"auth login"), "ehlo=literal auth:login"),
        ((b"HELO localhost", b"MAIL FROM: <a@b.example>", b"RCPT TO:<c@d.example>"), "HELO=word MAIL_ RCPT"),
        ((b"EHLO a.b", b"RCPT TO:<a@b>", b"RCPT TO:<a@b>", b"RCPT TO:<a@b>"), "EHLO=name RCPT"),
        ((b"EHLO a.b", b"AUTH XOAUTH2 x"), "EHLO=name AUTH:XOAUTH2+"),
        ((b"EHLO a.b", b"AUTH NTLM x"), "EHLO=name AUTH:?+"),
        ((b"GET / HTTP/1.1", b"Host: x"), "GET ?"),
    ],
)
def test_the_manner_shows_habits(commands: tuple[bytes, ...], manner: str) -> None:
    """Case, order, kind of name, mechanism, initial response, the space after the colon; not the values."""
    assert manner == spoken(*commands)


def test_who_logs_in_does_not_show() -> None:
    """Names and passwords are not a manner of speaking."""
    assert spoken(b"AUTH PLAIN AGFsaWNl") == spoken(b"AUTH PLAIN AGJvYg==")


@given(st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=20)), max_size=60))
def test_the_manner_is_short_and_harmless(commands: list[tuple[bytes, bytes]]) -> None:
    """Whatever comes, one line of ASCII."""
    manner = ""
    for word, argument in commands:
        manner = note(manner, word, argument)
    assert len(manner) <= LETTERS and manner.isascii() and (manner.isprintable() or not manner)
