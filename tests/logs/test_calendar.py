"""Stamps become moments: summer time, zones that only splogger tells, fractions, headers of other syslogs."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from covers import covers
from sekisho.logs.grammar import understood
from sekisho.logs.stamp import SECOND, Calendar, padded, rfc3339

BERLIN = ZoneInfo("Europe/Berlin")


def micros(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * SECOND  # type: ignore[arg-type,misc]


@covers("L-01")
def test_the_hour_that_comes_twice_is_told_by_order() -> None:
    """In the night in which summer time ends, 02:30 is first summer's, and winter's once the clock went
    back."""
    calendar = Calendar(BERLIN, micros(2024, 10, 27))
    stamps = [
        b"Oct 27 01:59:00",
        b"Oct 27 02:10:00",
        b"Oct 27 02:59:00",
        b"Oct 27 02:01:00",
        b"Oct 27 02:59:00",
    ]
    moments = [calendar.at(stamp) for stamp in [*stamps, b"Oct 27 03:05:00"]]
    assert [
        micros(2024, 10, 26, 23, 59), micros(2024, 10, 27, 0, 10), micros(2024, 10, 27, 0, 59),
        micros(2024, 10, 27, 1, 1), micros(2024, 10, 27, 1, 59), micros(2024, 10, 27, 2, 5),
    ] == moments  # fmt: skip


@covers("L-01")
def test_an_offset_told_by_splogger_follows_the_clock() -> None:
    """Without any rules: the offset of the last splogger line holds, goes back with the clock, and is
    corrected."""
    calendar = Calendar(UTC, micros(2024, 1, 1))
    calendar.tie(b"Oct 27 01:58:00", b"1729987080.000001")
    assert 7200 == calendar.offset_s
    assert micros(2024, 10, 27, 0, 59) == calendar.at(b"Oct 27 02:59:00")
    assert micros(2024, 10, 27, 1, 1) == calendar.at(b"Oct 27 02:01:00")
    calendar.tie(b"Oct 27 02:02:00", b"1729990920.000001")
    assert 3600 == calendar.offset_s
    assert micros(2024, 10, 27, 2, 5) == calendar.at(b"Oct 27 03:05:00")


def test_a_little_disorder_is_no_end_of_summer() -> None:
    """Lines of several daemons are not quite in order: a few minutes back are a few minutes back."""
    calendar = Calendar(BERLIN, micros(2024, 10, 27))
    calendar.at(b"Oct 27 02:40:00")
    assert micros(2024, 10, 27, 0, 25) == calendar.at(b"Oct 27 02:25:00")


@pytest.mark.parametrize(
    ("stamp", "moment"),
    [
        (b"2013-07-22T18:47:21.012502+09:00", micros(2013, 7, 22, 9, 47, 21) + 12502),
        (b"2013-07-22T09:47:21Z", micros(2013, 7, 22, 9, 47, 21)),
        (b"2013-07-22T18:47:21+0900", micros(2013, 7, 22, 9, 47, 21)),
        (b"2013-07-22 18:47:21.012502500", micros(2013, 7, 22, 9, 47, 21) + 12502),
        (b"2013-07-22_09:47:21.5", micros(2013, 7, 22, 9, 47, 21) + 500_000),
        (b"2013-07-22 18:47:21,5 +0900", micros(2013, 7, 22, 9, 47, 21) + 500_000),
        (b"1374486441.012502", micros(2013, 7, 22, 9, 47, 21) + 12502),
        (b"@4000000051ecffb300bec5e4", micros(2013, 7, 22, 9, 47, 21) + 12502),
        (b"Jul 22 18:47:21.25", micros(2013, 7, 22, 9, 47, 21) + 250_000),
    ],
)
@covers("L-01")
def test_every_form_of_stamp_is_the_same_moment(stamp: bytes, moment: int) -> None:
    """RFC 3339, tai64nlocal, svlogd, the epoch, TAI64N, syslog with a fraction; without a zone it is the
    log's."""
    calendar = Calendar(timezone(timedelta(hours=9)), micros(2013, 7, 1))
    assert moment == calendar.at(stamp)


def test_a_lost_blank_is_put_back() -> None:
    """`Jun 9` and `Jun  09` are what documents and bad filters make of `Jun  9`."""
    assert b"Jun  9 08:56:30" == padded(b"Jun 9 08:56:30")
    assert b"Jun 19 08:56:30" == padded(b"Jun  19 08:56:30")


def test_times_are_written_as_the_log_would() -> None:
    """To the second where they fall on one, else with microseconds."""
    zone = timezone(timedelta(hours=9))
    assert "2013-07-22T18:47:21+09:00" == rfc3339(micros(2013, 7, 22, 9, 47, 21), zone)
    assert "2013-07-22T18:47:21.012502+09:00" == rfc3339(micros(2013, 7, 22, 9, 47, 21) + 12502, zone)


TEXT = b"vchkpw-submission: (PLAIN) login success hello@example.com:192.0.2.1"
SEND = b"1374486777.611039 new msg 90219"


@pytest.mark.parametrize(
    "line",
    [
        b"Jul 22 18:52:46 mx vpopmail[17115]: %b",
        b"Jul 22 18:52:46 mx vpopmail[17115: %b",
        b"Jul 22 18:52:46 <mail.info> mx vpopmail[17115]: %b",
        b"<22>Jul 22 18:52:46 mx vpopmail[17115]: %b",
        b"<22>1 2013-07-22T18:52:46+09:00 mx vpopmail 17115 - - %b",
        b'<22>1 2013-07-22T18:52:46+09:00 mx vpopmail 17115 ID1 [a@1 b="c"] \xef\xbb\xbf%b',
        b"Jul 22 18:52:46 mx vpopmail[17115]: [ID 197553 mail.info] %b",
        b"Jul 22 18:52:46 2001:db8::5 vpopmail[17115]: %b",
        b"@4000000051ecffb300bec5e4 mail.info: Jul 22 18:52:46 vpopmail[17115]: %b",
    ],
)
def test_the_header_of_other_syslogs(line: bytes) -> None:
    """BSD, Solaris, raw packets, RFC 5424, socklog, a broken bracket, an IPv6 host: the text is found."""
    row = understood(line % TEXT)
    assert row is not None and (row[2], row[3]) == (b"17115", TEXT)
    other = understood(line.replace(b"vpopmail", b"sshd") % TEXT)
    assert other is None


@pytest.mark.parametrize(
    "line",
    [
        b"Jul 22 18:52:57 mx qmail: %b",
        b"<22>1 2013-07-22T18:52:57+09:00 mx qmail - - - %b",
        b"Jul 22 18:52:57 mx qmail-send[5]: %b",
        b"Jul 22 18:52:57 mx qmail: [ID 197553 mail.info] %b",
    ],
)
def test_splogger_s_header(line: bytes) -> None:
    """Its own stamp is told from the text, whatever stands before."""
    row = understood(line % SEND)
    assert row is not None and (row[4], row[5]) == (b"1374486777.611039", b"new msg 90219")


def test_the_rest_of_a_long_line_is_nobody_s() -> None:
    """splogger cuts at 799 bytes and goes on behind `stamp+`: that part may spell anything."""
    row = understood(b"Jul 22 18:52:57 mx qmail: 1374486777.611039+end msg 90219")
    assert row is not None and b"" == row[5]
