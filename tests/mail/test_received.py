"""The trace that we leave on a letter, whatever the client called itself."""

import re
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.mail.received import (
    Trace,
    date_field,
    message_id_field,
    received,
    with_protocol,
)

AT = 1_374_486_766_000_000
TRACE = Trace("client.example", "192.0.2.7", "mx.example.com", "ESMTPS", "1jph7f4f000000005", AT)


def trace(**more: str) -> str:
    values = {name: getattr(TRACE, name) for name in TRACE.__struct_fields__} | more
    return received(Trace(**values), UTC).decode("ascii")


def test_a_field_says_who_when_and_how() -> None:
    """RFC 5321 4.4, folded, with the id by which it is found again."""
    wanted = (
        "Received: from client.example ([192.0.2.7])\r\n"
        "\tby mx.example.com with ESMTPS id 1jph7f4f000000005\r\n"
        "\t(TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n"
        "\tfor <bob@example.com>;\r\n"
        "\tMon, 22 Jul 2013 09:52:46 +0000\r\n"
    )
    assert wanted == trace(tls="TLSv1.3 TLS_AES_256_GCM_SHA384", recipient="bob@example.com")


@pytest.mark.parametrize(
    ("hello", "address", "wanted"),
    [
        ("client.example", "2001:db8::7", "client.example ([IPv6:2001:db8::7])"),
        ("[192.0.2.9]", "192.0.2.7", "[192.0.2.9] ([192.0.2.7])"),
        ("host_name.", "192.0.2.7", "host_name. ([192.0.2.7])"),
        ("client.example", "", "client.example"),
        ("", "", "unknown"),
        ("", "192.0.2.7", "unknown ([192.0.2.7])"),
        ("x)(y", "192.0.2.7", "unknown ([192.0.2.7])"),
        ("a\\x0d\\x0aBcc: x", "192.0.2.7", "unknown ([192.0.2.7])"),
        ("a" * 256, "192.0.2.7", "unknown ([192.0.2.7])"),
        ("-a", "192.0.2.7", "unknown ([192.0.2.7])"),
    ],
)
def test_only_what_looks_like_a_name_is_quoted(hello: str, address: str, wanted: str) -> None:
    """What else a client says about itself stands in the events, not in the letter."""
    assert f"from {wanted}\r\n" in trace(hello=hello, address=address)


@given(hello=st.text(max_size=300), recipient=st.text(max_size=330), tls=st.text(max_size=100))
def test_nothing_that_a_stranger_says_begins_a_line(hello: str, recipient: str, tls: str) -> None:
    """One field, whose lines all begin with a fold; printable ASCII."""
    text = trace(hello=hello, recipient=recipient, tls=tls)
    assert re.fullmatch(r"Received: from [ -~]+\r\n(?:\t[ -~]+\r\n)+", text)
    assert text.count(";") == 1 + recipient.count(";") * (f"<{recipient}>" in text)


def test_addresses_that_would_break_the_brackets_are_left_out() -> None:
    """Quoted local parts may hold them."""
    assert "for <" not in trace(recipient='"a>b"@example.com') + trace(recipient='"a b"@example.com')


@pytest.mark.parametrize(
    ("protocol", "encrypted", "authenticated", "wanted"),
    [
        ("SMTP", False, False, "SMTP"),
        ("ESMTP", False, False, "ESMTP"),
        ("ESMTP", True, False, "ESMTPS"),
        ("ESMTP", True, True, "ESMTPSA"),
        ("ESMTP", False, True, "ESMTPA"),
        ("SMTP", True, False, "SMTP"),
        ("UTF8SMTP", True, True, "UTF8SMTPSA"),
        ("LMTP", False, False, "LMTP"),
        ("LMTP", True, False, "LMTPS"),
    ],
)
def test_the_protocol_by_its_registered_name(
    protocol: str, encrypted: bool, authenticated: bool, wanted: str
) -> None:
    """RFC 3848, RFC 6531 4.3."""
    assert wanted == with_protocol(protocol, encrypted=encrypted, known=authenticated)


def test_fields_that_a_submission_lacks() -> None:
    """In the form of RFC 5322 3.6."""
    assert b"Date: Mon, 22 Jul 2013 09:52:46 +0000\r\n" == date_field(AT, UTC)
    assert b"Message-ID: <1jph7f4f000000005@mx.example.com>\r\n" == message_id_field(
        "1jph7f4f000000005", "mx.example.com"
    )
