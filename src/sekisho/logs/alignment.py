"""Finds the zone of syslog's stamps from the mail itself, where nothing else tells it.

qmail-send under multilog writes true time, vchkpw through syslog the clock on the wall. A message leaves
seconds after the login that sent it; so the offset is the one under which most messages follow a login of
their sender. Where chance could have done as well, nothing is said.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Container

from sekisho.logs.joining import SENDING
from sekisho.logs.ledger import Ledger
from sekisho.logs.stamp import HOUR_S, SECOND

STEP = 900 * SECOND
"""Zones differ by quarters of an hour."""

MOST = 14 * HOUR_S * SECOND
FOLLOWS = 30 * SECOND
"""So soon after its login a message counts for an offset."""

LETTERS_ASKED = 2000
VOTES_MIN = 5
VOTES_FACTOR = 1.5


def shift_of(ledger: Ledger, logins: Container[int], letters: Container[int]) -> int:
    """What must be added to the logins of these files so that the letters of those follow them; 0 if nothing,
    or if it cannot be told."""
    senders = [
        account
        for account in ledger.accounts()
        if any(letter.file in letters for letter in ledger.letters.get(account, ()))
    ]
    votes: Counter[int] = Counter()
    asked = 0
    for account, visits in ledger.visits(senders).items():
        times = [
            visit.at
            for visit in visits
            if visit.login.ok and visit.login.service in SENDING and visit.file in logins
        ]
        for letter in ledger.letters[account]:
            if times and letter.file in letters and asked < LETTERS_ASKED:
                asked += 1
                votes.update(_shifts(times, letter.at))
    return _winner(votes)


def _shifts(times: list[int], at: int) -> list[int]:
    """The shifts under which some login comes just before this moment."""
    found = []
    for shift in range(-MOST, MOST + 1, STEP):
        place = bisect_left(times, at - shift - FOLLOWS)
        if place < len(times) and times[place] <= at - shift:
            found.append(shift)
    return found


def _winner(votes: Counter[int]) -> int:
    ranked = votes.most_common(2)
    if not ranked or ranked[0][1] < VOTES_MIN:
        return 0
    second = ranked[1][1] if len(ranked) > 1 else 0
    return ranked[0][0] if ranked[0][1] >= VOTES_FACTOR * second else 0
