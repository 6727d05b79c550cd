"""Encoded words of header fields (RFC 2047), read for people: never for decisions."""

import base64
import binascii
import re

READ_BYTES = 2000
"""Of a longer field only this much is read: a subject of 280 KB is not for people."""

_WORD = re.compile(rb"=\?([A-Za-z0-9._:+-]{1,40})(?:\*[A-Za-z0-9-]{0,20})?\?([BbQq])\?([^?\s]*)\?=")
_CODECS = re.compile(
    r"us-ascii|ascii|utf-8|utf8|iso-8859-(?:[1-9]|1[0-6])|windows-125[0-8]|cp125[0-8]|koi8-[ru]|big5|euc-(?:jp|kr)"
    r"|gb2312|gbk|gb18030|iso-2022-(?:jp|jp-2|kr)|shift[_-]jis|sjis|cp932|tis-620"
)
"""Encodings of text only: Python knows others by name that do other things."""


def readable(value: bytes) -> str:
    """The field's text with its encoded words decoded; what cannot be decoded stays as it stands.

    The result is still the stranger's text: it passes `printable` before anybody sees it.
    """
    out, at = [], 0
    value = value[:READ_BYTES]
    for match in _WORD.finditer(value):
        between = value[at : match.start()]
        if not (
            at and between.strip() == b""
        ):  # RFC 2047 6.2: white space between encoded words is not shown
            out.append(between.decode("utf-8", "surrogateescape"))
        out.append(_decoded(match))
        at = match.end()
    out.append(value[at:].decode("utf-8", "surrogateescape"))
    return "".join(out)


def is_codec_of_text(charset: str) -> bool:
    """`charset` in lower case."""
    return _CODECS.fullmatch(charset) is not None


def _decoded(match: re.Match[bytes]) -> str:
    charset = match[1].decode().lower()
    if is_codec_of_text(charset):
        try:
            raw = _quoted(match[3]) if match[2] in b"Qq" else _unpacked(match[3])
            return raw.decode(charset, "replace")
        except (binascii.Error, LookupError):
            pass
    return match[0].decode("utf-8", "surrogateescape")


def _unpacked(text: bytes) -> bytes:
    """Base64, of which many programs leave out the padding."""
    text = text.rstrip(b"=")
    return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)


def _quoted(text: bytes) -> bytes:
    """RFC 2047 4.2."""
    return re.sub(rb"=([0-9A-Fa-f]{2})", lambda pair: bytes((int(pair[1], 16),)), text.replace(b"_", b" "))
