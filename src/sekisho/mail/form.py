"""A letter of our own making in wire form: CRLF at every line's end, dots doubled (RFC 5321 2.3.8, 4.5.2)."""

import re

_LINE_END = re.compile(rb"\r\n|\n|\r")


def wire_form(letter: bytes) -> bytes:
    """From LF or CRLF lines; the final dot is not part of it."""
    text = _LINE_END.sub(b"\r\n", letter)
    if text and not text.endswith(b"\r\n"):
        text += b"\r\n"
    stuffed = text.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if stuffed.startswith(b".") else stuffed
