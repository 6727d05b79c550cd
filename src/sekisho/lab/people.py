"""The customers of a mail host: how each kind reaches the net from day to day, and what it does there."""

import math
import random
from collections.abc import Callable

from msgspec import Struct, structs

from sekisho.lab import character, habits
from sekisho.lab.book import Book
from sekisho.lab.character import STAYS, Kind
from sekisho.lab.places import Places, Site
from sekisho.lab.spots import Elsewhere, Fixed, Line, Phone, Spot, Vpn
from sekisho.lab.visits import DAY, HOUR, Letter, Visit

WORKING_HOURS = (8, 18)


class Surroundings(Struct, frozen=True):
    """What people share: the map, when time begins, the house's own accounts, and the world's outages."""

    places: Places
    start: int
    accounts: tuple[str, ...]
    outage: Callable[[str, int], bool]


class Trip(Struct, frozen=True):
    """Away until the day `last`, in another country, with what that country offers."""

    last: int
    country: str
    spots: tuple[Spot, ...]
    roaming: float


class Person:
    """One account. Its whole life follows from its own source of chance.

    `booked` is a trip that is certain, from its first day to its last.
    """

    def __init__(
        self, account: str, kind: Kind, country: str, around: Surroundings, rng: random.Random
    ) -> None:
        places = around.places
        self.account = account
        self.kind = kind
        self.country = country
        self.around = around
        self.rng = rng
        self.is_like = character.draw(kind, rng)
        self.book = Book(account, around.accounts, around.outage, rng)
        self.line: Line | Fixed = (Fixed if kind in STAYS else Line)(places.home(country, rng), rng)
        self.phone = Phone(places.home(country, rng), rng)
        self.work: Spot | None = None
        self.vpn = Vpn(places, rng) if kind == "vpn" else None
        self.shared_places = self._shared_places() if kind == "role" else ()
        self.trip: Trip | None = None
        self.destinations = [
            places.another_country(country, rng) for _ in range(habits.TRIP_COUNTRIES.whole(rng))
        ]
        self.next_trip = rng.randint(0, self.is_like.days_to_trip(rng))
        self.booked: tuple[int, int] | None = None

    def _shared_places(self) -> tuple[Spot, ...]:
        count = habits.ROLE_PLACES.whole(self.rng)
        return tuple(Fixed(self.around.places.home(self.country, self.rng), self.rng) for _ in range(count))

    def day(self, day: int) -> list[Visit]:
        """The sessions of one day, not yet in order."""
        self._travel(day)
        if self.rng.random() < self.is_like.changes_provider:
            self.move_line(self.around.places.home(self.country, self.rng))
        expected = self.is_like.sessions * (self.is_like.weekend if self._weekend(day) else 1.0)
        hours = (
            self.rng.uniform(self.is_like.wakes, self.is_like.sleeps)
            for _ in range(poisson(expected, self.rng))
        )
        return [self._visit(day, hour, self._letters(day, hour)) for hour in hours]

    def writes(self, day: int, hour: float) -> Visit:
        """A session that certainly sends a letter."""
        return self._visit(day, hour, (self.book.letter(self._time(day, hour)),))

    def _time(self, day: int, hour: float) -> int:
        return self.around.start + day * DAY + int(hour * HOUR)

    def _weekend(self, day: int) -> bool:
        return (self.around.start // DAY + day + 3) % 7 >= 5  # day 0 of the epoch was a Thursday

    def _visit(self, day: int, hour: float, letters: tuple[Letter, ...]) -> Visit:
        rng, like = self.rng, self.is_like
        by_phone = rng.random() < like.by_phone
        in_office = not self._weekend(day) and WORKING_HOURS[0] <= hour < WORKING_HOURS[1]
        spot = self._abroad(by_phone) or self._at_home(by_phone, in_office)
        webmail = rng.random() < like.webmail
        return Visit(
            at=self._time(day, hour),
            account=self.account,
            address="127.0.0.1" if webmail else spot.address(day, rng),
            service="webmail" if webmail else "submission" if letters else "imap",
            fingerprint="webmail" if webmail else like.fingerprints[by_phone],
            letters=letters,
            pause_s=habits.PAUSE.draw(rng),
            wrong=int(rng.random() < like.mistyped),
        )

    def _letters(self, day: int, hour: float) -> tuple[Letter, ...]:
        if self.rng.random() >= self.is_like.sending:
            return ()
        count = 1 + (self.rng.random() < self.is_like.second)
        return tuple(self.book.letter(self._time(day, hour)) for _ in range(count))

    def _abroad(self, by_phone: bool) -> Spot | None:
        """The way to the net of somebody who is away, None for those at home."""
        if self.trip is None:
            return None
        if by_phone and self.rng.random() < self.trip.roaming:
            return self.phone
        return self.rng.choice(self.trip.spots)

    def _at_home(self, by_phone: bool, in_office: bool) -> Spot:
        rng, like = self.rng, self.is_like
        if self.vpn and rng.random() < habits.VPN_USE.draw(rng):
            return self.vpn
        if self.shared_places:
            return rng.choice(self.shared_places)
        if self.kind not in STAYS and rng.random() < like.strange / max(like.sessions, 1):
            return Elsewhere(self.around.places, self.country)
        if by_phone and rng.random() >= like.wifi:
            return self.phone
        return self.work if self.work and in_office else self.line

    def _travel(self, day: int) -> None:
        if self.trip and day > self.trip.last:
            self.trip = None
            self.next_trip = day + self.is_like.days_to_trip(self.rng)
        if self.booked and day == self.booked[0]:
            self.trip = structs.replace(self._trip(day), last=self.booked[1])
        if self.trip is None and day >= self.next_trip and self.kind not in STAYS:
            self.trip = self._trip(day)

    def _trip(self, day: int) -> Trip:
        rng, places = self.rng, self.around.places
        country = rng.choice(self.destinations)
        if rng.random() < habits.TRIP_ELSEWHERE.draw(rng):
            country = places.another_country(self.country, rng)
        hotel, office = Line(places.home(country, rng), rng), Fixed(places.home(country, rng), rng)
        spots = (hotel, hotel, office)[: rng.randint(1, 3)]
        return Trip(day + habits.TRIP.whole(rng), country, spots, habits.ROAMING.draw(rng))

    def move_line(self, site: Site) -> None:
        """The same home behind another provider."""
        self.line = (Fixed if self.kind in STAYS else Line)(site, self.rng)


def poisson(expected: float, rng: random.Random) -> int:
    """How often something happens that happens `expected` times on average."""
    count, product, limit = 0, rng.random(), math.exp(-expected)
    while product > limit:
        count += 1
        product *= rng.random()
    return count
