"""The day on which a letter wants its readers to buy: `Jul, 29`, `29. Mai`, "first thing Monday".

Nobody writes the year: it is the one that brings the day nearest to the letter's arrival. A weekend or a
holiday of the American exchanges means the next session.
"""

import re
from datetime import date, timedelta

from sekisho.campaign.claim import Day
from sekisho.campaign.labels import Label, says

BEFORE = timedelta(days=3)
AFTER = timedelta(days=21)
"""A day to buy on lies at most this far before or behind the letter's arrival; others are dates of news."""

DATE_LABELS = frozenset((
    "trade date", "trading date", "date", "when trading", "buy date", "trade day", "trading day", "when",
    "handelstag", "kaufdatum", "start", "buy on", "trade on", "starts", "trades", "trading",
))  # fmt: skip
_MONTHS = {
    "jan": 1, "feb": 2, "mar": 3, "mär": 3, "maer": 3, "apr": 4, "may": 5, "mai": 5, "jun": 6, "jul": 7,
    "aug": 8, "sep": 9, "oct": 10, "okt": 10, "nov": 11, "dec": 12, "dez": 12,
}  # fmt: skip
_WEEKDAYS = {
    "mon": 0, "tue": 1, "die": 1, "wed": 2, "mit": 2, "thu": 3, "don": 3, "fri": 4, "fre": 4, "sat": 5,
    "sam": 5, "sun": 6, "son": 6,
}  # fmt: skip
_MONTH = (
    r"(?P<month>jan(?:uary|uar)?|feb(?:ruary|ruar)?|mar(?:ch)?|m(?:ä|ae)rz|apr(?:il)?|may|mai|june?|juni"
    r"|july?|juli|aug(?:ust)?"
    r"|sept?(?:ember)?|o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?)\b\.?"
)
_WEEKDAY = (
    r"(?P<weekday>mon-?day|montag|mon|tues?-?day|dienstag|tues?|wednes-?day|mittwoch|weds?|thurs?-?day"
    r"|donnerstag|thurs?|thu"
    r"|fri-?day|freitag|fri|satur-?day|samstag|sat|sun-?day|sonntag|sun)\b\.?"
)
_TH = r"(?:\s?(?:st|nd|rd|th)\b|\.)?"
_DATES = (
    re.compile(
        r"(?:"
        + _WEEKDAY
        + r"[\s,]{1,4})?(?:the )?"
        + _MONTH
        + r"[\s,]{1,4}(?P<day>[0-3]?[0-9])"
        + _TH
        + r"(?![0-9:])(?:[\s,]{1,4}(?:MON-DAY,? )?(?P<year>20[0-9]{2}))?",
        re.I,
    ),
    re.compile(
        r"(?:"
        + _WEEKDAY
        + r"[\s,]{1,4}(?:den )?)?(?<![0-9.,$])(?P<day>[0-3]?[0-9])"
        + _TH
        + r"\s{0,2}(?:of )?"
        + _MONTH
        + r"(?:[\s,]{1,3}(?P<year>20[0-9]{2}))?",
        re.I,
    ),
    re.compile(r"(?<![0-9.,/])(?P<day>[0-3]?[0-9])\.\s?" + _WEEKDAY, re.I),
)
_BARE = re.compile(
    r"(?:first\s{1,2}thing|as soon as|get on \S{2,12}|on it|on \S{2,8}|grab \S{2,12}|radar"
    r"|watch it(?: trade)?(?: like a hawk)?(?: on)?"
    r"|buy (?:it )?on|starting|begins?|am|early)\s{1,3}" + _WEEKDAY,
    re.I,
)
_CUE = re.compile(
    r"watch|get (?:in|on|it)|add |radar|trading date|trade date|when trading|buy|trade|pick|sehen sie"
    r"|startet|beginn|verpassen"
    r"|\bam\b|starting|explo|day of|don't miss|move on|alert|ready|soar|going",
    re.I,
)
_NEWS = re.compile(
    r"-- ?\(?|announce|release|filed|quarter|ended|\bet\b|[0-9]:[0-9]{2}|datum|issue|wire|published|since"
    r"|was received|wrote"
    r"|we gave|report(?:ed|s)?\b|fiscal|dated|as of",
    re.I,
)


def day_of(words: str, labels: list[Label], raw: str, received: date) -> Day | None:
    """The day that is claimed, seen from the letter's arrival; None if there is none."""
    for label in labels:
        if says(label.name, DATE_LABELS):
            for pattern in _DATES:
                match = pattern.search(words, label.start, label.end)
                found = match and _day(match, raw, received, 0.95)
                if found:
                    return found
    ranked = []
    for pattern in _DATES:
        for match in list(pattern.finditer(words))[:200]:
            found = _day(match, raw, received, 0.85)
            if found and found.value >= received - BEFORE:
                ranked.append((_likely(words, match, found, received), -match.start(), found))
    bare = _BARE.search(words)
    if bare:
        found = _weekday_after(bare, raw, received)
        ranked.append((1.5, -bare.start(), found))
    best = max(ranked, key=lambda one: one[:2], default=None)
    return best[2] if best and best[0] >= 1 else None


def _likely(words: str, match: re.Match[str], found: Day, received: date) -> float:
    """Cues in the same line, less those of news; a day of the past is news."""
    begin = words.rfind("\n", 0, match.start()) + 1
    end = words.find("\n", match.end())
    around = words[max(begin, match.start() - 80) : min(end if end >= 0 else len(words), match.end() + 60)]
    before = words[max(0, match.start() - 60) : match.start()]
    likely = 1.0 * bool(_CUE.search(around) or _CUE.search(before)) - 1.2 * bool(_NEWS.search(around))
    likely += 0.5 * (match.groupdict().get("weekday") is not None)
    likely += 0.5 * (around.isupper())
    return (
        likely - (1.0 if found.value < received else 0.0) + (0.6 if match.end() == begin + len(around) else 0)
    )


def _day(match: re.Match[str], raw: str, received: date, sure: float) -> Day | None:
    said = match.groupdict()
    number = int(said["day"])
    month = said.get("month")
    if month is None:
        candidates = [_month_day(received, months, number) for months in (-1, 0, 1)]
        weekday = _WEEKDAYS[said["weekday"][:3].lower()]
        candidates = [day for day in candidates if day and day.weekday() == weekday]
    elif said.get("year"):
        candidates = [_date(int(said["year"]), _number_of(month), number)]
    else:
        candidates = [_date(received.year + years, _number_of(month), number) for years in (-1, 0, 1)]
    days = [
        day
        for day in candidates
        if day and -BEFORE - timedelta(60) <= day - received <= AFTER + timedelta(40)
    ]
    if not days:
        return None
    value = min(days, key=lambda day: abs((day - received).days))
    return _made(match, raw, value, sure)


def _weekday_after(match: re.Match[str], raw: str, received: date) -> Day:
    wanted = _WEEKDAYS[match["weekday"][:3].lower()]
    value = received + timedelta((wanted - received.weekday()) % 7)
    return _made(match, raw, value, 0.8)


def _made(match: re.Match[str], raw: str, value: date, sure: float) -> Day:
    session, closed = next_session(value)
    return Day(
        raw[match.start() : match.end()].strip(), match.start(), match.end(), sure, value, session, closed
    )


def _number_of(month: str) -> int:
    return _MONTHS[month[:4].lower() if month[:4].lower() == "maer" else month[:3].lower()]


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _month_day(received: date, months: int, day: int) -> date | None:
    count = received.year * 12 + received.month - 1 + months
    return _date(count // 12, count % 12 + 1, day)


def next_session(day: date) -> tuple[date, str]:
    """The first day from `day` on with trade in New York, and why it is another: `weekend`, `holiday` or
    "".
    """
    why, session = "", day
    while True:
        closed = (
            "weekend" if session.weekday() > 4 else "holiday" if session in _holidays(session.year) else ""
        )
        if not closed:
            return session, why
        why = why or closed
        session += timedelta(1)


def _holidays(year: int) -> set[date]:
    """Full closings of the New York exchanges that come every year (NYSE rule 7.2)."""
    days = {
        _nth(year, 1, 0, 3), _nth(year, 2, 0, 3), _easter(year) - timedelta(2), _last_monday_of_may(year),
        _nth(year, 9, 0, 1), _nth(year, 11, 3, 4),
    }  # fmt: skip
    fixed = [(7, 4), (12, 25)] + ([(6, 19)] if year >= 2022 else [])
    for month, day in fixed:
        days.add(_observed(date(year, month, day)))
    new_year = date(year, 1, 1)
    if new_year.weekday() != 5:
        days.add(_observed(new_year))
    return days


def _observed(day: date) -> date:
    return day - timedelta(1) if day.weekday() == 5 else day + timedelta(1) if day.weekday() == 6 else day


def _nth(year: int, month: int, weekday: int, which: int) -> date:
    first = date(year, month, 1)
    return first + timedelta((weekday - first.weekday()) % 7 + 7 * (which - 1))


def _last_monday_of_may(year: int) -> date:
    last = date(year, 5, 31)
    return last - timedelta(last.weekday())


def _easter(year: int) -> date:
    """The Gregorian computus (Meeus, Astronomical Algorithms, chapter 8)."""
    golden = year % 19
    century, rest = divmod(year, 100)
    leap, left = divmod(century, 4)
    moon = (19 * golden + century - leap - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    quarter, remainder = divmod(rest, 4)
    sunday = (32 + 2 * left + 2 * quarter - moon - remainder) % 7
    shift = (golden + 11 * moon + 22 * sunday) // 451
    month, day = divmod(moon + sunday - 7 * shift + 114, 31)
    return date(year, month, day + 1)
