"""What a letter claims about a share: each with the words as written, the value, and how sure the reading
is."""

from datetime import date

from msgspec import Struct


class Found(Struct, frozen=True):
    """A piece of the words: `start` and `end` bound `raw` in them; `confidence` from 0 to 1."""

    raw: str
    start: int
    end: int
    confidence: float


class Ticker(Found, frozen=True):
    """`value`: the symbol in capitals, with the ending that belongs to it; `market`: a short name or ""."""

    value: str
    market: str = ""


class Amount(Found, frozen=True):
    """A price or a target. `currency` by ISO 4217, "" if not said; `horizon` like `5d`, `1-2w`, `short`."""

    value: float
    currency: str = ""
    horizon: str = ""


class Percentage(Found, frozen=True):
    value: float


class Day(Found, frozen=True):
    """`value` as it is said, with the year that is meant; `session` the day on which there is trade, the same
    one or the next; `closed` says why it is another.
    """

    value: date
    session: date
    closed: str = ""


class Name(Found, frozen=True):
    """A company's name, an ISIN or a WKN."""

    value: str


class Claims(Struct, frozen=True):
    """All that one letter claims. `tickers`: the one that is pushed first; empty where none is. `flags`: what
    contradicts itself, each a short name.
    """

    tickers: tuple[Ticker, ...] = ()
    company: Name | None = None
    isin: Name | None = None
    wkn: Name | None = None
    price: Amount | None = None
    targets: tuple[Amount, ...] = ()
    changes: tuple[Percentage, ...] = ()
    day: Day | None = None
    signals: tuple[Found, ...] = ()
    flags: tuple[str, ...] = ()
