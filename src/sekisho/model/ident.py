"""Names for things that happen: short, sortable by time, unique without asking anybody.

An id is 11 characters of time (microseconds) and 6 of chance, in the 32 letters of Crockford's alphabet in
lower case. It is safe in a file name, a URL, a header and a log line, and sorts as time does for a
thousand years.
"""

import re

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
LENGTH = 17
_SHAPE = re.compile(r"[0-9a-hjkmnp-tv-z]{17}")


def make_id(at: int, chance: int) -> str:
    """`at` in microseconds since the epoch; `chance` any number, of which 30 bits are used."""
    return _digits(at, 11) + _digits(chance & 0x3FFFFFFF, 6)


def is_id(text: str) -> bool:
    return _SHAPE.fullmatch(text) is not None


def id_time(ident: str) -> int:
    """When the id was made, in microseconds since the epoch."""
    at = 0
    for char in ident[:11]:
        at = at * 32 + ALPHABET.index(char)
    return at


def _digits(number: int, length: int) -> str:
    out = [""] * length
    for place in range(length - 1, -1, -1):
        out[place] = ALPHABET[number & 31]
        number >>= 5
    return "".join(out)
