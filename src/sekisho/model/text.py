"""The one door through which bytes of strangers become text.

Whatever comes from a peer, a log line or a message passes `printable` before it may stand in an Event, a
reply, a terminal or a file: control characters, invalid bytes, bidirectional controls and line separators
become `\\xNN` or `\\uNNNN`, so that one value is always one harmless line.
"""

import re

LIMIT = 1024
"""Longest text kept of one value, in characters; the rest is cut and marked with an ellipsis."""

_HARMLESS_ASCII = re.compile(rb"[\x20-\x5b\x5d-\x7e]*")
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\\\\]"
)


def printable(raw: bytes | str, limit: int = LIMIT) -> str:
    """Text that is safe on one line; a backslash becomes two, so that nothing can imitate an escape."""
    if isinstance(raw, bytes):
        if len(raw) <= limit and _HARMLESS_ASCII.fullmatch(raw):
            return raw.decode("ascii")
        text = raw[: limit * 4 + 4].decode("utf-8", "surrogateescape")
    else:
        text = raw[: limit + 1]
    cut = text if len(text) <= limit else text[:limit] + "…"
    return _UNSAFE.sub(_escape, cut)


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    code = ord(char)
    if char == "\\":
        return "\\\\"
    if 0xDC80 <= code <= 0xDCFF:  # an invalid byte, as surrogateescape hands it over
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
