"""The customers of a mail host: how each kind reaches the net, how often, and to whom it writes."""

import math
import random
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from sekisho.lab import habits
from sekisho.lab.places import Places, Site
from sekisho.lab.spots import Elsewhere, Fixed, Line, Phone, Spot, Vpn
from sekisho.lab.visits import DAY, HOUR, SECOND, Letter, Visit

PersonKind = Literal["home", "office", "mobile", "traveller", "vpn", "role", "server", "quiet", "newsletter"]

OUTSIDE_DOMAINS = 400


class Trip(Struct):
    """Days `first` to `last` in another country, with what that country offers."""

    first: int
    last: int
    country: str
    spots: tuple[Spot, ...]
    roaming: float


class Surroundings(Struct):
    """What people share: the map, the house's own accounts, and the day's mishaps of the world."""

    places: Places
    start: int
    accounts: tuple[str, ...]
    outage: Callable[[str, int], bool]


class Person:
    """One account. Its whole life follows from the seed and the account's name."""

    def __init__(self, account: str, kind: PersonKind, country: str, around: Surroundings, rng: random.Random) -> None:
        self.account = account
        self.kind = kind
        self.country = country
        self.around = around
        self.rng = rng
        places = around.places
        self.line: Line | Fixed = Line(places.home(country, rng), rng)
        self.phone: Spot = Phone(places.home(country, rng), rng)
        self.work: Spot | None = None
        self.extra: list[Spot] = []
        self.vpn = Vpn(places, rng) if kind == "vpn" else None
        self.trip: Trip | None = None
        self.destinations = [places.a_country(rng) for _ in range(habits.TRIP_COUNTRIES.whole(rng))]
        self.next_trip = rng.randrange(int(self._between_trips()) + 1)
        self.sessions = _SESSIONS.get(kind, habits.SESSIONS).draw(rng)
        self.sending = (habits.SENDING_SERVER if kind == "server" else habits.SENDING).draw(rng)
        self.weekend = 1.0 if kind == "server" else habits.WEEKEND.draw(rng)
        self.wakes = habits.WAKES.draw(rng)
        self.sleeps = habits.SLEEPS.draw(rng)
        self.by_phone = _BY_PHONE.get(kind, habits.PHONE.draw(rng))
        self.wifi = 0.05 if kind == "mobile" else habits.PHONE_ON_WIFI.draw(rng)
        self.strange = habits.STRANGE_WIFI.draw(rng) / 30
        self.webmail = habits.WEBMAIL.draw(rng) if rng.uniform(0, 100) < habits.WEBMAIL_SHARE.draw(rng) else 0.0
        self.mistyped = habits.MISTYPED.draw(rng)
        self.fingerprints = [f"client-{rng.getrandbits(20):05x}" for _ in range(2)]
        self.book = Book(account, around, rng)
        self._settle_kind()

    def _settle_kind(self) -> None:
        places, rng = self.around.places, self.rng
        if self.kind in ("server", "newsletter"):
            self.line = Fixed(places.home(self.country, rng), rng)
        if self.kind == "role":
            count = habits.ROLE_PLACES.whole(rng)
            self.extra = [Fixed(places.home(self.country, rng), rng) for _ in range(count)]

    def _between_trips(self) -> float:
        every = habits.TRAVELLER_EVERY if self.kind == "traveller" else habits.HOLIDAY_EVERY
        return every.draw(self.rng)

    def day(self, day: int) -> list[Visit]:
        """The sessions of one day, not yet in order."""
        self._travel(day)
        if self.rng.random() < 1 / habits.PROVIDER_CHANGE.draw(self.rng):
            self.line = Line(self.around.places.home(self.country, self.rng), self.rng)
        weekend = (self.around.start // DAY + day + 4) % 7 in (0, 6)
        expected = self.sessions * (self.weekend if weekend else 1.0)
        return [self._visit(day, weekend) for _ in range(poisson(expected, self.rng))]

    def _visit(self, day: int, weekend: bool) -> Visit:
        rng = self.rng
        hour = rng.uniform(0, 24) if self.kind == "server" else rng.uniform(self.wakes, self.sleeps)
        at = self.around.start + day * DAY + int(hour * HOUR)
        phone = rng.random() < self.by_phone
        spot = self._spot(day, hour, weekend, phone)
        letters: tuple[Letter, ...] = ()
        if rng.random() < self.sending:
            letters = tuple(self.book.letter(at) for _ in range(1 + (rng.random() < 0.2)))
        webmail = rng.random() < self.webmail
        return Visit(
            at=at,
            account=self.account,
            address="127.0.0.1" if webmail else spot.address(day, rng),
            service="webmail" if webmail else "submission" if letters else "imap",
            fingerprint="webmail" if webmail else self.fingerprints[phone],
            letters=letters,
            pause_s=rng.uniform(2, 120),
            wrong=int(rng.random() < self.mistyped),
        )

    def _spot(self, day: int, hour: float, weekend: bool, phone: bool) -> Spot:
        """Which way this session takes to the net."""
        rng = self.rng
        if self.trip:
            if phone and rng.random() < self.trip.roaming:
                return self.phone
            return rng.choice(self.trip.spots)
        if self.vpn and rng.random() < habits.VPN_USE.draw(rng):
            return self.vpn
        if self.extra:
            return rng.choice(self.extra)
        if rng.random() < self.strange / max(self.sessions, 0.5):
            return Elsewhere(self.around.places, self.country)
        if phone and rng.random() >= self.wifi:
            return self.phone
        if self.work and not weekend and 8 <= hour < 18:
            return self.work
        return self.line

    def _travel(self, day: int) -> None:
        if self.trip and day > self.trip.last:
            self.trip = None
            self.next_trip = day + int(self._between_trips())
        if self.trip is None and day >= self.next_trip and self.kind not in ("server", "role", "newsletter"):
            self.trip = self._trip(day)

    def _trip(self, day: int) -> Trip:
        rng, places = self.rng, self.around.places
        country = rng.choice(self.destinations)
        if rng.random() < habits.TRIP_ELSEWHERE.draw(rng):
            country = places.a_country(rng)
        hotel: Spot = Line(places.home(country, rng), rng)
        spots = (hotel, hotel, Fixed(places.home(country, rng), rng))[: rng.randint(1, 3)]
        return Trip(day, day + habits.TRIP.whole(rng), country, spots, habits.ROAMING.draw(rng))

    def move_line(self, site: Site) -> None:
        """The provider renumbers: the same home in another network."""
        self.line = Line(site, self.rng)


class Book:
    """To whom an account writes: known addresses, the frequent ones first, and now and then a new one."""

    def __init__(self, account: str, around: Surroundings, rng: random.Random) -> None:
        self.account = account
        self.rng = rng
        self._outage = around.outage
        self._house = habits.HOUSE_MAIL.draw(rng)
        self._accounts = around.accounts
        self._new = habits.NEW_CONTACT.draw(rng)
        self._company = habits.COMPANY.draw(rng)
        self._invitation = habits.INVITATION.draw(rng)
        self._refused = habits.REFUSED.draw(rng)
        self._deferred = habits.DEFERRED.draw(rng)
        self.contacts = [self._stranger() for _ in range(habits.CONTACTS.whole(rng))]

    def letter(self, at: int) -> Letter:
        rng = self.rng
        size = int(math.exp(rng.uniform(math.log(habits.LETTER_BYTES.low), math.log(habits.LETTER_BYTES.high))))
        recipients = tuple(dict.fromkeys(self._contact() for _ in range(self._how_many())))
        return self.addressed(recipients, at, self._refused, size)

    def addressed(self, recipients: tuple[str, ...], at: int, dead: float, size: int) -> Letter:
        """A letter to these; a share of `dead` is refused, in an outage everybody there is put off."""
        rng = self.rng
        outside = [one for one in recipients if one not in self._accounts]
        refused = frozenset(one for one in outside if rng.random() < dead)
        deferred = frozenset(
            one for one in outside if one not in refused and (self._outage(one, at) or rng.random() < self._deferred)
        )
        return Letter(
            sender=self.account,
            recipients=recipients,
            size=size,
            after_s=habits.ANSWER_AFTER.draw(rng),
            refused=refused,
            deferred=deferred,
            retry_s=habits.RETRY_AFTER.draw(rng),
            subject=rng.choice(SUBJECTS),
        )

    def _how_many(self) -> int:
        chance = self.rng.random()
        if chance < self._invitation:
            return self.rng.randint(10, 40)
        return self.rng.randint(2, 6) if chance < self._invitation + self._company else 1

    def _contact(self) -> str:
        if self.rng.random() < self._new:
            self.contacts.append(self._stranger())
            return self.contacts[-1]
        return self.contacts[int(len(self.contacts) * self.rng.random() ** 2)]

    def _stranger(self) -> str:
        if self.rng.random() < self._house and self._accounts:
            return self.rng.choice(self._accounts)
        return outside_address(self.rng)


SUBJECTS = ("Re: Tuesday", "Invoice", "Offer", "Question", "Minutes", "Photos", "Re: Re: Delivery", "Thank you", "Appointment")
NAMES = (
    "aiko", "alma", "anna", "bao", "carla", "chen", "dora", "emil", "fumi", "georg", "hana", "igor", "jan", "kenji", "lena",
    "mai", "nils", "olga", "paul", "ren", "sara", "taro", "uwe", "vera", "wim", "yuki", "zoe",
)  # fmt: skip
_SESSIONS = {"quiet": habits.SESSIONS_QUIET, "server": habits.SESSIONS_SERVER}
_BY_PHONE = {"mobile": 0.9, "server": 0.0, "newsletter": 0.0, "role": 0.0}


def outside_address(rng: random.Random) -> str:
    """Somebody at one of the invented hosts outside; large hosts are likelier."""
    domain = int(OUTSIDE_DOMAINS * rng.random() ** 3)
    return f"{rng.choice(NAMES)}{rng.randrange(100_000)}@host{domain}.example"


def poisson(expected: float, rng: random.Random) -> int:
    """How often something happens that happens `expected` times on average."""
    count, product, limit = 0, rng.random(), math.exp(-expected)
    while product > limit:
        count += 1
        product *= rng.random()
    return count


def later(at: int, seconds: float) -> int:
    return at + int(seconds * SECOND)
