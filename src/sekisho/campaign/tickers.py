"""The share that a letter pushes, by its symbol: taken out of its disguise, and only where a cue says so.

Each cue (a label, a market beside it, "get on X Monday") gives a candidate some weight; the symbol with the
most is the one that is pushed. Ordinary prose has no cue and so no symbol, however many short words in
capitals it has.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from sekisho.campaign.claim import Ticker
from sekisho.campaign.labels import Label, says

LETTERS_MAX = 5
"""Letters of a symbol of the American markets."""

SURE = 1.0
"""Weight from which a symbol needs no second cue."""

STRONG = 0.7
"""A cue of this weight needs no price beside it."""

NEAR = 0.5
"""A symbol with less than this share of the first one's weight is only mentioned."""

MANY = 3
"""A letter that gives more than this many their due, pushes none: it is a list."""

SYMBOL_LABELS = frozenset((
    "symbol", "symb", "sym", "symbols", "ticker", "tick", "stock", "lookup", "look up", "search for",
    "to buy", "campaign for", "kurzel", "kürzel", "kuerzel", "ticket", "ticket to success", "trading tip",
    "hot pick", "stock pick", "stock alert", "borsenkurzel", "stck", "symbole", "ticksymbol", "trade",
))  # fmt: skip
MARKETS = {
    "otcbb": "OTCBB", "otc": "OTC", "oto": "OTC", "otherotc": "PINK", "pinksheets": "PINK",
    "pinksheet": "PINK", "pink": "PINK", "otcpk": "PINK", "otcpink": "PINK", "frankfurt": "FRA",
    "fra": "FRA", "xetra": "DE", "otcqb": "OTC", "otcqx": "OTC", "otcmarkets": "OTC", "nasdaq": "NASDAQ",
    "nasd": "NASDAQ", "nyse": "NYSE", "amex": "AMEX", "tsxv": "TSXV", "tsx": "TSX", "cve": "TSXV",
}  # fmt: skip
"""How letters name a market, without points and blanks, and its short name."""

SUFFIXES = {
    "ob": "OTCBB", "bb": "OTCBB", "pk": "PINK", "pnk": "PINK", "oto": "OTC", "otc": "OTC", "f": "FRA",
    "de": "DE",
}  # fmt: skip
"""Endings of symbols and their market."""

LARGE = frozenset(("NASDAQ", "NYSE", "AMEX", "TSX"))
"""Markets whose shares are not moved by letters: beside them a symbol is a mention."""

_STOP = frozenset((
    "THE", "AND", "FOR", "YOU", "NOW", "BUY", "GET", "ALL", "NEW", "HOT", "TOP", "BIG", "OUR", "THIS",
    "THAT", "WITH", "HERE", "IT", "ON", "IN", "IS", "OF", "TO", "AT", "BE", "UP", "GO", "AS", "BY", "OR",
    "AN", "WE", "US", "USA", "CEO", "CFO", "OTC", "OTCBB", "PINK", "NYSE", "NEWS", "STOCK", "ALERT",
    "SELL", "HOLD", "PRICE", "SYM", "EST", "EDT", "PDT", "PST", "INC", "CORP", "LTD", "LLC", "COM", "WWW",
    "HTTP", "FREE", "HIGH", "LOW", "DAY", "DAYS", "WEEK", "YEAR", "NASD", "SEC", "FDA", "IPO", "USD",
    "EUR", "GMBH", "ISIN", "WKN", "KURS", "JETZT", "DIE", "DER", "DAS", "UND", "FIRST", "THING", "TRADE",
    "WATCH", "RADAR", "YOUR", "ALSO", "FROM", "WHEN", "WHAT", "MORE", "MUST", "RUN", "HUGE", "NEXT",
    "LAST", "RE", "FW", "FWD", "PM", "AM", "TV", "PR", "IR", "ROI", "EPS", "ADD", "NOTE", "NONE", "NULL",
    "TEST", "DATE", "NAME", "BOARD", "TODAY", "MON", "TUE", "TUES", "WED", "THU", "THUR", "THURS", "FRI",
    "SAT", "SUN", "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "SEPT", "OCT", "NOV",
    "DEC", "PINKS", "SHEET", "INDEX", "LIST", "QUOTE", "CHART", "BEFORE", "MARKET", "THEM", "THEY",
    "EARLY", "GOLD", "OIL", "GAS", "BOARDS", "BAND", "HOME", "MAIN", "MAKE", "HELP",
))  # fmt: skip
"""Words that stand where a symbol might, and are none."""

_SUFFIX = r"(?:[.:]\s?(?P<suffix>OB|PK|F|DE|BB|PNK|V|TO|ob|pk|f|de))?"
_MARKET = (
    r"(?P<market>other\s?otc|otc\s?[.:-]?\s?(?:bb|pk|pink|qb|qx|markets)|otc|oto|pink\s?sheets?|pink"
    r"|frankfurt|fra|xetra"
    r"|nasdaq|nasd|nyse|amex|tsxv|tsx|cve)"
)
_PLAIN = re.compile(r"[<{(\[.:*_\"'\s$#|-]{0,8}(?P<symbol>[A-Z][A-Z0-9]{1,4}|[A-Z])(?![a-z])" + _SUFFIX)
_LOWER = re.compile(r"[<{(\[.:*_\"'\s-]{0,8}(?P<symbol>[a-z]{3,5})(?![A-Za-z0-9@'])" + _SUFFIX)
_GAP = re.compile(r"(?P<gap>[ _.*~+|/\\()<>{}\[\]-]{1,4})(?P<piece>[A-Z]{1,4})(?![A-Za-z0-9])")
_BESIDE = re.compile(
    r"(?<![A-Za-z0-9])"
    + _MARKET
    + r"(?:\s?/\s?other|\s?\.?\s?(?:pk|bb))?[\"']?\s{0,3}[):]?\s{0,2}[:\-(]\s{0,3}"
    r"[\"']?(?P<symbol>[A-Za-z]{3,5})(?![A-Za-z0-9@])(?:\s?\.\s?(?P<suffix>ob|pk|f))?",
    re.I,
)
_BEFORE = re.compile(
    r"(?<![A-Za-z0-9.@/])(?P<symbol>[A-Z]{3,5}|[A-Z][A-Z0-9]{2,4}|(?<=\{)[a-z]{3,5})"
    r"\s?[.:]\s?(?P<suffix>ob|pk|f|de|oto|otc|pnk)(?![A-Za-z0-9])",
    re.I,
)
_COMPANY = re.compile(
    r"(?:inc|corp|corporation|ltd|plc|holdings?|group|company|ag|international|entertainment|technolog(?:y|ies))"
    r"\b\s?[.,]{0,2}\s{0,3}[(\[]\s?(?P<symbol>[A-Z]{3,5}|[a-z]{3,5})\s?[)\]]",
    re.I,
)
_ACT = re.compile(
    r"\b(?:get (?:in )?on|grab|watch|buy|add|slap|radar for|news (?:of|for|and get on|on)|released for"
    r"|move on|alert:|pick:|discovery:|accumulate|kaufen sie|sehen sie)[ \t]{1,3}(?:the[ \t])?"
    r"(?P<symbol>\S[^\n]{0,14})",
    re.I,
)
_ALONE = re.compile(
    r"^[ \t]*(?P<symbol>(?:[_*.\-~ ]?[A-Z][_*.\-~ ]?){4,5}|[*.:<({\[]{1,6}[A-Z]{4,5}[*.:>)}\]]{1,6}"
    r"|[A-Z]{4})[ \t]*$",
    re.M,
)
_LETTERED = re.compile(
    r"(?<![A-Za-z])(?P<symbol>(?:\([A-Z]\)){3,5}|(?:[A-Z][_*~]){3,4}[A-Z]_?|[<{][A-Z]{3,5}[>}]"
    r"|\.:[A-Z]{3,5}:\.)"
)
_SAID = re.compile(
    r"\b(?:symbol|ticker|sym)\b[ \t]{0,3}(?:is[ \t]{1,3}|-[ \t]{0,3})?[(\[\"':]{0,2}[ \t]?"
    r"(?P<symbol>[A-Z][^\n]{2,12})",
    re.I,
)
_FIRST = re.compile(r"\A[\W_]{0,6}(?P<symbol>[A-Z]{4,5}(?:\.(?:F|OB|PK))?)\b(?:'s|[:!])?\s")


class _Seen(Struct, frozen=True):
    value: str
    market: str
    start: int
    end: int
    weight: float


def tickers_of(words: str, labels: list[Label], raw: str, *, vouched: bool) -> tuple[Ticker, ...]:
    """`words` are folded, `raw` as written and as long. The one that is pushed first; none without a cue.

    `vouched`: the letter gives a price or a target, so that a symbol behind a company's name counts too.
    """
    seen: dict[str, list[_Seen]] = {}
    for one in _candidates(words, labels):
        if one.value not in _STOP and not one.value.isdigit():
            seen.setdefault(one.value, []).append(one)
    weights = {value: _weight(value, found, words) for value, found in seen.items()}
    ranked = sorted(weights, key=lambda value: (-weights[value], seen[value][0].start))
    ranked = [value for value in ranked if vouched or max(one.weight for one in seen[value]) >= STRONG]
    if not ranked or weights[ranked[0]] < SURE:
        return ()
    best = [value for value in ranked if weights[value] >= max(SURE, NEAR * weights[ranked[0]])]
    if len(best) > MANY:
        return ()
    return tuple(_ticker(value, seen[value], weights[value], raw) for value in best)


def _weight(value: str, found: list[_Seen], words: str) -> float:
    """The sum of different cues, more where the symbol is said again."""
    cues = sorted({(one.weight, one.start) for one in found}, reverse=True)[:4]
    if all(one.market in LARGE for one in found if one.market) and any(one.market for one in found):
        return 0.0
    again = len(re.findall(rf"(?<![A-Za-z0-9]){re.escape(value)}(?![A-Za-z0-9])", words, re.I))
    return sum(weight for weight, _ in cues) + 0.15 * min(again, 6)


def _ticker(value: str, found: list[_Seen], weight: float, raw: str) -> Ticker:
    first = max(found, key=lambda one: (one.weight, -one.start))
    market = next((one.market for one in found if one.market), "")
    full = f"{value}.F" if market == "FRA" else value
    confidence = round(min(0.99, 0.5 + weight / 6), 2)
    return Ticker(raw[first.start : first.end], first.start, first.end, confidence, full, market)


def _candidates(words: str, labels: list[Label]) -> Iterator[_Seen]:
    for label in labels:
        if says(label.name, SYMBOL_LABELS):
            yield from _valued(words, label.start, label.end, 1.2, lower=True)
    for match in _BESIDE.finditer(words):
        name = re.sub(r"[\s.:-]+", "", match["market"].lower())
        market = SUFFIXES.get((match["suffix"] or "").lower()) or MARKETS.get(name, "")
        yield _at(match, "symbol", market, 1.1)
    for match in _BEFORE.finditer(words):
        if match["symbol"].isupper() or words[match.start() - 1 : match.start()] == "{":
            yield _at(match, "symbol", SUFFIXES.get(match["suffix"].lower(), ""), 1.0)
    for match in _SAID.finditer(words):
        if words[match.start("symbol")].isupper():
            yield from _valued(words, match.start("symbol"), match.end("symbol"), 1.1, lower=False)
    for match in _COMPANY.finditer(words):
        yield _at(match, "symbol", "", 0.65)
    for match in _ACT.finditer(words):
        yield from _valued(words, match.start("symbol"), match.end("symbol"), 0.5, lower=False)
    for match in (*_ALONE.finditer(words), *_LETTERED.finditer(words)):
        letters = "".join(char for char in match["symbol"] if char.isalpha())
        if len(letters) <= LETTERS_MAX:
            weight = (
                0.3 if len(letters) == len(match["symbol"]) else 0.5 if match["symbol"][0] in "<{" else 0.7
            )
            yield _Seen(letters, "", match.start("symbol"), match.end("symbol"), weight)
    for match in _FIRST.finditer(words):
        value, _, suffix = match["symbol"].partition(".")
        yield _Seen(value, SUFFIXES.get(suffix.lower(), ""), match.start("symbol"), match.end("symbol"), 0.4)


def _at(match: re.Match[str], group: str, market: str, weight: float) -> _Seen:
    return _Seen(match[group].upper(), market, match.start(group), match.end(group), weight)


def _valued(words: str, start: int, end: int, weight: float, *, lower: bool) -> Iterator[_Seen]:
    """The symbol at the beginning of a value, its pieces put together."""
    match = _PLAIN.match(words, start, end)
    if match is None:
        match = _LOWER.match(words, start, end) if lower else None
        if match and match["symbol"].upper() not in _STOP and _likely_lower(words, match):
            yield _Seen(
                match["symbol"].upper(), _market(match), match.start("symbol"), match.end(), weight - 0.1
            )
        return
    symbol, stop = match["symbol"], match.end("symbol")
    if match["suffix"]:
        stop = match.end()
    while not match["suffix"] and len(symbol) < LETTERS_MAX:
        gap = _GAP.match(words, stop, end)
        if gap is None or len(symbol) + len(gap["piece"]) > LETTERS_MAX or not _belongs(symbol, gap):
            break
        symbol, stop = symbol + gap["piece"], gap.end()
    if len(symbol) >= 3:
        yield _Seen(symbol, _market(match), match.start("symbol"), stop, weight)


def _belongs(symbol: str, gap: re.Match[str]) -> bool:
    """Whether the next piece is part of a symbol that was cut, and not the next word."""
    piece = gap["piece"]
    if len(symbol) + len(piece) < 4 and gap["gap"] == " " and piece in _STOP:
        return False
    return len(symbol) < 3 or len(piece) == 1 or "_" in gap["gap"]


def _likely_lower(words: str, match: re.Match[str]) -> bool:
    """A symbol in small letters is said more than once, or the whole text is in small letters."""
    symbol = match["symbol"]
    again = len(re.findall(rf"(?<![A-Za-z0-9]){symbol}(?![A-Za-z0-9])", words, re.I))
    return again > 1 or words.islower()


def _market(match: re.Match[str]) -> str:
    return SUFFIXES.get((match["suffix"] or "").lower(), "")
