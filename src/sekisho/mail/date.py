"""Dates as letters carry them (RFC 5322 3.3), always with the offset of a real zone."""

from datetime import datetime, tzinfo
from functools import lru_cache

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
SECOND = 1_000_000


def written(at: int, zone: tzinfo) -> str:
    """`at` in microseconds since the epoch, as "Mon, 5 Jan 2026 09:00:00 +0900" in that zone.

    Names are English whatever the locale. `-0000` would say that the zone is unknown (RFC 5322 3.3), and it
    never is.
    """
    return _of_second(at // SECOND, zone)


@lru_cache(maxsize=4)
def _of_second(second: int, zone: tzinfo) -> str:
    """Thousands of letters may come in one second."""
    moment = datetime.fromtimestamp(second, zone)
    offset_s = int((moment.utcoffset() or moment - moment).total_seconds())
    hours, minutes = divmod(abs(offset_s) // 60, 60)
    sign = "-" if offset_s <= -60 else "+"
    return (
        f"{_DAYS[moment.weekday()]}, {moment.day} {_MONTHS[moment.month - 1]} {moment.year:04d} "
        f"{moment.hour:02d}:{moment.minute:02d}:{moment.second:02d} {sign}{hours:02d}{minutes:02d}"
    )
