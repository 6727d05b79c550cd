"""Which sign-in sent a message: nearest in time and process, never certain, and not across a session's
length."""

import pytest

from covers import covers
from sekisho.logs import alignment
from sekisho.logs.facts import Login
from sekisho.logs.joining import WITHIN_S, join
from sekisho.logs.ledger import Ledger, Visit
from sekisho.logs.mailroom import Letter

SECOND = 1_000_000


def visit(at_s: float, pid: int, row: int, **login: object) -> Visit:
    facts = {
        "service": "submission",
        "ok": True,
        "account": "a@example.com",
        "address": f"192.0.2.{row}",
        **login,
    }
    return Visit(round(at_s * SECOND), Login(**facts), 0, row, pid, row)  # type: ignore[arg-type]


def letter(at_s: float, qp: int) -> Letter:
    return Letter(1, round(at_s * SECOND), 0, 1, sender="a@example.com", qp=qp)


@covers("F-05")
def test_a_guess_is_never_certain() -> None:
    """Eleven seconds and six processes apart, nobody else near: likely, and not more than that."""
    (found,) = join([visit(1000, 17115, 1)], [letter(1011.611, 17121)])
    assert found.visit is not None and (11, 1) == (found.gap_s, found.visit.row)
    assert 0.9 < found.confidence < 1


def test_the_nearest_process_wins_over_the_nearest_second() -> None:
    """Two bots within a second: the message was queued by the one whose process came just before."""
    (found,) = join([visit(1000, 500, 1), visit(1001, 900, 2)], [letter(1003, 506)])
    assert found.visit is not None and 1 == found.visit.row
    assert found.confidence < 0.9


def test_process_numbers_wrap_around() -> None:
    """32,760 comes just before 4."""
    (found,) = join([visit(1000, 32760, 1), visit(1001, 20000, 2)], [letter(1003, 4)])
    assert found.visit is not None and 1 == found.visit.row


def test_a_session_does_not_last_for_ever() -> None:
    """Later than a session may be silent, a message is nobody's; and none is sent before its sign-in."""
    found = join([visit(1000, 1, 1)], [letter(999, 2), letter(1001 + WITHIN_S, 2)])
    assert [None, None] == [one.visit for one in found]


@pytest.mark.parametrize("login", [{"ok": False, "why": "password"}, {"service": "pop3"}])
def test_only_a_right_password_at_a_door_that_sends(login: dict[str, object]) -> None:
    """Neither a failure nor a mail program that polls has sent anything."""
    (found,) = join([visit(1000, 1, 1, **login)], [letter(1003, 2)])
    assert found.visit is None


@pytest.mark.parametrize("hours", [-9, 0, 5.5])
def test_messages_tell_the_zone_of_their_sign_ins(hours: float) -> None:
    """syslog in local time, multilog in true time: the offset under which messages follow sign-ins."""
    ledger = ledger_of([90_000.0 + 97 * number**1.5 for number in range(40)], shift_s=hours * 3600)
    assert round(hours * 3600 * SECOND) == alignment.shift_of(ledger, {0}, {1})


def test_a_few_messages_tell_nothing() -> None:
    """Chance could have done as well."""
    assert 0 == alignment.shift_of(ledger_of([1000.0, 5000.0], shift_s=7200), {0}, {1})


def ledger_of(times_s: list[float], shift_s: float) -> Ledger:
    ledger = Ledger()
    key = ledger.key(Login("smtp", True, "a@example.com", "192.0.2.1"))
    ledger.begin_file()
    for at in times_s:
        ledger.add(round(at * SECOND), key, 1, 0)
    ledger.begin_file()
    for at in times_s:
        one = letter(at + shift_s + 7, 0)
        one.file = 1
        ledger.take([one])
    return ledger
