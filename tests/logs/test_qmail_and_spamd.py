"""What single lines of qmail-send and spamd mean, and stamps in all their styles."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from covers import covers
from logs.lines import Clock, micros
from sekisho.logs import qmail, spamd
from sekisho.logs.facts import DeliveryEnded, MessageInfo, SpamConnected, SpamResult, SpamUserUnknown
from sekisho.logs.stamp import Calendar, fixed_zone, rfc3339

JST = timezone(timedelta(hours=9))
CONNECTION = b"connection from a.example [127.0.0.1]"


@pytest.mark.parametrize(
    ("text", "result", "cause", "code"),
    [
        ("success: 192.0.2.1_accepted_message./Remote_host_said:_250_ok/", "delivered", "", 0),
        ("failure: 192.0.2.1_does_not_like_recipient./Remote_host_said:_550_no/", "failed", "5yz", 550),
        ("deferral: 192.0.2.1_failed_on_DATA./Remote_host_said:_451_later/", "deferred", "4yz", 451),
        ("failure: Sorry,_I_couldn't_find_any_host_named_x.example._(#5.1.2)/", "failed", None, None),
    ],
)
def test_results_keep_their_cause(text: str, result: str, cause: str | None, code: int | None) -> None:
    """The remote host's code and the kind of trouble."""
    fact = qmail.parse(f"delivery 7: {text}".encode())
    assert isinstance(fact, DeliveryEnded)
    assert result == fact.result
    if cause is not None:
        assert (cause, code) == (fact.cause, fact.code)


@covers("L-02", "F-05")
def test_the_line_of_a_message_is_read_whole() -> None:
    """Size, sender, process and user of the source's own line; a sender may hold what it likes."""
    fact = qmail.parse(b"info msg 90219: bytes 1364 from <hello@example.com> qp 17121 uid 103")
    assert MessageInfo(90219, 1364, "hello@example.com", 17121, 103) == fact
    odd = qmail.parse(b"info msg 1: bytes 2 from <a> qp 3 uid 4@example.com> qp 5 uid 6")
    assert isinstance(odd, MessageInfo)
    assert (5, 6) == (odd.qp, odd.uid)


@covers("L-04")
def test_old_and_new_spamd_say_the_same() -> None:
    """The address and the user are found in both versions' wording."""
    old_port, new_port = b" at port 43120", b":43120 to port 783, fd 5"
    pairs = [
        (CONNECTION + old_port, CONNECTION + new_port),
        (b"handle_user unable to find user: 'u@x'", b"handle_user (sql) unable to find user: 'u@x'"),
    ]
    for old, new in pairs:
        assert spamd.parse(b"spamd: " + old) == spamd.parse(b"spamd: " + new)
    assert isinstance(spamd.parse(b"spamd: " + pairs[0][0]), SpamConnected)
    assert isinstance(spamd.parse(b"spamd: " + pairs[1][0]), SpamUserUnknown)
    result = spamd.parse(
        b"spamd: result: Y 22 - BAYES_99,HTML scantime=0.9,size=2050,user=u@example.com,uid=1,"
        b"required_score=5.0,raddr=127.0.0.1,mid=<x@y>"
    )
    assert isinstance(result, SpamResult)
    assert (True, 22.0, "u@example.com", 2050) == (result.spam, result.score, result.user, result.size)


@covers("L-01")
def test_the_source_s_stamps() -> None:
    """splogger's epoch gives year and zone; TAI64N has its ten seconds."""
    calendar = Calendar(UTC, micros(datetime(2026, 1, 1, tzinfo=UTC)))
    calendar.tie(b"Jul 22 18:47:21", b"1374486441.012502")
    at = calendar.at(b"Jul 22 18:47:21")
    assert at is not None
    assert "2013-07-22T18:47:21+09:00" == rfc3339(at, fixed_zone(calendar.offset_at(at)))
    assert "2013-07-22T18:47:21.012502+09:00" == rfc3339(1374486441012502, JST)
    tai = calendar.at(b"@4000000051ed0103246bb90c")
    assert tai is not None
    assert "2013-07-22T18:52:57.611039+09:00" == rfc3339(tai, JST)


@covers("L-01")
@pytest.mark.parametrize("year", [2011, 2012, 2023, 2024])
def test_a_log_over_new_year_changes_its_year(year: int) -> None:
    """December is followed by the next year's January; the 29th of February is a day in leap years."""
    calendar = Calendar(JST, micros(datetime(year, 12, 31, tzinfo=JST)))
    clock = Clock("classic", datetime(year, 12, 31, 23, 59, 0, tzinfo=JST))
    for _ in range(200):
        assert micros(clock.at) == calendar.at(clock.header()[:15].encode())
        clock.later(36_000)


def test_what_looks_like_a_stamp_and_is_none() -> None:
    """No such day, no such hour: no time, and no exception."""
    calendar = Calendar(UTC, micros(datetime(2023, 6, 1, tzinfo=UTC)))
    for stamp in (
        b"Feb 31 10:00:00",
        b"Jul 22 25:00:00",
        b"Xxx 22 10:00:00",
        b"2023-13-01T00:00:00Z",
        b"@" + b"f" * 24,
    ):
        assert calendar.at(stamp) is None
