"""The ordinary traffic of a mail host, from a seed, in time order: people, newsletters, strange days."""

import random
from collections.abc import Iterator
from itertools import cycle

from msgspec import Struct

from sekisho.lab import habits
from sekisho.lab.character import Kind
from sekisho.lab.people import Person, Surroundings
from sekisho.lab.places import Find, Places
from sekisho.lab.spots import Fixed
from sekisho.lab.stress import (
    Issue,
    Newsletter,
    card_writers,
    cards,
    move_offices,
    plan,
    renumber,
    stale_passwords,
)
from sekisho.lab.visits import DAY, Visit

START = 1_767_571_200_000_000
"""Monday 5 January 2026, 00:00 UTC: where simulated time begins unless told otherwise."""

DOMAINS = ("example.com", "example.org", "example.net")
COUNTRY_NETWORKS = 8
"""The house stands in a country of which at least so many networks were met."""


ISSUES = tuple(Issue(size, dead) for size in habits.NEWSLETTER_RECIPIENTS for dead in habits.NEWSLETTER_DEAD)
"""Every size of list with every share of dead addresses."""


class Scale(Struct, frozen=True):
    """How many accounts, how many days before the counting begins, how many days of it."""

    accounts: int = 300
    learning: int = 14
    days: int = 30
    start: int = START

    def day_of(self, at: int) -> int:
        return (at - self.start) // DAY

    @property
    def counted_from(self) -> int:
        return self.start + self.learning * DAY

    @property
    def end(self) -> int:
        return self.counted_from + self.days * DAY


class Household(Struct, frozen=True):
    """Accounts with their kinds, and what the newsletters among them are like, in turn."""

    residents: tuple[tuple[str, Kind], ...]
    issues: tuple[Issue, ...] = ISSUES


class Traffic:
    """A house full of people. The same seed, scale and map give the same visits, byte for byte.

    `household` names accounts and newsletters; without one, `scale.accounts` of them are drawn.
    """

    def __init__(self, seed: int, scale: Scale, find: Find, household: Household | None = None) -> None:
        self.scale = scale
        self._seed = seed
        self._rng = random.Random(f"traffic {seed}")
        self.places = Places(find, self._rng)
        self.country = self.places.a_country(self._rng, COUNTRY_NETWORKS)
        self.calendar = plan(scale.start, scale.learning, scale.days, self._rng)
        household = household or Household(_residents(scale.accounts, self._rng))
        names = tuple(name for name, _ in household.residents)
        self._around = Surroundings(self.places, scale.start, names, self.calendar.outage)
        issues = _in_turn(household.issues, self._rng)
        self.people = [self._person(name, kind, issues) for name, kind in household.residents]
        self.offices = self._open_offices()
        counted = range(scale.learning, scale.learning + scale.days)
        self._cards = card_writers(self.people, counted, self._rng)

    def _person(self, account: str, kind: Kind, issues: Iterator[Issue]) -> Person:
        rng = random.Random(f"{self._seed} {account}")
        if kind == "newsletter":
            return Newsletter(account, self.country, self._around, next(issues), rng)
        abroad = rng.uniform(0, 100) < habits.SHARE_ABROAD.draw(rng)
        country = self.places.a_country(rng) if abroad else self.country
        return Person(account, kind, country, self._around, rng)

    def _open_offices(self) -> list[list[Person]]:
        """Whose office it is shares its address."""
        workers = [person for person in self.people if person.kind == "office"]
        offices = []
        while workers:
            size = min(habits.OFFICE_SIZE.whole(self._rng), len(workers))
            staff, workers = workers[:size], workers[size:]
            work = Fixed(self.places.home(self.country, self._rng), self._rng)
            for person in staff:
                person.work = work
            offices.append(staff)
        return offices

    def visits(self) -> Iterator[Visit]:
        """All sessions, in time order. Can be run through once: people live while they are asked."""
        late: list[Visit] = []
        for day in range(self.scale.learning + self.scale.days):
            visits = late + self._mishaps(day)
            for person in self.people:
                visits += person.day(day)
            visits.sort(key=lambda visit: (visit.at, visit.account))
            midnight = self.scale.start + (day + 1) * DAY
            late = [visit for visit in visits if visit.at >= midnight]
            yield from visits[: len(visits) - len(late)]
        yield from late

    def _mishaps(self, day: int) -> list[Visit]:
        """What befalls the house this morning; gives the visits that come of it."""
        calendar = self.calendar
        if day == calendar.renumbering_day:
            compatriots = [person for person in self.people if person.country == self.country]
            renumber(compatriots, calendar.renumbered, self.places, self._rng)
        if day == calendar.moving_day:
            move_offices(self.offices, calendar.moves, self.places, self._rng)
        visits = [cards(person, day) for person in self._cards.get(day, ())]
        if day == calendar.password_day:
            visits += stale_passwords(self.people, day, calendar.password_share, self._rng)
        return visits


def _in_turn(issues: tuple[Issue, ...], rng: random.Random) -> Iterator[Issue]:
    """All of them in some order, again and again."""
    return cycle(rng.sample(issues, len(issues)))


SHARES: tuple[tuple[Kind, habits.Range], ...] = (
    ("office", habits.SHARE_OFFICE),
    ("mobile", habits.SHARE_MOBILE),
    ("traveller", habits.SHARE_TRAVELLER),
    ("newsletter", habits.SHARE_NEWSLETTER),
    ("vpn", habits.SHARE_VPN),
    ("role", habits.SHARE_ROLE),
    ("server", habits.SHARE_SERVER),
    ("quiet", habits.SHARE_QUIET),
)
"""Who is not among these is at home."""


def _residents(accounts: int, rng: random.Random) -> tuple[tuple[str, Kind], ...]:
    """Names and kinds; of every kind there is at least one, as far as the accounts reach."""
    kinds: list[Kind] = []
    for kind, share in SHARES:
        kinds += [kind] * max(1, round(accounts * share.draw(rng) / 100))
    kinds = kinds[:accounts]
    kinds += ["home"] * (accounts - len(kinds))
    rng.shuffle(kinds)
    return tuple((f"user{place}@{DOMAINS[place % len(DOMAINS)]}", kind) for place, kind in enumerate(kinds))
