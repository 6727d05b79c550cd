"""Names for things that happen: short, sortable by time, unique without asking anybody.

An id is 11 characters of time (microseconds) and 6 of chance, in the 32 letters of Crockford's alphabet in
lower case. It is safe in a file name, a URL, a header and a log line, and sorts as time does for a
thousand years.
"""

import re
from collections.abc import Callable

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
LENGTH = 17
_PAIRS = tuple(first + second for first in ALPHABET for second in ALPHABET)
"""Two digits at a time: every message and every event gets a name."""

LUCK = 6
"""Letters of chance at the end of an id."""

_FROM_CHANCE = bytes(ALPHABET.encode()[byte & 31] for byte in range(256))
_ERA_BITS = 20
"""The lower bits of the time, which make four letters; the rest changes about once a second."""

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


class Idents:
    """Makes ids as `make_id` does, for those who need several for each message. `chance` gives random bytes.
    """

    BLOCK = LUCK * 512

    def __init__(self, chance: Callable[[int], bytes]) -> None:
        self._chance = chance
        self._letters = ""
        self._used = 0
        self._era = -1
        self._start = ""

    def make(self, at: int) -> str:
        """`at` in microseconds since the epoch."""
        if at >> _ERA_BITS != self._era:
            self._era = at >> _ERA_BITS
            self._start = make_id(at, 0)[: LENGTH - LUCK - 4]
        if self._used == len(self._letters):
            self._letters, self._used = self._chance(self.BLOCK).translate(_FROM_CHANCE).decode(), 0
        used = self._used
        self._used = used + LUCK
        return (
            self._start + _PAIRS[at >> 10 & 1023] + _PAIRS[at & 1023] + self._letters[used : self._used]
        )


def is_id(text: str) -> bool:
    return _SHAPE.fullmatch(text) is not None


def id_time(ident: str) -> int:
    """When the id was made, in microseconds since the epoch."""
    at = 0
    for char in ident[:11]:
        at = at * 32 + ALPHABET.index(char)
    return at
