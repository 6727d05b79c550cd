"""Prices, targets and percentages: `.035`, `2 Cents`, `0,95`, `$o.o5`, `$ 2 . 25`, `USD 8'000`."""

import re
from collections.abc import Iterator

from sekisho.campaign.claim import Amount, Percentage
from sekisho.campaign.labels import Label, says

PRICE_LABELS = frozenset((
    "current", "current price", "price", "currently", "currently trading", "last", "last price",
    "last trade", "recent price", "now", "trading at", "preis", "letzter preis", "kurs", "aktueller kurs",
    "urgent buy", "buy price", "share price", "close", "last close", "price per share", "stock price",
    "aktuell", "letzter kurs", "bid", "ask", "opening price", "entry", "closed at", "trading price",
    "current bid", "price today", "curr price", "current trading price", "trades at", "recent trade",
    "recent",
))  # fmt: skip
TARGET_LABELS = frozenset((
    "target", "target price", "price target", "projected price", "projected", "prognose", "kursziel",
    "sell target", "targets", "projection", "price projection", "expected price", "ziel", "expected",
    "target value", "day target", "est price", "estimated price", "speculative target", "price objective",
    "near term target", "trgt",
))  # fmt: skip
_TARGET_WORD = re.compile(r"target|prognose|kursziel|project|objective|expect", re.I)
_OTHER_PRICE = re.compile(r"trigger|squeeze|range|high|low|earning|revenue|outstanding|hour|offer")
_DIGITS = r"[0-9oO|lI]"
_NUMBER = (
    r"(?:[0-9]{1,3}(?:['][0-9]{3})+|[0-9]{1,3}(?:,[0-9]{3})+(?:\s?\.\s?[0-9]+)?|"
    + _DIGITS + r"{0,5}\s?[.,]\s?" + _DIGITS + r"{1,6}|[0-9]{1,6})"
)  # fmt: skip
_AMOUNT = re.compile(
    r"(?P<before>US\$|USD|EUR|[$€£])?\s{0,3}(?P<number>" + _NUMBER + r")(?![0-9A-Za-z]{3})\s{0,2}"
    r"(?P<after>cents?\b|¢|c\b|eur\b|euros?\b|usd\b|dollars?\b|€|\$)?",
    re.I,
)
_ALONE = re.compile(
    r"^[ \t]*(?P<amount>\$\s?[0-9]{0,3}\s?[.,]\s?[0-9]{1,5})[ \t]*(?:\(.{0,40}\)|up.{0,30})?[ \t]*$",
    re.M | re.I,
)
_PROSE_PRICE = re.compile(
    r"(?:trading (?:at|around|near|for)(?: only| about| just)?|currently (?:at|trading)|(?:last|now"
    r"|today) (?:at|traded)|from its current"
    r"|climb up to the|current price(?: of)?|closed at|price of|kurs von|notiert bei|aktuell bei"
    r"|trading today (?:at|for)(?: about)?|share price|(?<=\n)price)\s{1,3}"
    r"(?P<amount>(?:US\$|[$€])?\s{0,2}" + _NUMBER + r"(?:\s?(?:cents?\b|¢|eur\b|euro\b))?)",
    re.I,
)
_PROSE_TARGET = re.compile(
    r"(?:price target (?:of|is|at)|target price(?: (?:of|is|at))?|hit as high as|(?:jump|run"
    r"|go) from .{1,25} to"
    r"|valued at|target (?:of|is|at)|kursziel(?: (?:von|ist|bei|liegt bei))?|breakout to|(?:could|can|will"
    r"|to) (?:hit|reach)|bis zu einem preis von)\s{1,3}"
    r"(?P<amount>(?:US\$|[$€])?\s{0,2}" + _NUMBER + r"(?:\s?(?:cents?\b|eur\b|euro\b))?)",
    re.I,
)
_GLUED = re.compile(r"(?:[A-Za-z]{2}\}|[A-Z]{4}\)?)\s?\$?(?P<amount>0?[.,][0-9]{2,5})(?![0-9%])")
_HORIZON = re.compile(
    r"(?P<first>[0-9]{1,3})(?:\s?-\s?(?P<last>[0-9]{1,3}))?[\s-]{0,3}(?P<unit>trading\s(?:day|session)s?"
    r"|days?|d|t|tage?n?|tag"
    r"|weeks?|wochen?|w|months?|monate?n?|m)\b",
    re.I,
)
_UNITS = {"d": "d", "t": "d", "w": "w", "m": "m"}
_PERCENT = re.compile(
    r"(?P<sign>[+-])?\s?(?P<number>[0-9]{1,5}(?:\s?[.,]\s?[0-9]{1,3})?)\s?(?:%|percent\b|prozent\b)", re.I
)
_LETTER_DIGITS = str.maketrans("oOlI|", "00111")
CURRENCIES = {"$": "USD", "us$": "USD", "usd": "USD", "dollar": "USD", "dollars": "USD", "€": "EUR", "eur":
"EUR", "euro": "EUR", "euros": "EUR", "£": "GBP", "cent": "USD", "cents": "USD", "¢": "USD"}  # fmt: skip


def price_of(words: str, labels: list[Label], raw: str) -> Amount | None:
    """What the share is said to cost now: by a label, else alone in its line, else in a sentence."""
    for exactly in (True, False):
        for label in labels:
            if _is_price(label.name, exactly=exactly):
                amount = _amount(words, label.start, min(label.end, label.start + 30), raw, 0.95)
                if amount:
                    return amount
    for pattern, sure in ((_ALONE, 0.8), (_GLUED, 0.7), (_PROSE_PRICE, 0.7)):
        match = pattern.search(words)
        if match:
            return _amount(words, match.start("amount"), match.end("amount"), raw, sure)
    return None


def _is_price(name: str, *, exactly: bool) -> bool:
    if _TARGET_WORD.search(name) or _OTHER_PRICE.search(name):
        return False
    return name in PRICE_LABELS if exactly else says(name, PRICE_LABELS)


def targets_of(words: str, labels: list[Label], raw: str) -> tuple[Amount, ...]:
    """What it is said to cost one day, each once, in the order of the words."""
    found: dict[float, Amount] = {}
    for label in labels:
        before_it = words[max(0, label.start - 70) : label.start]
        later = label.name in ("days", "day", "weeks", "week") and "target" in before_it.lower()
        if (
            later
            or says(label.name, TARGET_LABELS)
            or (_TARGET_WORD.search(label.name) and len(label.name) < 45)
        ):
            before = words[max(0, label.start - 45) : label.start]
            for amount in _amounts(words, label.start, min(label.end, label.start + 40), raw):
                found.setdefault(amount.value, _with_horizon(amount, before.rpartition("\n")[2]))
    for match in _PROSE_TARGET.finditer(words):
        said = _amount(words, match.start("amount"), match.end("amount"), raw, 0.7)
        if said:
            around = words[max(0, match.start() - 60) : match.end() + 50]
            found.setdefault(said.value, _with_horizon(said, around))
    return tuple(sorted(found.values(), key=lambda amount: amount.start))


def percentages_of(words: str, raw: str) -> tuple[Percentage, ...]:
    found = []
    for match in list(_PERCENT.finditer(words))[:20]:
        value = float(re.sub(r"\s", "", match["number"]).replace(",", "."))
        value = -value if match["sign"] == "-" else value
        found.append(Percentage(raw[match.start() : match.end()], match.start(), match.end(), 0.9, value))
    return tuple(found)


def _amounts(words: str, start: int, end: int, raw: str) -> Iterator[Amount]:
    """One amount, and a second one where a range is given: `0.75 - 0.80`."""
    first = _amount(words, start, end, raw, 0.95)
    if first is None:
        return
    yield first
    dash = re.compile(r"\s{0,2}(?:-|to|bis)\s{0,2}(?=[$€.0-9])").match(words, first.end, end)
    second = _amount(words, dash.end(), end, raw, 0.9) if dash else None
    if second and second.value > first.value:
        yield second


def _amount(words: str, start: int, end: int, raw: str, sure: float) -> Amount | None:
    """The amount that a value begins with, at most a few characters into it."""
    match = _AMOUNT.search(words, start, end)
    if match is None or match.start() - start > 8 or not re.search("[0-9oO]", match["number"]):
        return None
    if words[match.end() : match.end() + 2].lstrip().startswith("%") or re.match(
        r"\s?[-/]?\s?(?:day|week|tag|woche)", words[match.end() : end], re.I
    ):
        return None
    value = _number(match["number"])
    after = (match["after"] or "").lower()
    if value is None:
        return None
    if after in ("cent", "cents", "c", "¢") and value >= 1 and not match["before"]:
        value = round(value / 100, 6)
    currency = CURRENCIES.get((match["before"] or after).lower(), "")
    return Amount(raw[match.start() : match.end()].strip(), match.start(), match.end(), sure, value, currency)


def _number(said: str) -> float | None:
    """`8'000` and `8,000` are thousands; `0,95` is a decimal comma; letters that look like digits are
    digits.
    """
    plain = re.sub(r"[\s']", "", said).translate(_LETTER_DIGITS)
    if re.fullmatch(r"[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?", plain):
        plain = plain.replace(",", "")
    plain = plain.replace(",", ".")
    try:
        value = float(plain)
    except ValueError:
        return None
    return value if 0 < value < 1e7 else None


def _with_horizon(amount: Amount, around: str) -> Amount:
    match = _HORIZON.search(around)
    if match:
        last = f"-{match['last']}" if match["last"] else ""
        horizon = match["first"] + last + _UNITS.get(match["unit"][0].lower(), "d")
    elif re.search(r"short|kurzfrist", around, re.I):
        horizon = "short"
    elif re.search(r"long|langfrist", around, re.I):
        horizon = "long"
    else:
        horizon = ""
    return Amount(
        amount.raw, amount.start, amount.end, amount.confidence, amount.value, amount.currency, horizon
    )
