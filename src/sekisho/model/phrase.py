"""A sentence for people, kept as its English pattern and its values until somebody's language is known.

The core never translates: it returns a `Phrase`. The shell renders it with `store/texts.py`. `str(phrase)` is
the English sentence. Patterns use named fields only (`{account}`), and stand literally in a call of `phrase`
or `phrases`, where the catalogue's extraction finds them.
"""

from typing import Union

from msgspec import Struct

Value = Union[str, int, float, "Phrase", tuple["Phrase", ...]]


class Phrase(Struct, frozen=True):
    pattern: str
    values: dict[str, Value] = {}
    plural: str = ""
    count: int = 1

    def __str__(self) -> str:
        pattern = self.plural if self.plural and self.count != 1 else self.pattern
        return pattern.format(**{name: plain(value) for name, value in self.values.items()})


def plain(value: Value) -> str | int | float:
    """A value as English text; a tuple of phrases is a list with commas."""
    if isinstance(value, Phrase):
        return str(value)
    if isinstance(value, tuple):
        return ", ".join(str(part) for part in value)
    return value


def phrase(pattern: str, **values: Value) -> Phrase:
    return Phrase(pattern, values)


def phrases(pattern: str, plural: str, count: int, **values: Value) -> Phrase:
    """A sentence with a number in it; `{count}` is always among its values."""
    return Phrase(pattern, {**values, "count": count}, plural, count)
