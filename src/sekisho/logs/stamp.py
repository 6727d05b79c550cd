"""When a log line was written: the stamps of syslog, splogger, multilog, ISO 8601 and RFC 5424, as
microseconds.

Syslog's own stamp has neither year nor zone. A `Calendar` supplies both: from splogger lines, which carry
the Unix time beside the stamp; else from what it was told. Lines are expected roughly in order of time.
"""

from datetime import UTC, datetime, timedelta, timezone, tzinfo

SECOND = 1_000_000
MINUTE_S = 60
HOUR_S = 3600
DAY_S = 86_400
LATEST_S = 253_402_300_799
"""The last second of the year 9999: later stamps are not times."""

CLASSIC = rb"[A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d(?:\.\d{1,9})?"
ISO = rb"\d{4}-\d\d-\d\d[T _]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|[+-]\d\d:?\d\d))?"
TAI64N = rb"@[0-9a-f]{24}"
EPOCH = rb"\d{9,10}\.\d{6}"

_TAI_OFFSET = 2**62 + 10
"""multilog adds 10 seconds and knows no leap seconds since: D. J. Bernstein's libtai without a table."""

_MONTHS = {
    name: number
    for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), start=1)
}
EARLIEST_YEAR, LATEST_YEAR = 1970, 9998
"""A stamp outside these is no time; at the very ends of the calendar another zone has no such year."""

MINUTES_KEPT_S = 25 * MINUTE_S
"""So long it is remembered when the minutes of the log began, for consecutive lines share them; shorter
than the hour that returns at the end of summer time."""

QUARTER_YEAR_S = 91 * DAY_S
_QUARTER_S = 900
_EASTMOST_S, _WESTMOST_S = 14 * HOUR_S, -12 * HOUR_S
_SLACK_S = 120
"""splogger's clock and syslog's may differ by this much and still tell the zone."""

_TURN_BACK = (30 * MINUTE_S, 75 * MINUTE_S)
"""A log that steps back by about an hour has met the end of summer time."""


class Calendar:
    """Turns the stamps of one stream of lines into time.

    `zone` rules until a splogger line tells the offset (`tie`); with `fixed` it rules always. `near` is a
    moment not more than half a year from the first line: the year is chosen so that time moves least.
    `turns` counts how often the answer for a stamp changed; `told` holds the offsets that splogger's lines
    told, each with the second from which on it was heard; `minutes` when the latest minutes began, by their
    first twelve characters, for a reader in a hurry.
    """

    def __init__(self, zone: tzinfo, near: int, *, fixed: bool = False) -> None:
        self.zone = zone
        self.fixed = fixed
        self.offset_s: int | None = None
        self.turns = 0
        self.told: list[tuple[int, int]] = []
        self._near_s = near // SECOND
        self.minutes: dict[bytes, int] = {}
        self._oldest = 0
        self._days: dict[bytes, int] = {}
        self._last_wall = -(2**62)
        self._late_fold = False

    def at(self, stamp: bytes) -> int | None:
        """Microseconds since the epoch; None for what looks like a stamp and is no time."""
        first = stamp[0]
        if first > 0x40:  # a letter
            start = self.minutes.get(stamp[:12])
            if start is None or len(stamp) != 15:
                return self._classic(padded(stamp))
            return (start + int(stamp[13:15])) * SECOND
        if first == 0x40:  # "@"
            return _tai64n(stamp)
        if stamp[4] == 0x2D:  # "-"
            return self._iso(stamp)
        return int(stamp.replace(b".", b""))

    def tie(self, stamp: bytes, epoch: bytes) -> None:
        """A splogger line in which syslog's stamp and the Unix time stand side by side."""
        stamp = padded(stamp)
        seconds = int(epoch[: epoch.index(b".")])
        told = datetime.fromtimestamp(seconds, UTC)
        for year in (told.year, told.year - 1, told.year + 1):
            wall = _wall(stamp, year)
            if wall is None:
                continue
            offset = round((wall - seconds) / _QUARTER_S) * _QUARTER_S
            if _WESTMOST_S <= offset <= _EASTMOST_S and abs(wall - seconds - offset) <= _SLACK_S:
                self._learn(seconds, offset)
                return

    def _learn(self, seconds: int, offset: int) -> None:
        far = abs(seconds - self._near_s) > DAY_S
        self._near_s = seconds
        if far or (not self.fixed and offset != self.offset_s):
            self.minutes.clear()
            self.turns += 1
        if not self.fixed and offset != self.offset_s:
            self.offset_s = offset
        if not self.told or self.told[-1][1] != offset:
            self.told.append((seconds, offset))

    def offset_at(self, at: int) -> int:
        """Seconds east of UTC that this calendar would write beside that time."""
        if self.offset_s is not None:
            return self.offset_s
        return _seconds(datetime.fromtimestamp(at // SECOND, UTC).astimezone(self.zone).utcoffset())

    def _classic(self, stamp: bytes) -> int | None:
        start = self._begin(stamp[:12])
        if start is None:
            return None
        second = int(stamp[13:15])
        if second > 60:
            return None
        at = (start + second) * SECOND
        return at if len(stamp) == 15 else at + _fraction(stamp[16:])

    def _begin(self, minute: bytes) -> int | None:
        """Unix time at which this minute of the log began."""
        wall = self._nearest(minute)
        if wall is None:
            return None
        back = self._last_wall - wall
        if _TURN_BACK[0] <= back <= _TURN_BACK[1]:
            self._turn_back(wall)
        elif back < -_TURN_BACK[1]:
            self._late_fold = False
        self._last_wall = wall
        start = wall - self._offset_of(wall)
        if abs(start - self._oldest) > MINUTES_KEPT_S:
            self.minutes.clear()
            self._oldest = start
        self.minutes[minute] = start
        self._near_s = start
        return start

    def _nearest(self, minute: bytes) -> int | None:
        """The clock on the wall as if it were UTC, in that year in which it is nearest to the line before."""
        midnight = self._days.get(minute[:6])
        if midnight is None or abs(midnight - self._near_s) > QUARTER_YEAR_S:
            year = datetime.fromtimestamp(self._near_s, UTC).year
            days = [_midnight(minute, near) for near in (year - 1, year, year + 1)]
            midnight = min((day for day in days if day is not None), key=self._distance, default=None)
            if midnight is None:
                return None
            self._days[minute[:6]] = midnight
        clock = int(minute[7:9]) * HOUR_S + int(minute[10:12]) * MINUTE_S
        return midnight + clock if clock < DAY_S else None

    def _distance(self, wall: int) -> int:
        return abs(wall - self._near_s)

    def _turn_back(self, wall: int) -> None:
        """The same hour again. By rules it must be one that occurs twice; a learnt offset is moved."""
        if self.offset_s is None:
            naive = datetime.fromtimestamp(wall, UTC).replace(tzinfo=self.zone)
            self._late_fold = naive.utcoffset() != naive.replace(fold=1).utcoffset()
        elif not self.fixed:
            self.offset_s -= HOUR_S
        self.turns += 1
        self.minutes.clear()

    def _offset_of(self, wall: int) -> int:
        if self.offset_s is not None:
            return self.offset_s
        naive = datetime.fromtimestamp(wall, UTC)
        return _seconds(naive.replace(tzinfo=self.zone, fold=int(self._late_fold)).utcoffset())

    def _iso(self, stamp: bytes) -> int | None:
        wall = _iso_wall(stamp)
        if wall is None:
            return None
        rest = stamp[19:]
        fraction = 0
        if rest[:1] in (b".", b","):
            digits = rest[1:10]
            while not digits.isdigit():
                digits = digits[:-1]
            fraction = _fraction(digits)
            rest = rest[1 + len(digits) :]
        rest = rest.strip()
        if rest:
            return (wall - iso_offset(rest)) * SECOND + fraction
        if stamp[10] == 0x5F:  # "_": svlogd writes UTC
            return wall * SECOND + fraction
        return (wall - self._offset_of(wall)) * SECOND + fraction


def padded(stamp: bytes) -> bytes:
    """Syslog pads the day with a blank; whoever lost it on the way gets it back."""
    if stamp[5] == 0x20:
        return stamp[:4] + b" " + stamp[4:]
    return stamp[:4] + stamp[5:] if stamp[6] != 0x20 else stamp


def iso_offset(text: bytes) -> int:
    """Seconds east of UTC of "Z", "+0900" or "+09:00"."""
    if text == b"Z":
        return 0
    digits = text[1:].replace(b":", b"")
    seconds = int(digits[:2]) * HOUR_S + int(digits[2:4]) * MINUTE_S
    return -seconds if text[:1] == b"-" else seconds


def fixed_zone(offset_s: int) -> timezone:
    return timezone(timedelta(seconds=offset_s))


def rfc3339(at: int, zone: tzinfo) -> str:
    """A time for people and programs: to the second where it falls on one, else with its microseconds."""
    when = datetime.fromtimestamp(at // SECOND, UTC).astimezone(zone).replace(microsecond=at % SECOND)
    return when.isoformat()


def _seconds(offset: timedelta | None) -> int:
    return round(offset.total_seconds()) if offset is not None else 0


def _wall(stamp: bytes, year: int) -> int | None:
    """The clock on the wall as if it were UTC, from `Jul 22 18:47:21`."""
    midnight = _midnight(stamp, year)
    if midnight is None:
        return None
    return midnight + int(stamp[7:9]) * HOUR_S + int(stamp[10:12]) * MINUTE_S + int(stamp[13:15])


def _midnight(stamp: bytes, year: int) -> int | None:
    month = _MONTHS.get(stamp[:3])
    return None if month is None else _date(year, month, int(stamp[4:6]), 0)


def _iso_wall(stamp: bytes) -> int | None:
    clock = int(stamp[11:13]) * HOUR_S + int(stamp[14:16]) * MINUTE_S + min(int(stamp[17:19]), 60)
    return _date(int(stamp[:4]), int(stamp[5:7]), int(stamp[8:10]), clock)


def _date(year: int, month: int, day: int, clock_s: int) -> int | None:
    if clock_s > DAY_S or not EARLIEST_YEAR <= year <= LATEST_YEAR:
        return None
    try:
        midnight = datetime(year, month, day, tzinfo=UTC)
    except ValueError:  # the 31st of February
        return None
    return int(midnight.timestamp()) + clock_s


def _fraction(digits: bytes) -> int:
    return int(digits[:6].ljust(6, b"0"))


def _tai64n(stamp: bytes) -> int | None:
    seconds = int(stamp[1:17], 16) - _TAI_OFFSET
    if not 0 <= seconds <= LATEST_S:
        return None
    return seconds * SECOND + min(int(stamp[17:25], 16) // 1000, SECOND - 1)
