"""Whom a client says that it is, as text or not at all: one rule for every mechanism."""

import unicodedata

IDENTITY_OCTETS = 320  # an address of 64 + 1 + 255

_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def identity_of(raw: bytes) -> str | None:
    """The name as text, or None if it is too long, not UTF-8, or holds characters that cannot be seen."""
    if len(raw) > IDENTITY_OCTETS:
        return None
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    return None if any(unicodedata.category(char) in _UNSEEN for char in text) else text
