"""Text of any language in a letter of our own making: encoded words and text parts (RFC 2045, 2046, 2047).

Reading a stranger's encoded words is `words.py`. Lines here end in LF; `form.wire_form` makes the wire of
them.
"""

import textwrap
from base64 import b64encode, encodebytes

WORD_BYTES = 42
"""Most bytes of UTF-8 in one encoded word: with its frame it has 75 characters at most (RFC 2047 2)."""

WIDTH = 76


def header_text(text: str) -> str:
    """A header field's text: as it stands if it is plain, else encoded words, folded. Never a line of its
    own.
    """
    flat = " ".join(text.split())
    if flat.isascii() and flat.isprintable() and "=?" not in flat:
        return "\n ".join(textwrap.wrap(flat, WIDTH - 20, break_long_words=False, break_on_hyphens=False))
    return "\n ".join(f"=?utf-8?B?{b64encode(piece).decode('ascii')}?=" for piece in _pieces(flat))


def text_part(text: str) -> bytes:
    """Header and content of a text/plain part; paragraphs are wrapped, lines that begin with a space are
    not.
    """
    content = "\n".join(_wrapped(line) for line in text.split("\n")).rstrip("\n") + "\n"
    if content.isascii():
        return _part("us-ascii", "7bit") + content.encode("ascii")
    return _part("utf-8", "base64") + encodebytes(content.encode())


def _part(charset: str, encoding: str) -> bytes:
    return (f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: {encoding}\n\n").encode(
        "ascii"
    )


def _wrapped(line: str) -> str:
    if line.startswith(" ") or not line.isascii() or len(line) <= WIDTH:
        return line
    return textwrap.fill(line, WIDTH, break_long_words=False, break_on_hyphens=False)


def _pieces(text: str) -> list[bytes]:
    """A character is never cut in two (RFC 2047 5)."""
    pieces = [b""]
    for char in text:
        raw = char.encode("utf-8", "replace")
        if len(pieces[-1]) + len(raw) > WORD_BYTES:
            pieces.append(b"")
        pieces[-1] += raw
    return pieces
