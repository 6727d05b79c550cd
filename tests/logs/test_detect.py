"""Year and zone of a log that does not say them: from itself, its companions, its neighbours, its date."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from covers import covers
from sekisho.logs.detect import Circumstances, Hint, calendar_for, look
from sekisho.logs.stamp import SECOND

TOKYO = timezone(timedelta(hours=9))
LOGIN = b"Jul 22 18:52:46 mx1 vpopmail[1]: vchkpw-smtp: (PLAIN) login success a@example.com:192.0.2.1"
SEND = b"Jul 22 18:52:57 mx1 qmail: 1374486777.611039 new msg 90219"
TAI = b"@4000000051ed0103246bb90c new msg 90219"
RFC = b"2013-07-22T18:52:46+09:00 mx1 sshd[1]: hello"
MOMENT = int(datetime(2013, 7, 22, 9, 52, 46, tzinfo=UTC).timestamp()) * SECOND


def around(**known: object) -> Circumstances:
    modified = int(datetime(2026, 11, 24, tzinfo=UTC).timestamp()) * SECOND
    return Circumstances(**{"year": 0, "given": None, "local": UTC, "modified": modified, **known})  # type: ignore[arg-type]


def read(
    lines: list[bytes], hints: list[Hint], beside: list[Hint], known: Circumstances
) -> tuple[int | None, int, str]:
    sighting = look("maillog", b"\n" + b"\n".join(lines))
    own = [sighting.hint] if sighting.hint else []
    calendar, assumed = calendar_for(sighting, [*own, *hints], beside, known)
    return calendar.at(LOGIN[:15]), assumed.year, assumed.zone


@covers("L-01")
@pytest.mark.parametrize("line", [SEND, RFC])
def test_the_log_itself_tells(line: bytes) -> None:
    """A splogger line, or an RFC 3339 stamp among the others, wherever it stands."""
    assert (MOMENT, 2013, "+09:00") == read([LOGIN, line], [], [], around())
    assert (MOMENT, 2013, "+09:00") == read([line, LOGIN], [], [], around())


def test_multilog_tells_the_year_alone() -> None:
    """TAI64N knows no zone: it is the computer's, and that is known to be a guess."""
    calendar, assumed = calendar_for(
        look("a", b"\n" + LOGIN), [Hint(MOMENT, None, b"")], [], around(local=TOKYO)
    )
    assert MOMENT == calendar.at(LOGIN[:15])
    assert (2013, False) == (assumed.year, assumed.told)
    assert Hint(MOMENT + 11 * SECOND + 611039, None, b"new", "b") == look("b", b"\n" + TAI).hint


def test_another_file_tells_before_a_neighbour() -> None:
    """First the same host's in this call, then anybody's in it, then the same host's beside it; strangers
    never."""
    this, other = Hint(MOMENT, 32400, b"mx1", "f"), Hint(MOMENT - 365 * 86400 * SECOND, 3600, b"mx2", "g")
    assert "+09:00" == read([LOGIN], [other, this], [], around())[2]
    assert "+01:00" == read([LOGIN], [other], [this], around())[2]
    assert (MOMENT, 2013, "+09:00") == read([LOGIN], [], [other, this], around())
    assert 2026 == read([LOGIN], [], [other], around())[1]


def test_neighbours_who_disagree_are_not_believed() -> None:
    """Two years of one host in a folder: neither."""
    hints = [Hint(MOMENT, 32400, b"mx1", "f"), Hint(MOMENT - 365 * 86400 * SECOND, 32400, b"mx1", "g")]
    assert 2026 == read([LOGIN], [], hints, around())[1]


@covers("L-01")
def test_the_file_s_date_is_the_last_resort() -> None:
    """The latest year in which its first line is not younger than the file itself."""
    january = int(datetime(2014, 1, 3, tzinfo=UTC).timestamp()) * SECOND
    sighting = look("maillog", b"\n" + LOGIN.replace(b"Jul 22", b"Dec 30"))
    calendar, assumed = calendar_for(sighting, [], [], around(modified=january))
    assert 2013 == assumed.year
    assert calendar.at(b"Dec 30 12:00:00") == int(datetime(2013, 12, 30, 12, tzinfo=UTC).timestamp()) * SECOND
    assert calendar.at(b"Jan  2 12:00:00") == int(datetime(2014, 1, 2, 12, tzinfo=UTC).timestamp()) * SECOND


@covers("L-01")
def test_the_user_knows_better() -> None:
    """A year and a zone that are given rule over everything; in a rotated set the year goes on."""
    assert (1998, "-05:00") == read(
        [LOGIN, SEND], [], [], around(year=1998, given=timezone(timedelta(hours=-5)))
    )[1:]
    before = int(datetime(1998, 12, 20, tzinfo=UTC).timestamp()) * SECOND
    january = look("maillog", b"\n" + LOGIN.replace(b"Jul 22", b"Jan  3"))
    assert 1999 == calendar_for(january, [], [], around(year=1998, after=before))[1].year
