"""Text of any language in our own letters."""

import email
import email.header
import email.message

from hypothesis import given
from hypothesis import strategies as st

from sekisho.mail.mime import header_text, text_part

WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=300)


def decoded(field: str) -> str:
    return str(email.header.make_header(email.header.decode_header(field)))


def test_plain_text_stays_as_it_is() -> None:
    """ASCII needs no code."""
    assert "Your message was not delivered" == header_text("Your message was not delivered")


def test_what_looks_like_a_code_is_coded() -> None:
    """An encoded word that somebody else wrote is not decoded again."""
    assert "=?utf-8?B?Yg==?= x" == decoded(header_text("=?utf-8?B?Yg==?= x"))


def test_it_never_ends_its_line() -> None:
    """Line ends become spaces; a long text is folded with a space at each line's start."""
    text = header_text("a\r\nBcc: <v@example.net>\n\n" + "word " * 60)
    assert all(line.startswith(" ") for line in text.split("\n")[1:])
    assert "\r" not in text and text.startswith("a Bcc: ")


@given(WORDS)
def test_header_text_survives(text: str) -> None:
    """What a reader decodes is what we wrote, but for white space; every line is short ASCII."""
    field = header_text(text)
    assert field.isascii()
    if not text.isascii():
        assert "".join(text.split()) == "".join(decoded(field).split())
        assert all(len(line) <= 76 for line in field.split("\n"))


@given(st.lists(WORDS, max_size=5))
def test_text_part_survives(lines: list[str]) -> None:
    """A part decodes to its text, up to the wrapping of long English lines."""
    text = "\n".join(lines)
    part = text_part(text)
    payload = email.message_from_bytes(part).get_payload(decode=True)
    assert isinstance(payload, bytes)
    assert text.split() == payload.decode().split()
    assert part.isascii() and part.endswith(b"\n")


def test_long_lines_are_wrapped_and_data_is_not() -> None:
    """Prose at 76 columns; a line that begins with a space is data and stays whole."""
    part = text_part("word " * 40 + "\n  " + "x" * 200)
    assert b"\n  " + b"x" * 200 + b"\n" in part
    assert all(len(line) <= 76 or line.startswith(b"  ") for line in part.split(b"\n"))
