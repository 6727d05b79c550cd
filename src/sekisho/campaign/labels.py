"""Lines of a label and a value: the form in which most letters that push a share give its facts.

Labels are misspelt on purpose (`Sym8oL`, `S.umbol`, `L00kup`): digits that look like letters are read as
them, points inside are left out, and one letter may be wrong.
"""

import re

from msgspec import Struct

LABEL_CHARS = 40
"""A longer run before a colon is a sentence."""

_LINE = re.compile(r"[^\n]{1,400}")
_LABEL = re.compile(
    r"(?:(?m:^)|[,;(|]|\s-)[ \t*#>~.!?_-]{0,20}([^\n:=,;(|]{2,40}?)[ ]{0,4}(?::|=|\t"
    r"|-(?=\s?\$))[ \t]{0,4}(?=\S)"
)
_LEET = str.maketrans("0138$@|5", "olebsals")
_INSIDE = re.compile(r"(?<=\w)[._*~'-](?=\w)")
_NO_LETTER = re.compile(r"[^a-zäöü ]+")


class Label(Struct, frozen=True):
    """`name` in plain small letters; its value runs from `start` to the line's `end`."""

    name: str
    start: int
    end: int


def labels_of(words: str) -> list[Label]:
    """In the order of the words, which are folded."""
    found = []
    for line in _LINE.finditer(words):
        for match in _LABEL.finditer(words, line.start(), line.end()):
            found.append(Label(plain_label(match[1]), match.end(), line.end()))
    return found


def plain_label(said: str) -> str:
    """`L00kup` is `lookup`, `S.umbol` is `sumbol`, `Ca.mp.aign for` is `campaign for`."""
    said = _INSIDE.sub("", said.strip())
    words = (word.translate(_LEET) if re.search(r"[A-Za-z]", word) else word for word in said.split())
    return _NO_LETTER.sub("", " ".join(words).lower()).strip()


def is_like(said: str, wanted: str) -> bool:
    """The same word, or one of five letters and more with one of them wrong, missing or too many."""
    if said == wanted:
        return True
    if min(len(said), len(wanted)) < 5 or abs(len(said) - len(wanted)) > 1:
        return False
    at = 0
    while at < min(len(said), len(wanted)) and said[at] == wanted[at]:
        at += 1
    return (
        said[at + 1 :] == wanted[at + 1 :] or said[at + 1 :] == wanted[at:] or said[at:] == wanted[at + 1 :]
    )


def says(label: str, wanted: frozenset[str]) -> bool:
    """Whether a label has one of these words or word pairs at its end or is made of it."""
    words = label.split()
    tails = {" ".join(words[-n:]) for n in (1, 2, 3) if n <= len(words)}
    return any(is_like(tail, word) for tail in tails for word in wanted)
