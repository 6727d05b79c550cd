"""What was not understood, sorted by shape: so that a reader sees which dialect is missing, and nobody's
password."""

import re
from collections import Counter

from msgspec import Struct

from sekisho.logs.vpopmail import redacted
from sekisho.model.text import printable

EXACT = 20_000
"""So many lines are sorted one by one; of those beyond, every SAMPLE-th stands for SAMPLE."""

SAMPLE = 64
SHAPES_KEPT = 500
EXAMPLE_KEPT = 160
SHAPE_KEPT = 100

_HEADER = re.compile(
    r"^(?:<\d+>)?(?:[A-Z][a-z]{2} {1,2}\d{1,2} [\d:.]+|\d{4}-\d\d-\d\d[T ][\d:.,]+(?:Z|[+-][\d:]+)?"
    r"|@[0-9a-f]{24}) (?:\S+ )?"
)
_ADDRESS = re.compile(r"[^\s<>,;'\"]+@[^\s<>,;'\"]+")
_NUMBER = re.compile(r"\b(?:[0-9a-fA-F]*\d[0-9a-fA-F]*[:.-]?)+\b")
_TOLD = re.compile(
    r"(?i)(pass\w*|pwd|secret|AUTH (?:PLAIN|LOGIN)|given|cmd|command)(\s*[:='\"(]|\s+\S).*", re.DOTALL
)
"""Where a password may follow: of the rest of the line nothing is shown."""


class Shape(Struct, frozen=True):
    shape: str
    count: int
    example: str


class Shapes:
    def __init__(self) -> None:
        self.count = 0
        self._seen: Counter[str] = Counter()
        self._examples: dict[str, str] = {}

    def add(self, line: bytes, times: int = 1) -> None:
        """`times`: how many lines with this very text there were."""
        self.count += times
        if self.count > EXACT:
            if self.count % SAMPLE:
                return
            times *= SAMPLE
        text = harmless(line)
        shape = shape_of(text)
        if shape not in self._seen and len(self._seen) >= SHAPES_KEPT:
            shape = "…"
        self._seen[shape] += times
        self._examples.setdefault(shape, text)

    def most(self, count: int) -> list[Shape]:
        return [Shape(shape, times, self._examples[shape]) for shape, times in self._seen.most_common(count)]


def harmless(line: bytes) -> str:
    """A line as it may be shown: printable, short, and cut off where a password could begin."""
    text = redacted(printable(line, EXAMPLE_KEPT * 4))
    return _TOLD.sub(r"\1 ***", text)[:EXAMPLE_KEPT]


def shape_of(text: str) -> str:
    """The line's program and words, with addresses and numbers blurred."""
    words = _HEADER.sub("", text)
    words = _NUMBER.sub("N", _ADDRESS.sub("A@B", words))
    return words[:SHAPE_KEPT]
