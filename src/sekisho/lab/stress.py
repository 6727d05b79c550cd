"""Honest days that look strange: newsletters with dead addresses, an outage, renumbering, new passwords."""

import random
from collections.abc import Sequence

from msgspec import Struct

from sekisho.lab import habits
from sekisho.lab.book import OUTSIDE_DOMAINS, outside_address
from sekisho.lab.character import STAYS
from sekisho.lab.people import Person, Surroundings, poisson
from sekisho.lab.places import Places
from sekisho.lab.spots import Fixed
from sekisho.lab.visits import DAY, HOUR, Visit


class Issue(Struct, frozen=True):
    """A newsletter's list: how many recipients, and which share of them is dead."""

    size: int
    dead: float


class Newsletter(Person):
    """Sends an issue to its whole list every few days, from one fixed place; some of the list is dead."""

    def __init__(
        self, account: str, country: str, around: Surroundings, issue: Issue, rng: random.Random
    ) -> None:
        super().__init__(account, "newsletter", country, around, rng)
        self.issue = issue
        self.list = [outside_address(rng) for _ in range(issue.size)]
        self.next_issue = rng.randrange(7)
        self.last_issue = -1
        self.per_letter = habits.NEWSLETTER_PER_LETTER.whole(rng)

    def day(self, day: int) -> list[Visit]:
        visits = super().day(day)
        if day >= self.next_issue:
            self.next_issue = day + habits.NEWSLETTER_EVERY.whole(self.rng)
            visits.append(self.send_issue(day))
        return visits

    def send_issue(self, day: int) -> Visit:
        """One session in which the whole list gets its letter."""
        rng = self.rng
        self.last_issue = day
        for _ in range(poisson(habits.NEWSLETTER_CHANGE.draw(rng) * self.issue.size, rng)):
            self.list[rng.randrange(self.issue.size)] = outside_address(rng)
        at = self.around.start + day * DAY + int(rng.uniform(9, 17) * HOUR)
        everybody = tuple(dict.fromkeys(self.list))
        parts = [
            everybody[first : first + self.per_letter] for first in range(0, len(everybody), self.per_letter)
        ]
        return Visit(
            at=at,
            account=self.account,
            address=self.line.address(day, rng),
            service="submission",
            fingerprint=self.is_like.fingerprints[0],
            letters=tuple(self.book.addressed(part, at, self.issue.dead) for part in parts),
            pause_s=habits.NEWSLETTER_PAUSE.draw(rng),
        )


class Calendar(Struct, frozen=True):
    """On which day of the evaluated time each stress falls, and how large it is."""

    password_day: int
    password_share: float
    renumbering_day: int
    renumbered: float
    moving_day: int
    moves: int
    outage_first: int
    outage_last: int
    outage_share: float

    def outage(self, recipient: str, at: int) -> bool:
        """True while the large provider that this recipient's domain is with answers 4yz."""
        if not self.outage_first <= at < self.outage_last:
            return False
        domain = recipient.rpartition("@")[2].removeprefix("host").removesuffix(".example")
        return (
            domain.isdecimal()
            and int(domain) * 37 % OUTSIDE_DOMAINS < self.outage_share / 100 * OUTSIDE_DOMAINS
        )


def plan(start: int, learning: int, days: int, rng: random.Random) -> Calendar:
    """Draws the days of stress, all of them in the evaluated time."""
    drawn = [learning + rng.randrange(max(days, 1)) for _ in range(4)]
    outage_first = start + drawn[3] * DAY + int(rng.uniform(6, 18) * HOUR)
    return Calendar(
        password_day=drawn[0],
        password_share=habits.PASSWORD_DAY_SHARE.draw(rng),
        renumbering_day=drawn[1],
        renumbered=habits.RENUMBERED.draw(rng),
        moving_day=drawn[2],
        moves=habits.OFFICE_MOVES.whole(rng),
        outage_first=outage_first,
        outage_last=outage_first + int(habits.OUTAGE_HOURS.draw(rng) * HOUR),
        outage_share=habits.OUTAGE_SHARE.draw(rng),
    )


def renumber(people: Sequence[Person], share: float, places: Places, rng: random.Random) -> None:
    """Homes whose provider moves them, all of a country into one other network, in one night."""
    moved = [person for person in people if person.kind != "server" and rng.uniform(0, 100) < share]
    targets = {country: places.home(country, rng) for country in sorted({person.country for person in moved})}
    for person in moved:
        person.move_line(targets[person.country])


def move_offices(offices: Sequence[Sequence[Person]], count: int, places: Places, rng: random.Random) -> None:
    """Offices that come to work behind another provider one morning."""
    for office in rng.sample(offices, min(count, len(offices))):
        work = Fixed(places.home(office[0].country, rng), rng)
        for person in office:
            person.work = work


def card_writers(people: Sequence[Person], days: range, rng: random.Random) -> dict[int, list[Person]]:
    """Who writes to many strangers at once, by the day on which they do it."""
    share = habits.CARDS_SHARE.draw(rng)
    writers: dict[int, list[Person]] = {}
    for person in people:
        if person.kind not in STAYS and rng.uniform(0, 100) < share and days:
            writers.setdefault(rng.choice(days), []).append(person)
    return writers


def cards(person: Person, day: int) -> Visit:
    """One evening's work at home: letters to addresses never written to before."""
    rng = person.rng
    at = person.around.start + day * DAY + int(rng.uniform(17, 21) * HOUR)
    strangers = [outside_address(rng) for _ in range(habits.CARDS.whole(rng))]
    per_letter, dead = habits.CARDS_PER_LETTER.whole(rng), habits.CARDS_DEAD.draw(rng)
    parts = [tuple(strangers[first : first + per_letter]) for first in range(0, len(strangers), per_letter)]
    return Visit(
        at=at,
        account=person.account,
        address=person.line.address(day, rng),
        service="submission",
        fingerprint=person.is_like.fingerprints[0],
        letters=tuple(person.book.addressed(part, at, dead) for part in parts),
        pause_s=habits.PAUSE.draw(rng),
    )


def stale_passwords(people: Sequence[Person], day: int, share: float, rng: random.Random) -> list[Visit]:
    """Phones and desktops that still try the old password on the day of the change."""
    visits = []
    for person in people:
        if person.kind != "server" and rng.uniform(0, 100) < share:
            visits += _stale_device(person, day, rng)
    return visits


def _stale_device(person: Person, day: int, rng: random.Random) -> list[Visit]:
    spot = rng.choice((person.phone, person.line))
    fingerprint = person.is_like.fingerprints[1]
    midnight = person.around.start + day * DAY
    times = [midnight + int(rng.uniform(9, 20) * HOUR) for _ in range(habits.PASSWORD_DAY_STALE.whole(rng))]
    return [
        Visit(
            at, person.account, spot.address(day, rng), "imap", fingerprint=fingerprint, wrong=1, right=False
        )
        for at in times
    ]
