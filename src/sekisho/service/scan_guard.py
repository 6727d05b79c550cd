"""Plays the accounts of a log to the guard in order of time, as if they were happening now.

Only accounts go through it on which the guard could find something: those seen from more than one network,
or that sent a good deal. Polling is thinned to one login an hour and address, which tells the guard nothing
less.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from sekisho.guard.guard import Guard
from sekisho.guard.networks import NetworkTable
from sekisho.logs.joining import SENDING, Join
from sekisho.logs.ledger import Visit
from sekisho.logs.story import accepted_event, address_of, delivery_events, login_event
from sekisho.model.config import Guard as Settings
from sekisho.model.envelope import Network
from sekisho.model.event import Event
from sekisho.model.incident import Finding, Grade

HOUR = 3_600_000_000
Find = Callable[[str], Network]
Told = tuple[Sequence[Visit], Sequence[Join]]
Moment = tuple[int, int, int]
SIGN_IN, MESSAGE, RESULTS = 0, 1, 2
"""What happens first when several things happen in one second."""


def findings(stories: Mapping[str, Told], find: Find, until: Grade) -> dict[str, list[Finding]]:
    """Account -> what the guard found, in order, until it had reached that grade; `find` says whose an
    address is."""
    guard = Guard(Settings(), NetworkTable())
    accounts = list(stories)
    moments = [
        (at, order, number, place)
        for number, account in enumerate(accounts)
        for at, order, place in _moments(*stories[account])
    ]
    moments.sort()
    found: dict[str, list[Finding]] = defaultdict(list)
    over: set[str] = set()
    for _, order, number, place in moments:
        account = accounts[number]
        if account in over:
            continue
        for event in _told(account, stories[account], order, place, find):
            for finding in guard.observe(event):
                found[finding.account].append(finding)
                if finding.grade >= until:
                    over.add(finding.account)
    return found


def _moments(visits: Sequence[Visit], joins: Sequence[Join]) -> Iterator[Moment]:
    """What happens when, by its place among the sign-ins or the messages; results at the end of the last
    try."""
    for place in thinned(visits):
        yield visits[place].at, SIGN_IN, place
    for place, join in enumerate(joins):
        if not address_of(join):
            continue  # nobody logged in for it
        yield join.letter.at, MESSAGE, place
        if join.letter.tries:
            yield join.letter.tries[-1].at, RESULTS, place


def _told(account: str, story: Told, order: int, place: int, find: Find) -> Iterable[Event]:
    visits, joins = story
    if order == SIGN_IN:
        return (login_event(visits[place], find(visits[place].login.address)),)
    network = find(address_of(joins[place]))
    if order == MESSAGE:
        return (accepted_event(account, place, joins[place], network),)
    return delivery_events(account, place, joins[place], network)


def thinned(visits: Sequence[Visit]) -> Iterator[int]:
    """Right passwords only, by their places; of those that read mail, one an hour from each address."""
    last: dict[str, int] = {}
    for place, visit in enumerate(visits):
        if not visit.login.ok:
            continue
        if visit.login.service not in SENDING:
            if visit.at - last.get(visit.login.address, -HOUR) < HOUR:
                continue
            last[visit.login.address] = visit.at
        yield place
