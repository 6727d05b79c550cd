"""Names for things that happen: short, sortable by time, unique without asking anybody.

An id is 11 characters of time (microseconds) and 6 of chance, in the 32 letters of Crockford's alphabet in
lower case. It is safe in a file name, a URL, a header and a log line, and sorts as time does for a
thousand years.
"""

import re

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
LENGTH = 17
_PAIRS = tuple(first + second for first in ALPHABET for second in ALPHABET)
"""Two digits at a time: every message and every event gets a name."""

_SHAPE = re.compile(r"[0-9a-hjkmnp-tv-z]{17}")


def make_id(at: int, chance: int) -> str:
    """`at` in microseconds since the epoch; `chance` any number, of which 30 bits are used."""
    pairs, luck = _PAIRS, chance & 0x3FFFFFFF
    return (
        ALPHABET[at >> 50 & 31]
        + pairs[at >> 40 & 1023]
        + pairs[at >> 30 & 1023]
        + pairs[at >> 20 & 1023]
        + pairs[at >> 10 & 1023]
        + pairs[at & 1023]
        + pairs[luck >> 20]
        + pairs[luck >> 10 & 1023]
        + pairs[luck & 1023]
    )


def is_id(text: str) -> bool:
    return _SHAPE.fullmatch(text) is not None


def id_time(ident: str) -> int:
    """When the id was made, in microseconds since the epoch."""
    at = 0
    for char in ident[:11]:
        at = at * 32 + ALPHABET.index(char)
    return at
