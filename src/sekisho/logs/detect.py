"""Which year and zone a log was written in, found from the log itself before it is read.

splogger's lines tell both; RFC 3339 stamps too; multilog's and the epoch's tell the year. A file that has
none of them borrows from the others of the same call, then from neighbours in its folder that the same host
wrote, and only then from the file's date and the computer's zone. What was assumed is always said.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

from msgspec import Struct

from sekisho.logs import own
from sekisho.logs.grammar import ABSOLUTE_STAMP, CLASSIC_STAMP, TIE
from sekisho.logs.stamp import DAY_S, SECOND, Calendar, fixed_zone, padded, rfc3339
from sekisho.model.phrase import Phrase, phrase

SLACK_S = DAY_S
"""A file's date may lie this much before its last line: clocks differ."""


_SPLOGGER = re.compile(rb" qmail[\w.-]*(?:\[\d*\])?: \d{9,10}\.\d{6}[ +]")
"""Found fast, because it begins with letters; whether the whole line is one is seen then."""


class Hint(Struct, frozen=True):
    """A moment that the log tells for certain; `offset_s` None where it says nothing of the zone. `wall`: it
    is the clock on somebody's wall, as Exim writes it."""

    at: int
    offset_s: int | None
    host: bytes
    file: str = ""
    wall: bool = False


class Sighting(Struct, frozen=True):
    """What the beginning of one file shows. `classic` is the first stamp that lacks year and zone."""

    file: str
    classic: bytes
    host: bytes
    hint: Hint | None


class Circumstances(Struct, frozen=True):
    """What is known from outside. `year` 0 and `given` None unless the user said so; `local` is the
    computer's. `after`: when the file before this one in its rotated set began, 0 if there is none."""

    year: int
    given: tzinfo | None
    local: tzinfo
    modified: int
    after: int = 0


class Assumed(Struct, frozen=True):
    """`told` is False where the zone is only the computer's. `first` is when the first line was written."""

    year: int
    zone: str
    how: Phrase
    told: bool = True
    first: int = 0


def look(name: str, sample: bytes) -> Sighting:
    """`sample` begins with a newline and may end anywhere."""
    classic = CLASSIC_STAMP.search(sample)
    first, host = (padded(classic[1]), classic[2].rstrip(b":")) if classic else (b"", b"")
    return Sighting(name, first, host, _tie(name, sample) or _absolute(name, sample))


def _tie(name: str, sample: bytes) -> Hint | None:
    for found in _SPLOGGER.finditer(sample):
        match = TIE.match(sample, sample.rfind(b"\n", 0, found.start()))
        if match is None:
            continue
        seconds = int(match[3].partition(b".")[0])
        calendar = Calendar(UTC, seconds * SECOND)
        calendar.tie(match[1], match[3])
        if calendar.offset_s is not None:
            return Hint(seconds * SECOND, calendar.offset_s, match[2] or b"", name)
    return None


def _absolute(name: str, sample: bytes) -> Hint | None:
    match = ABSOLUTE_STAMP.search(sample)
    if match is None:
        return _from_own(name, sample)
    stamp = match[1]
    at = Calendar(UTC, 0).at(stamp)
    if at is None:
        return None
    if not stamp[:1].isdigit() or stamp[4:5] != b"-":
        return Hint(at, None, match[2], name)
    offset = _offset(stamp, at)
    return Hint(at, offset, match[2], name, offset is None)


def _offset(stamp: bytes, at: int) -> int | None:
    """What an ISO stamp says of the zone: the clock on its wall against the same moment in UTC."""
    wall = Calendar(UTC, 0).at(stamp[:19])
    told = stamp[19:].strip(b" .,0123456789") != b""
    return (wall - at) // SECOND if told and wall is not None else None


def _from_own(name: str, sample: bytes) -> Hint | None:
    start = sample.find(b'\n{"event":"')
    event = own.parse(sample[start + 1 :].partition(b"\n")[0]) if start >= 0 else None
    return Hint(event.at, None, b"", name) if event else None


def calendar_for(
    sighting: Sighting, hints: Sequence[Hint], neighbours: Sequence[Hint], around: Circumstances
) -> tuple[Calendar, Assumed]:
    """The calendar to read this file with. `hints` are of the files of this call, `neighbours` of others
    beside it."""
    hint, how = _best(sighting, hints, neighbours)
    if not sighting.classic and hint is not None:
        how = phrase("the stamps tell it")
        if hint.wall:
            how = phrase("year from the stamps, zone of this computer")
    zone = around.given or around.local
    near = hint.at if hint is not None else _from_date(sighting, zone, around.modified)
    if around.year:
        near = _in_given_year(sighting, around) or near
    calendar = Calendar(zone, near, fixed=around.given is not None)
    if hint is None:
        how = phrase("year from the date of the file, zone of this computer")
    elif hint.offset_s is not None and around.given is None and calendar.offset_at(hint.at) != hint.offset_s:
        calendar.offset_s = hint.offset_s
    elif hint.offset_s is None and around.given is None and sighting.classic:
        how = phrase("{how}; zone of this computer", how=how)
    if around.year or around.given is not None:
        how = (
            phrase("as given on the command line")
            if around.year and around.given
            else phrase("partly as given, else {how}", how=how)
        )
    told = (
        around.given is not None or not sighting.classic or (hint is not None and hint.offset_s is not None)
    )
    return calendar, assumed_of(sighting, calendar, near, how, told=told)


def _best(
    sighting: Sighting, hints: Sequence[Hint], neighbours: Sequence[Hint]
) -> tuple[Hint | None, Phrase]:
    """The most telling hint: its own, then the same host's, then anybody's in this call, then a
    neighbour's."""
    if sighting.hint is not None and (sighting.hint.offset_s is not None or not sighting.classic):
        return sighting.hint, phrase("year and zone from splogger's stamps or RFC 3339 in the log")
    same = [hint for hint in hints if hint.offset_s is not None and hint.host == sighting.host]
    told = same or [hint for hint in hints if hint.offset_s is not None]
    if told:
        return told[0], phrase("year and zone from {file}", file=told[0].file)
    if sighting.hint is not None or hints:
        return sighting.hint or hints[0], phrase("year from other lines of the log")
    beside = [hint for hint in neighbours if hint.host == sighting.host and hint.offset_s is not None]
    if beside and len({datetime.fromtimestamp(hint.at // SECOND, UTC).year for hint in beside}) == 1:
        return beside[0], phrase(
            "year and zone from {file} beside it, written by the same host", file=beside[0].file
        )
    return None, phrase("")


def _from_date(sighting: Sighting, zone: tzinfo, modified: int) -> int:
    """The latest year in which the first line is not younger than the file."""
    year = datetime.fromtimestamp(modified // SECOND, UTC).year
    for candidate in (year + 1, year, year - 1):
        at = _in_year(sighting, candidate)
        if at is not None and at <= modified + SLACK_S * SECOND:
            return at
    return modified


def _in_given_year(sighting: Sighting, around: Circumstances) -> int | None:
    """The year that was given, or the next if the set's file before this one would be younger."""
    at = _in_year(sighting, around.year)
    if at is not None and at + SLACK_S * SECOND < around.after:
        return _in_year(sighting, around.year + 1)
    return at


def _in_year(sighting: Sighting, year: int) -> int | None:
    """The first line's moment in that year, near enough to tell the year from."""
    middle = int(datetime(year, 7, 1, tzinfo=UTC).timestamp()) * SECOND
    return Calendar(UTC, middle).at(sighting.classic) if sighting.classic else middle


def assumed_of(sighting: Sighting, calendar: Calendar, near: int, how: Phrase, *, told: bool) -> Assumed:
    first = Calendar(calendar.zone, near, fixed=True)
    first.offset_s = calendar.offset_s
    at = (first.at(sighting.classic) if sighting.classic else None) or near
    offset = calendar.offset_at(at)
    text = rfc3339(at // SECOND * SECOND, fixed_zone(offset))
    return Assumed(int(text[:4]), text[19:], how, told, at)
