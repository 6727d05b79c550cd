"""Dates of RFC 5322 in any zone, whatever the locale."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covers import covers
from sekisho.mail.date import written


@covers("Q-08")
@pytest.mark.parametrize(
    ("at_s", "zone", "wanted"),
    [
        (1_374_486_766, ZoneInfo("Asia/Tokyo"), "Mon, 22 Jul 2013 18:52:46 +0900"),
        (1_374_486_766, ZoneInfo("America/New_York"), "Mon, 22 Jul 2013 05:52:46 -0400"),
        (1_389_780_000, ZoneInfo("America/New_York"), "Wed, 15 Jan 2014 05:00:00 -0500"),
        (1_374_486_766, UTC, "Mon, 22 Jul 2013 09:52:46 +0000"),
        (1_374_486_766, ZoneInfo("Asia/Kolkata"), "Mon, 22 Jul 2013 15:22:46 +0530"),
        (1_374_486_766, timezone(timedelta(seconds=-30)), "Mon, 22 Jul 2013 09:52:16 +0000"),
        (0, ZoneInfo("Pacific/Marquesas"), "Wed, 31 Dec 1969 14:30:00 -0930"),
    ],
)
def test_the_offset_is_that_of_the_zone_at_that_time(at_s: int, zone: tzinfo, wanted: str) -> None:
    """Summer and winter; never -0000, which would say that the zone is not known."""
    assert wanted == written(at_s * 1_000_000, zone)


def test_the_hour_that_comes_twice_is_told_apart() -> None:
    """The end of summer time: the same hour with two offsets."""
    zone = ZoneInfo("America/New_York")
    first, second = (written(at_s * 1_000_000, zone) for at_s in (1_383_456_600, 1_383_460_200))
    assert ("Sun, 3 Nov 2013 01:30:00 -0400", "Sun, 3 Nov 2013 01:30:00 -0500") == (first, second)


@given(st.integers(0, 4_000_000_000), st.integers(-14 * 60, 14 * 60))
def test_others_read_the_moment_that_was_written(at_s: int, minutes: int) -> None:
    """Python's own reader gets the same second back."""
    text = written(at_s * 1_000_000 + 999_999, timezone(timedelta(minutes=minutes)))
    read = parsedate_to_datetime(text)
    assert datetime.fromtimestamp(at_s, UTC) == (read if read.tzinfo else read.replace(tzinfo=UTC))
