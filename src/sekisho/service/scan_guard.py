"""Plays the accounts of a log to the guard in order of time, as if they were happening now.

Only accounts go through it on which the guard could find something: those seen from more than one network,
or that sent a good deal. Polling is thinned to one login an hour and address, which tells the guard nothing
less.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from sekisho.guard.guard import Guard
from sekisho.guard.networks import NetworkTable
from sekisho.logs.joining import SENDING, Join
from sekisho.logs.ledger import Visit
from sekisho.logs.story import Told, accepted_event, address_of, delivery_events, login_event
from sekisho.model.config import Guard as Settings
from sekisho.model.envelope import Network
from sekisho.model.incident import Finding, Grade

HOUR = 3_600_000_000
Find = Callable[[str], Network]
Moment = tuple[int, int, Callable[[], Iterator[Told]]]


def findings(
    stories: Mapping[str, tuple[Sequence[Visit], Sequence[Join]]], find: Find, until: Grade
) -> dict[str, list[Finding]]:
    """Account -> what the guard found, in order, until it had reached that grade; `find` says whose an
    address is."""
    guard = Guard(Settings(), NetworkTable())
    moments: list[tuple[int, int, str, Callable[[], Iterator[Told]]]] = []
    for account, (visits, joins) in stories.items():
        for at, order, tell in _moments(account, visits, joins, find):
            moments.append((at, order, account, tell))
    moments.sort(key=lambda moment: moment[:2])
    found: dict[str, list[Finding]] = defaultdict(list)
    over: set[str] = set()
    for _, _, account, tell in moments:
        if account in over:
            continue
        for event in tell():
            for finding in guard.observe(event):
                found[finding.account].append(finding)
                if finding.grade >= until:
                    over.add(finding.account)
    return found


def _moments(account: str, visits: Sequence[Visit], joins: Sequence[Join], find: Find) -> Iterator[Moment]:
    for visit in thinned(visits):
        yield visit.at, 0, _login(visit, find)
    for place, join in enumerate(joins):
        if not address_of(join):
            continue  # nobody logged in for it
        yield join.letter.at, 1, _message(account, place, join, find)
        if join.letter.tries:
            yield join.letter.tries[-1].at, 2, _results(account, place, join, find)


def _login(visit: Visit, find: Find) -> Callable[[], Iterator[Told]]:
    return lambda: iter((login_event(visit, find(visit.login.address)),))


def _message(account: str, place: int, join: Join, find: Find) -> Callable[[], Iterator[Told]]:
    return lambda: iter((accepted_event(account, place, join, find(address_of(join))),))


def _results(account: str, place: int, join: Join, find: Find) -> Callable[[], Iterator[Told]]:
    return lambda: iter(delivery_events(account, place, join, find(address_of(join))))


def thinned(visits: Sequence[Visit]) -> Iterator[Visit]:
    """Right passwords only; of those that read mail, one an hour from each address."""
    last: dict[str, int] = {}
    for visit in visits:
        if not visit.login.ok:
            continue
        if visit.login.service not in SENDING:
            if visit.at - last.get(visit.login.address, -HOUR) < HOUR:
                continue
            last[visit.login.address] = visit.at
        yield visit
