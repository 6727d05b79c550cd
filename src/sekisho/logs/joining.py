"""Which login sent which message, guessed from time, process number and sender, because qmail-send logs no
user.

A message belongs to the latest login of its sender, over a service that sends, within the time a session
may last. The guess carries a confidence below 1: the nearer in time and in process number, and the fewer
other logins could have been it, the higher. Our own events need no guess.
"""

from bisect import bisect_right
from collections.abc import Sequence
from math import exp

from msgspec import Struct

from sekisho.logs.ledger import Visit
from sekisho.logs.mailroom import Letter
from sekisho.logs.stamp import SECOND

SENDING = frozenset({"smtp", "smtps", "submission", "submissions", "webmail", "25", "465", "587", ""})
"""Services by which mail is sent; a `vchkpw-NUMBER` names the port."""

WITHIN_S = 600
"""An SMTP session that says nothing for 5 minutes is closed (RFC 5321 4.5.3.2); a large letter may take as
long."""

CANDIDATES = 16
"""So many earlier logins compete for a message."""

SURE = 0.97
"""The most that a guess is worth."""

NEAR_S = 60.0
"""Seconds after which a login is a third as likely."""

NEAR_PIDS = 20.0
PIDS_SAY = 4.0
"""How much more a login weighs whose process came just before the message's."""

PID_MAX = 32_768
"""Process numbers begin again here, unless the log shows higher ones."""


class Join(Struct, frozen=True):
    """`visit` None: a message of this sender without a login that could have sent it."""

    letter: Letter
    visit: Visit | None
    gap_s: float
    confidence: float


def join(visits: Sequence[Visit], letters: Sequence[Letter]) -> list[Join]:
    """One account's logins and messages, both in order of time."""
    senders = [visit for visit in visits if visit.login.ok and visit.login.service in SENDING]
    times = [visit.at for visit in senders]
    by_event = {visit.event: visit for visit in visits if visit.event}
    by_row = {visit.row: visit for visit in visits} if any(letter.told for letter in letters) else {}
    return [
        _told(letter, by_row) if letter.told else _join(letter, senders, times, by_event)
        for letter in letters
    ]


def _told(letter: Letter, by_row: dict[int, Visit]) -> Join:
    """The log itself names the login."""
    visit = by_row.get(letter.row)
    return Join(letter, visit, _gap(visit, letter) if visit else 0, letter.confidence)


def _join(letter: Letter, senders: list[Visit], times: list[int], by_event: dict[str, Visit]) -> Join:
    if letter.login:
        exact = by_event.get(letter.login)
        return Join(letter, exact, _gap(exact, letter) if exact else 0, letter.confidence)
    # syslog's stamps are whole seconds: a login of the same second may stand before the message or after it
    last = bisect_right(times, letter.at)
    candidates = []
    for visit in reversed(senders[max(0, last - CANDIDATES) : last]):
        if letter.at - visit.at > WITHIN_S * SECOND:
            break
        candidates.append((_weight(visit, letter), visit))
    if not candidates:
        return Join(letter, None, 0, 0.0)
    weight, visit = max(candidates, key=lambda candidate: (candidate[0], candidate[1].row))
    share = weight / sum(other for other, _ in candidates)
    gap = _gap(visit, letter)
    return Join(letter, visit, gap, round(SURE * share * (0.5 + 0.5 * exp(-gap / (5 * NEAR_S))), 3))


def _weight(visit: Visit, letter: Letter) -> float:
    near = exp(-(letter.at - visit.at) / (NEAR_S * SECOND))
    if not visit.pid or not letter.qp:
        return near
    most = PID_MAX if max(visit.pid, letter.qp) <= PID_MAX else 1 << 22
    ahead = (letter.qp - visit.pid) % most
    return near * (1 + PIDS_SAY * exp(-ahead / NEAR_PIDS)) + 1e-9


def _gap(visit: Visit, letter: Letter) -> float:
    """Seconds between; whole ones where the login is known only to the second."""
    if visit.at % SECOND == 0:
        return letter.at // SECOND - visit.at // SECOND
    return round((letter.at - visit.at) / SECOND, 3)
