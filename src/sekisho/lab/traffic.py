"""The ordinary traffic of a mail host, from a seed: people, newsletters and the strange but honest days, in time order."""

import random
from collections.abc import Iterator

from sekisho.lab import habits
from sekisho.lab.people import Person, PersonKind, Surroundings
from sekisho.lab.places import Find, Places
from sekisho.lab.spots import Fixed
from sekisho.lab.stress import Newsletter, move_offices, plan, renumber, stale_passwords
from sekisho.lab.visits import DAY, Visit

START = 1_767_571_200_000_000
"""Monday 5 January 2026, 00:00 UTC: where simulated time begins unless told otherwise."""

DOMAINS = ("example.com", "example.org", "example.net")
COUNTRY_NETWORKS = 8
"""The house stands in a country of which at least so many networks were met."""


class Traffic:
    """`accounts` people for `learning` + `days` days. The same arguments give the same visits, byte for byte."""

    def __init__(self, seed: int, accounts: int, learning: int, days: int, find: Find, start: int = START) -> None:
        self.start = start
        self.days = days
        self.learning = learning
        self._rng = random.Random(f"traffic {seed}")
        self.places = Places(find, self._rng)
        self.country = self.places.a_country(self._rng, COUNTRY_NETWORKS)
        self.calendar = plan(start, learning, days, self._rng)
        names = tuple(f"user{number}@{DOMAINS[number % len(DOMAINS)]}" for number in range(accounts))
        self._around = Surroundings(self.places, start, names, self.calendar.outage)
        self._seed = seed
        kinds = _kinds(accounts, self._rng)
        self.people: list[Person] = [self._person(name, kind) for name, kind in zip(names, kinds, strict=True)]
        self._add_newsletters()
        self.offices = self._open_offices()

    def _person(self, account: str, kind: PersonKind) -> Person:
        rng = random.Random(f"{self._seed} {account}")
        abroad = rng.uniform(0, 100) < habits.SHARE_ABROAD.draw(rng)
        country = self.places.a_country(rng) if abroad else self.country
        return Person(account, kind, country, self._around, rng)

    def _add_newsletters(self) -> None:
        """Every size with every share of dead addresses in turn."""
        issues = [(size, dead) for size in habits.NEWSLETTER_RECIPIENTS for dead in habits.NEWSLETTER_DEAD]
        self._rng.shuffle(issues)
        places = [place for place, person in enumerate(self.people) if person.kind == "newsletter"]
        for number, place in enumerate(places):
            account = self.people[place].account
            rng = random.Random(f"{self._seed} {account} list")
            self.people[place] = Newsletter(account, self.country, self._around, rng, issues[number % len(issues)])

    def _open_offices(self) -> list[list[Person]]:
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
        for day in range(self.learning + self.days):
            self._mishaps(day)
            visits = late + [visit for person in self.people for visit in person.day(day)]
            if day == self.calendar.password_day:
                visits += stale_passwords(self.people, day, self.calendar, self._rng)
            visits.sort(key=lambda visit: (visit.at, visit.account))
            midnight = self.start + (day + 1) * DAY
            late = [visit for visit in visits if visit.at >= midnight]
            yield from visits[: len(visits) - len(late)]
        yield from late

    def _mishaps(self, day: int) -> None:
        if day == self.calendar.renumbering_day:
            renumber([person for person in self.people if person.country == self.country], self.calendar, self.places, self._rng)
        if day == self.calendar.moving_day:
            move_offices(self.offices, self.calendar, self.places, self._rng)


def _kinds(accounts: int, rng: random.Random) -> list[PersonKind]:
    """What kind everybody is; with few accounts every kind is still there once, as far as they reach."""
    shares: tuple[tuple[PersonKind, habits.Range], ...] = (
        ("office", habits.SHARE_OFFICE),
        ("mobile", habits.SHARE_MOBILE),
        ("traveller", habits.SHARE_TRAVELLER),
        ("vpn", habits.SHARE_VPN),
        ("role", habits.SHARE_ROLE),
        ("server", habits.SHARE_SERVER),
        ("quiet", habits.SHARE_QUIET),
        ("newsletter", habits.SHARE_NEWSLETTER),
    )
    kinds: list[PersonKind] = []
    for kind, share in shares:
        kinds += [kind] * max(1, round(accounts * share.draw(rng) / 100))
    kinds = kinds[:accounts] + ["home"] * (accounts - len(kinds))
    rng.shuffle(kinds)
    return kinds
