"""What is unusual is found, what is usual is not, and what looks like something else is told."""

import random
from datetime import date, timedelta

import pytest

from sekisho.campaign import study as studies
from sekisho.campaign.bars import Bar
from sekisho.campaign.study import Event, Study, without_splits

START = date(2013, 1, 1)


def bars(days: int = 200, seed: int = 1) -> list[Bar]:
    """A share that nobody talks about: volumes and returns of a random walk, on weekdays."""
    chance = random.Random(seed)
    found: list[Bar] = []
    price, day = 0.2, START
    while len(found) < days:
        if day.weekday() < 5:
            price *= 1 + chance.gauss(0, 0.02)
            found.append(Bar(day, price, 100_000 * chance.lognormvariate(0, 0.25)))
        day += timedelta(1)
    return found


def study(found: list[Bar], days: list[Event], market: list[Bar] | None = None) -> Study:
    return studies.study(found, days, market, random.Random(1).sample)


def events(found: list[Bar], *places: int) -> list[Event]:
    return [Event(found[at].day, "mail") for at in places]


def test_a_planted_day_is_found_and_no_other() -> None:
    """Four times the volume on one of four days."""
    found = bars()
    found[120].volume *= 4
    result = study(found, events(found, 60, 90, 120, 150))
    assert [one.unusual_volume for one in result.findings] == [False, False, True, False]
    planted = result.findings[2]
    assert planted.ratio is not None and 2.5 < planted.ratio < 7
    assert planted.p_volume is not None and planted.p_volume <= 0.05
    assert result.flags == ()


def test_without_a_plant_hardly_anything_is_found() -> None:
    """Of 60 shares with four days each at most two: the correction keeps what it promises."""
    wrong = 0
    for seed in range(60):
        found = bars(seed=seed)
        result = study(found, events(found, 60, 90, 120, 150))
        wrong += any(one.unusual_volume or one.unusual_change for one in result.findings)
    assert wrong <= 2


def test_chances_are_corrected_for_many_tests() -> None:
    """The same day among more days is less significant (Holm)."""
    found = bars()
    found[120].volume *= 4
    alone = study(found, events(found, 120)).findings[0].p_volume
    among = study(found, events(found, *range(20, 180, 10))).findings[10].p_volume
    assert alone is not None and among is not None and alone < among


def test_many_small_signs_together_are_significant() -> None:
    """None of the days stands out alone."""
    found = bars()
    places = range(40, 180, 10)
    for at in places:
        found[at].volume *= 1.6
    result = study(found, events(found, *places))
    assert result.together_volume is not None and result.together_volume < 0.01
    quiet = bars(seed=9)
    alone = study(quiet, events(quiet, *places)).together_volume
    assert alone is not None and alone > 0.05


def test_a_day_without_trade_means_the_next_session() -> None:
    """A weekend and a missing day; more than a week away there is none."""
    found = bars()
    saturday = next(bar.day for bar in found[100:] if bar.day.weekday() == 4) + timedelta(1)
    gone = found.pop(150).day
    result = study(found, [Event(saturday, "claimed"), Event(gone, "mail"), Event(date(2019, 1, 1), "mail")])
    assert result.findings[0].session == saturday + timedelta(2)
    assert result.findings[1].session == found[150].day
    assert result.findings[2].session is None
    assert "days_without_trade" in result.flags


def test_a_split_is_no_event() -> None:
    """One for ten on a quiet day: prices before are a tenth, volumes tenfold, and nothing is unusual."""
    found = bars()
    for bar in found[120:]:
        bar.close, bar.volume = bar.close / 10, bar.volume * 10
    adjusted, split = without_splits(found)
    assert split
    assert adjusted[119].close == pytest.approx(found[119].close / 10, rel=0.05)
    result = study(found, events(found, 120))
    assert "splits_adjusted" in result.flags
    assert not result.findings[0].unusual_change
    assert not result.findings[0].unusual_volume


def test_a_price_that_doubles_among_many_buyers_is_no_split() -> None:
    """The money that changes hands tells them apart."""
    found = bars()
    for bar in found[120:]:
        bar.close *= 2
    found[120].volume *= 30
    assert not without_splits(found)[1]
    assert study(found, events(found, 120)).findings[0].unusual_change


def test_thin_trading_and_few_days_are_told() -> None:
    """Nothing is claimed from five days; from a share that is hardly traded, little."""
    found = bars()
    for bar in found[::2]:
        bar.volume = 0
    assert "thin_trading" in study(found, events(found, 120)).flags
    few = study(bars(5), events(found, 2))
    assert "too_few_days" in few.flags
    assert few.together_volume is None


def test_the_market_s_own_move_is_taken_out() -> None:
    """All shares fell that day: with a benchmark it is usual."""
    chance = random.Random(5)
    market, own = bars(seed=7), bars(seed=8)
    moves = [chance.gauss(0, 0.02) for _ in market]
    moves[120] = -0.2
    level, price = 100.0, 0.2
    for at, move in enumerate(moves):
        level, price = level * (1 + move), price * (1 + move) * (1 + chance.gauss(0, 0.005))
        market[at].close, own[at].close = level, price
    assert study(own, events(own, 120)).findings[0].unusual_change
    assert not study(own, events(own, 120), market).findings[0].unusual_change
