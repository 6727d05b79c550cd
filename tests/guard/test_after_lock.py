"""What a botnet does after the lock: bursts, pace, rhythm, and networks seen before."""

import random

import pytest

from covers import covers
from sekisho.guard.after_lock import cadence, shared_prefixes
from sekisho.model.envelope import Network

SECOND = 1_000_000
HOUR = 3600


def at(*seconds: float) -> list[int]:
    return [int(second * SECOND) for second in seconds]


def bursts(starts: list[float], attempts: int, gap: float) -> list[int]:
    return at(*(start + gap * number for start in starts for number in range(attempts)))


@covers("F-12")
def test_the_source_s_gaps() -> None:
    """Thirteen attempts: bursts of 3 and 10, median spacing 325 s, one period of 12:01:41."""
    gaps = [279, 276, 42_746, 331, 324, 340, 325, 325, 315, 636, 323, 604]
    times = [0.0]
    for gap in gaps:
        times.append(times[-1] + gap)
    seen = cadence(at(*times))
    assert [3, 10] == [burst.attempts for burst in seen.bursts]
    assert (43_301, 1, 325) == (seen.period_s, seen.periods_seen, seen.spacing_s)


@pytest.mark.parametrize("period_h", [2, 6, 12, 24])
def test_five_bursts_are_a_rhythm(period_h: int) -> None:
    """Starts that wander a little: the period, how far off they were, how many."""
    chance = random.Random(period_h)
    starts = [HOUR * period_h * number + chance.uniform(-90, 90) for number in range(5)]
    seen = cadence(bursts(starts, 10, 320))
    assert 4 == seen.periods_seen
    assert seen.period_s is not None
    assert abs(seen.period_s - period_h * HOUR) < 60
    assert seen.slack_s <= 240


@covers("F-11")
def test_half_an_hour_of_failures_is_one_burst() -> None:
    """Failures that dry up after the lock have no period."""
    seen = cadence(at(*(6 * number for number in range(300))))
    assert (1, None, 0) == (len(seen.bursts), seen.period_s, seen.periods_seen)


def test_the_flood_after_the_lock_does_not_hide_the_bursts() -> None:
    """Hundreds of failures in half an hour, then ten every twelve hours: bursts, not single attempts."""
    flood = [6 * number for number in range(300)]
    later = [12 * HOUR * turn + 320 * number for turn in range(1, 5) for number in range(10)]
    seen = cadence(at(*flood, *later))
    assert [300, 10, 10, 10, 10] == [burst.attempts for burst in seen.bursts]
    assert (12 * HOUR, 4) == (seen.period_s, seen.periods_seen)


@pytest.mark.parametrize("seed", range(200))
def test_chance_shows_no_period(seed: int) -> None:
    """Attempts at random times, few or many, fast or slow."""
    chance = random.Random(seed)
    now, times = 0.0, []
    for _ in range(chance.choice((6, 10, 30, 200))):
        now += chance.expovariate(1 / chance.choice((600, 5000, 20_000)))
        times.append(now)
    assert 0 == cadence(at(*times)).periods_seen


def test_nothing_and_one() -> None:
    """No attempts, one attempt: no rhythm and no exception."""
    assert () == cadence([]).bursts
    seen = cadence(at(5))
    assert (1, None, None) == (len(seen.bursts), seen.period_s, seen.spacing_s)


def provider(address: str) -> Network:
    return Network("AS6697/BY" if address.startswith("178.") else f"{address}/32")


def test_networks_seen_before() -> None:
    """One provider's addresses are joined to their smallest common network; other providers are not."""
    before = ["178.125.185.161", "93.85.128.230", "2001:db8::1"]
    after = ["178.120.193.67", "178.127.107.5", "178.122.175.143", "93.80.0.1", "2001:db8::2"]
    assert ("178.120.0.0/13",) == shared_prefixes(after, before, provider)
    assert () == shared_prefixes(after, [], provider)
