"""Whether price and volume were unusual on the days of a campaign: an event study (MacKinlay 1997).

What was usual is taken from the days around, without the campaign's own: medians and their deviations, which
a few wild days do not move. A day's significance is its rank among those days, corrected for many tests (Holm
1979); all days of the campaign together are held against days drawn by chance. It shows that two things went
together, and not why.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from datetime import date, timedelta

from msgspec import Struct

from sekisho.campaign.bars import Bar

BASELINE_DAYS = 250
"""Days of trade before and behind that say what is usual: a year of sessions."""

BASELINE_LEAST = 20
"""With fewer there is no statement."""

PERMUTATIONS = 2_000
SIGNIFICANT = 0.05

UNUSUAL = 3.5
"""Deviations from the median from which a day is unusual at all (Iglewicz and Hoaglin 1993)."""

THIN = 0.3
"""Share of sessions without trade from which statements on returns are weak."""

SPLIT_TOLERANCE = 0.02
SPLIT_LEAST = 1.9


Draw = Callable[[list[float], int], list[float]]
"""As many of the values, drawn by chance, none twice."""


class Event(Struct, frozen=True):
    """A day of the campaign. `kind`: `mail` or `claimed`."""

    day: date
    kind: str


class Finding(Struct, frozen=True):
    """`session`: the day of trade that is looked at. `ratio`: volume by its median. `p_...`: corrected."""

    day: date
    kind: str
    session: date | None
    close: float | None = None
    change: float | None = None
    abnormal_change: float | None = None
    volume: float | None = None
    ratio: float | None = None
    z_volume: float | None = None
    z_change: float | None = None
    p_volume: float | None = None
    p_change: float | None = None
    unusual_volume: bool = False
    unusual_change: bool = False


class Study(Struct, frozen=True):
    """`together_volume`: the chance that days drawn at random look as unusual as the campaign's. `flags`:
    `too_few_days`, `thin_trading`, `splits_adjusted`, `days_without_trade`.
    """

    first: date
    last: date
    baseline: int
    findings: tuple[Finding, ...]
    together_volume: float | None
    together_change: float | None
    unusual_days: tuple[date, ...]
    flags: tuple[str, ...]


def study(bars: list[Bar], events: Sequence[Event], market: list[Bar] | None, draw: Draw) -> Study:
    """`bars` sorted by day, at least one. `market`: a benchmark whose moves are taken out of the returns."""
    bars, split = without_splits(bars)
    flags = ["splits_adjusted"] if split else []
    sessions = [_session(bars, event.day) for event in events]
    taken = {at for at in sessions if at is not None}
    volumes = [math.log1p(bar.volume) for bar in bars]
    changes = _changes(bars, market)
    usual = _usual(bars, taken)
    if sum(1 for at in usual if bars[at].volume <= 0) > THIN * max(1, len(usual)):
        flags.append("thin_trading")
    if any(at is None or bars[at].day != event.day for at, event in zip(sessions, events, strict=True)):
        flags.append("days_without_trade")
    if len(usual) < BASELINE_LEAST:
        findings = tuple(Finding(event.day, event.kind, None) for event in events)
        return Study(
            bars[0].day, bars[-1].day, len(usual), findings, None, None, (), (*flags, "too_few_days")
        )
    z_volume, z_change = _deviations(volumes, usual), _deviations(changes, usual)
    findings = _findings(bars, events, sessions, (changes, z_volume, z_change), usual)
    unusual = tuple(bars[at].day for at in usual if z_volume[at] > 2 * UNUSUAL)
    return Study(
        bars[0].day,
        bars[-1].day,
        len(usual),
        findings,
        _together(z_volume, taken, usual, draw),
        _together([abs(z) for z in z_change], taken, usual, draw),
        unusual,
        tuple(flags),
    )


def without_splits(bars: list[Bar]) -> tuple[list[Bar], bool]:
    """Earlier prices and volumes in terms of the last ones: a close that jumps by a whole factor, while no
    more money changes hands than before, is a split.
    """
    adjusted = [Bar(bar.day, bar.close, bar.volume) for bar in bars]
    usual = statistics.median(bar.close * bar.volume for bar in bars)
    factor, found = 1.0, False
    for at in range(len(bars) - 1, 0, -1):
        adjusted[at].close, adjusted[at].volume = bars[at].close * factor, bars[at].volume / factor
        ratio = bars[at].close / bars[at - 1].close
        whole = round(max(ratio, 1 / ratio))
        near = abs(max(ratio, 1 / ratio) / whole - 1) <= SPLIT_TOLERANCE
        quiet = bars[at].close * bars[at].volume <= 3 * usual
        if max(ratio, 1 / ratio) >= SPLIT_LEAST and near and quiet:
            factor, found = factor * ratio, True
    adjusted[0].close, adjusted[0].volume = bars[0].close * factor, bars[0].volume / factor
    return adjusted, found


def _session(bars: list[Bar], day: date) -> int | None:
    """The first day with a bar from `day` on, within a week."""
    for at, bar in enumerate(bars):
        if bar.day >= day:
            return at if bar.day - day <= timedelta(7) else None
    return None


def _changes(bars: list[Bar], market: list[Bar] | None) -> list[float]:
    """Logarithmic returns; with a market, what is left of them beside the market's (least squares)."""
    own = [0.0] + [math.log(bars[at].close / bars[at - 1].close) for at in range(1, len(bars))]
    if not market:
        return own
    closes = {bar.day: bar.close for bar in market}
    others = [0.0] * len(bars)
    for at in range(1, len(bars)):
        now, before = closes.get(bars[at].day), closes.get(bars[at - 1].day)
        others[at] = math.log(now / before) if now and before else 0.0
    if len(set(others)) < 3:
        return own
    slope, intercept = statistics.linear_regression(others, own)
    return [change - (intercept + slope * other) for change, other in zip(own, others, strict=True)]


def _usual(bars: list[Bar], taken: set[int]) -> list[int]:
    """Days that say what is usual: around the campaign, without its days and their neighbours."""
    middle = sorted(taken)[len(taken) // 2] if taken else len(bars) - 1
    near = sorted(range(1, len(bars)), key=lambda at: abs(at - middle))
    return sorted(at for at in near[: BASELINE_DAYS + 3 * len(taken)] if not {at - 1, at, at + 1} & taken)


def _deviations(values: list[float], usual: list[int]) -> list[float]:
    """Modified z: from the median, in units of the median deviation (0.6745 of a normal one)."""
    middle = statistics.median(values[at] for at in usual)
    spread = statistics.median(abs(values[at] - middle) for at in usual) / 0.6745
    if spread == 0:
        spread = statistics.pstdev([values[at] for at in usual]) or 1e-9
    return [(value - middle) / spread for value in values]


def _findings(
    bars: list[Bar],
    events: Sequence[Event],
    sessions: list[int | None],
    measured: tuple[list[float], list[float], list[float]],
    usual: list[int],
) -> tuple[Finding, ...]:
    changes, z_volume, z_change = measured
    middle = statistics.median(bars[at].volume for at in usual)
    places = sorted({at for at in sessions if at is not None})
    p_volume = _holm({at: _rank(z_volume[at], [z_volume[one] for one in usual]) for at in places})
    p_change = _holm({at: _rank(abs(z_change[at]), [abs(z_change[one]) for one in usual]) for at in places})
    found = []
    for event, at in zip(events, sessions, strict=True):
        if at is None:
            found.append(Finding(event.day, event.kind, None))
            continue
        found.append(
            Finding(
                event.day,
                event.kind,
                bars[at].day,
                bars[at].close,
                bars[at].close / bars[at - 1].close - 1 if at else None,
                math.expm1(changes[at]),
                bars[at].volume,
                round(bars[at].volume / middle, 2) if middle else None,
                round(z_volume[at], 2),
                round(z_change[at], 2),
                round(p_volume[at], 4),
                round(p_change[at], 4),
                z_volume[at] > UNUSUAL and p_volume[at] <= SIGNIFICANT,
                abs(z_change[at]) > UNUSUAL and p_change[at] <= SIGNIFICANT,
            )
        )
    return tuple(found)


def _rank(value: float, usual: list[float]) -> float:
    """The chance to see at least this among usual days; never 0 (Phipson and Smyth 2010)."""
    return (1 + sum(1 for other in usual if other >= value)) / (1 + len(usual))


def _holm(chances: dict[int, float]) -> dict[int, float]:
    """Corrected for as many tests as there are, step by step (Holm 1979)."""
    corrected, most = {}, 0.0
    for number, (at, chance) in enumerate(sorted(chances.items(), key=lambda item: item[1])):
        most = max(most, min(1.0, chance * (len(chances) - number)))
        corrected[at] = most
    return corrected


def _together(values: list[float], taken: set[int], usual: list[int], draw: Draw) -> float | None:
    """The chance that as many days drawn from usual ones have this mean or more."""
    if not taken or len(usual) < len(taken):
        return None
    seen = sum(values[at] for at in taken)
    pool = [values[at] for at in usual]
    more = sum(sum(draw(pool, len(taken))) >= seen for _ in range(PERMUTATIONS))
    return round((1 + more) / (1 + PERMUTATIONS), 4)
