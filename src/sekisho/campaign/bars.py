"""Daily prices and volumes out of a CSV, in the dialects in which people have them.

Found out by looking: what parts the columns, which column is which (by its heading, else by its values), how
dates are written (ISO, `7/22/2013`, `22.07.2013`, `Jul 22, 2013`, `20130722`, seconds), whether a comma is a
point, whether there are several symbols, and whether rows are minutes, which are summed to days.
"""

import csv
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime

from msgspec import Struct

from sekisho.model.phrase import Phrase, phrase
from sekisho.model.text import printable

ROWS_MAX = 2_000_000
LINE_MAX = 4_000

_HEADINGS = {
    "date": ("date", "day", "datum", "time", "timestamp", "datetime", "tradedate", "日付", ""),
    "close": ("close", "last", "price", "closinglast", "schluss", "schlusskurs", "closelast", "kurs", "終値"),
    "adjusted": ("adjclose", "adjustedclose", "adjclose*", "adjclose**"),
    "open": ("open", "eröffnung", "erster", "始値"),
    "volume": ("volume", "vol", "volumen", "stück", "stuecke", "shares", "出来高"),
    "symbol": ("symbol", "ticker", "sym", "name"),
}
_FORMATS = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%d.%m.%Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%y", "%d-%b-%Y",
    "%d %b %Y",    "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%d.%m.%y",
)  # fmt: skip
_SLASHES = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{2,4})")


class Bar(Struct):
    """One day. `volume` in shares; a day without trade has 0 or is missing."""

    day: date
    close: float
    volume: float


class BadPrices(Exception):
    """`line` from 1, and why."""

    def __init__(self, line: int, why: Phrase) -> None:
        super().__init__(f"line {line}: {why}")
        self.line, self.why = line, why


class _Layout(Struct):
    date: int
    close: int
    volume: int
    symbol: int
    comma: bool
    day_first: bool


def bars_of(lines: Iterator[str], symbol: str = "") -> list[Bar]:
    """Sorted by day. Raises BadPrices where no row can be read, or `symbol` is not among many."""
    rows = list(_rows(lines))
    if not rows:
        raise BadPrices(1, phrase("there are no rows"))
    heading = _heading(rows[0])
    layout = _layout(rows, heading)
    days: dict[date, Bar] = {}
    counts: dict[date, list[float]] = {}
    symbols = {row[layout.symbol].strip().upper() for row in rows[1:]} if layout.symbol >= 0 else set()
    if len(symbols) > 1 and symbol.upper() not in symbols:
        raise BadPrices(
            1,
            phrase(
                "there are {n} symbols, and none is {symbol}", n=len(symbols), symbol=printable(symbol, 20)
            ),
        )
    for number, row in enumerate(rows[1:] if heading else rows, 2 if heading else 1):
        if len(symbols) > 1 and row[layout.symbol].strip().upper() != symbol.upper():
            continue
        _take(row, layout, days, counts, number)
    if not days:
        raise BadPrices(1, phrase("no row has a date and a price"))
    _sum_minutes(days, counts)
    return [days[day] for day in sorted(days)]


def _rows(lines: Iterator[str]) -> Iterator[list[str]]:
    begun = []
    for line in lines:
        begun.append(line[:LINE_MAX])
        if len(begun) == 20:
            break
    text = "".join(begun)
    parting = max(
        ";\t,|", key=lambda char: min((line.count(char) for line in begun if line.strip()), default=0)
    )
    if parting == "," and ";" in text and text.count(";") >= len(begun):
        parting = ";"
    reader = csv.reader(
        (line.replace("\0", "") for line in (*begun, *lines)), delimiter=parting, skipinitialspace=True
    )
    for number, row in enumerate(reader):
        if number >= ROWS_MAX:
            raise BadPrices(number, phrase("there are more than {n} rows", n=ROWS_MAX))
        if any(cell.strip() for cell in row):
            yield row


def _heading(row: list[str]) -> dict[str, int]:
    """Which column is which, by its name; empty where the first row is data already."""
    found: dict[str, int] = {}
    names = [re.sub(r"[\s<>._/-]", "", cell).lower() for cell in row]
    for kind, words in _HEADINGS.items():
        for place, name in enumerate(names):
            if name in words and kind not in found and (name or place == 0):
                found[kind] = place
    return found if len(found) > 1 and ("close" in found or "adjusted" in found) else {}


def _layout(rows: list[list[str]], heading: dict[str, int]) -> _Layout:
    data = rows[1:201] if heading else rows[:200]
    if heading:
        place = heading.get("date", 0)
        close = heading.get("adjusted", heading.get("close", -1))
        volume, symbol = heading.get("volume", -1), heading.get("symbol", -1)
    else:
        place, close, volume, symbol = _guessed(data)
    cells = [row[close] for row in data if len(row) > close]
    comma = any(re.fullmatch(r"\s*\d+,\d{1,6}\s*", cell) for cell in cells) and not any(
        "." in cell for cell in cells
    )
    dates = [row[place] for row in data if len(row) > place]
    day_first = any((found := _SLASHES.match(cell.strip())) and int(found[1]) > 12 for cell in dates)
    return _Layout(place, close, volume, symbol, comma, day_first)


def _guessed(data: list[list[str]]) -> tuple[int, int, int, int]:
    """Without a heading: the date, then open, high, low, close and volume in their usual order."""
    row = data[0]
    place = next((at for at, cell in enumerate(row) if _date(cell, day_first=False)), -1)
    if place < 0:
        raise BadPrices(1, phrase("no column has dates"))
    numbers = [at for at, cell in enumerate(row) if at > place and _number(cell, comma=False) is not None]
    symbol = 0 if place > 0 and _number(row[0], comma=False) is None else -1
    if len(numbers) >= 5:
        return place, numbers[3], numbers[4], symbol
    if len(numbers) >= 2:
        return place, numbers[0], numbers[1], symbol
    if len(numbers) == 1:
        return place, numbers[0], -1, symbol
    raise BadPrices(1, phrase("no column has prices"))


def _take(
    row: list[str], layout: _Layout, days: dict[date, Bar], counts: dict[date, list[float]], number: int
) -> None:
    """One row into its day; a row without a price says that there was no trade."""
    if len(row) <= max(layout.date, layout.close):
        return
    day = _date(row[layout.date], day_first=layout.day_first)
    close = _number(row[layout.close], comma=layout.comma)
    if day is None:
        raise BadPrices(number, phrase("{text} is no date", text=printable(row[layout.date], 30)))
    if close is None or close <= 0:
        return
    volume = 0.0
    if 0 <= layout.volume < len(row):
        volume = _number(row[layout.volume], comma=layout.comma) or 0.0
    days[day] = Bar(day, close, volume)
    counts.setdefault(day, []).append(volume)


def _sum_minutes(days: dict[date, Bar], counts: dict[date, list[float]]) -> None:
    """Of rows of one day the last price counts; volumes that never fall within it are running totals."""
    several = [volumes for volumes in counts.values() if len(volumes) > 1]
    running = bool(several) and all(volumes == sorted(volumes) for volumes in several)
    for day, volumes in counts.items():
        days[day].volume = volumes[-1] if running else sum(volumes)


def _number(cell: str, *, comma: bool) -> float | None:
    plain = re.sub(r"[\s$€']", "", cell)
    plain = plain.replace(".", "").replace(",", ".") if comma else plain.replace(",", "")
    scale = {"K": 1e3, "M": 1e6, "B": 1e9}.get(plain[-1:].upper(), 1.0)
    try:
        value = float(plain[:-1] if scale > 1 else plain) * scale
    except ValueError:
        return None
    return value if 0 <= value < 1e15 else None


def _date(cell: str, *, day_first: bool) -> date | None:
    said = cell.strip()[:32]
    slashes = _SLASHES.match(said)
    try:
        if slashes:
            first, second, year = (int(part) for part in slashes.groups())
            month, day = (second, first) if day_first else (first, second)
            return date(year + 2000 if year < 100 else year, month, day)
        if re.fullmatch(r"1?\d{9}(?:\d{3})?(?:\.\d+)?", said):
            moment = float(said)
            return datetime.fromtimestamp(moment / 1000 if moment > 1e11 else moment, UTC).date()
        iso = re.match(r"\d{4}-\d{2}-\d{2}", said)
        if iso:
            return date.fromisoformat(iso[0])
    except (ValueError, OverflowError, OSError):
        return None
    for form in _FORMATS:
        try:
            return datetime.strptime(said, form).date()
        except ValueError:
            continue
    return None
