"""AUTH OAUTHBEARER and XOAUTH2: the messages, and everything that is none."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.wire import replies
from sekisho.wire.sasl import Challenge, Exchange, Outcome
from sekisho.wire.steps import Token

# RFC 7628 4.1
OAUTHBEARER = (
    b"n,a=user@example.com,\x01host=server.example.com\x01port=587\x01auth=Bearer vF9dft4qmTc2Nv==\x01\x01"
)
XOAUTH2 = b"user=user@example.com\x01auth=Bearer vF9dft4qmTc2Nv==\x01\x01"


def begun(mechanism: str, message: bytes) -> tuple[Exchange, Outcome]:
    exchange = Exchange(mechanism, "EHLO=name")
    return exchange, exchange.begin(base64.b64encode(message) or b"=")


@pytest.mark.parametrize(("mechanism", "message"), [("OAUTHBEARER", OAUTHBEARER), ("XOAUTH2", XOAUTH2)])
def test_a_token_is_asked_about_and_a_refusal_has_its_reason(mechanism: str, message: bytes) -> None:
    """The reason goes out as a challenge, whatever the client answers, and then comes 535."""
    for answer in (b"AQ==", b"", b"eA=="):
        exchange, asked = begun(mechanism, message)
        assert isinstance(asked, Token)
        assert ("user@example.com", b"vF9dft4qmTc2Nv==") == (asked.identity, asked.token.reveal())
        assert "token=***" in repr(asked)
        assert isinstance(exchange.told('{"status":"invalid_token"}'), Challenge)
        assert replies.NO_LOGIN == exchange.answer(answer)


def test_the_name_may_be_left_to_the_token() -> None:
    """RFC 7628 3.1: the header's a= is optional; , and = are escaped in it."""
    for header, name in ((b"n,,", ""), (b"y,,", ""), (b"n,a=,", ""), (b"n,a=a=2Cb=3Dc@x,", "a,b=c@x")):
        asked = begun("OAUTHBEARER", OAUTHBEARER.replace(b"n,a=user@example.com,", header))[1]
        assert isinstance(asked, Token) and name == asked.identity


@pytest.mark.parametrize(
    "message",
    [
        b"", b"\x01", b"n,,\x01\x01", b"n,,\x01auth=Bearer x\x01", b"n,,auth=Bearer x\x01\x01",
        b"p=tls-unique,,\x01auth=Bearer x\x01\x01", b"n,a=a=b,\x01auth=Bearer x\x01\x01",
        b"n,,\x01auth=Basic x\x01\x01", b"n,,\x01auth=Bearer \x01\x01",
         b"n,,\x01auth=Bearer x y\x01\x01", b"n,,\x01auth=Bearer x\r\nA: b\x01\x01",
        b"n,,\x01auth=Bearer x\0\x01\x01", b"n,,\x01auth=Bearer x\x01auth=Bearer y\x01\x01",
        b"n,,\x01host=h\x01\x01",
        b"n,,\x01auth=Bearer " + b"x" * 8193 + b"\x01\x01", b"n,a=\xff,\x01auth=Bearer x\x01\x01",
        b"user=a@b\x01auth=Bearer x\x01\x01", b"n,a=a\r\nb,\x01auth=Bearer x\x01\x01",
    ],
)  # fmt: skip
def test_what_is_no_message_is_refused(message: bytes) -> None:
    """Without a token, with two, with letters that could leave it; the other mechanism's form."""
    assert replies.MALFORMED == begun("OAUTHBEARER", message)[1]
    if not message.startswith(b"user="):
        assert replies.MALFORMED == begun("XOAUTH2", message)[1]


@given(st.binary(max_size=300), st.sampled_from(["OAUTHBEARER", "XOAUTH2"]))
def test_garbage_is_refused_or_understood(message: bytes, mechanism: str) -> None:
    """Never an exception."""
    assert isinstance(begun(mechanism, message)[1], Token | type(replies.MALFORMED))
