"""Who plays in the demo, from its seed: a small house with a past, a day of letters, and the thief's plan."""

import random
from collections.abc import Iterator

from msgspec import Struct, structs

from sekisho.lab import habits
from sekisho.lab.attacks import Pace, Raid
from sekisho.lab.people import Person
from sekisho.lab.places import Find
from sekisho.lab.spots import Line
from sekisho.lab.stress import Issue, Newsletter
from sekisho.lab.traffic import Household, Scale, Traffic
from sekisho.lab.visits import DAY, HOUR, Letter, Visit

HISTORY_DAYS = 30
OWNER, TRAVELLER = "hello@example.com", "tabi@example.com"
PHONE, NEWSLETTER = "mika@example.com", "news@example.net"
OFFICE = ("anna@example.org", "ben@example.org", "chiyo@example.org")

HOUSEHOLD = Household(
    residents=(
        (OWNER, "home"),
        (TRAVELLER, "traveller"),
        (PHONE, "mobile"),
        (NEWSLETTER, "newsletter"),
        *((account, "office") for account in OFFICE),
        ("info@example.org", "role"),
        ("jun@example.com", "home"),
        ("kim@example.net", "quiet"),
    ),
    issues=(Issue(120, 0.01), Issue(120, 0.03), Issue(300, 0.01)),
)
"""The newsletter's list is clean: what a dirty one does is a question for `simulate`."""

UNEVENTFUL = Scale(accounts=len(HOUSEHOLD.residents), learning=HISTORY_DAYS + 10, days=1)
"""The generator's days of stress fall behind the demo's day: it has its own event."""

GAP = HOUR // 12
"""The history ends so long before the demo begins."""


class Script(Struct, frozen=True):
    """`history` is what a log would tell of the days before; the day's visits are in time order."""

    seed: int
    day: int
    history: tuple[Visit, ...]
    honest: tuple[Visit, ...]
    stolen: tuple[Visit, ...]
    hosts_refuse: frozenset[str]
    hosts_defer: frozenset[str]
    country: str
    away: str

    @property
    def strikes_at(self) -> int:
        """When the botnet begins; the end of the day where none comes."""
        return self.stolen[0].at if self.stolen else self.day + DAY


def write_script(seed: int, find: Find, now: int) -> Script:
    """The house's past up to `now`, its day, and the botnet of that day."""
    scale = structs.replace(UNEVENTFUL, start=now - GAP - HISTORY_DAYS * DAY)
    rng = random.Random(f"demo {seed}")
    traffic = Traffic(seed, scale, find, HOUSEHOLD)
    people = {person.account: person for person in traffic.people}
    _send_off(people, rng)
    day = scale.start + HISTORY_DAYS * DAY
    lived = list(_until(traffic.visits(), day + DAY))
    strikes = habits.DEMO_STRIKES.draw(rng)
    lasts = habits.DEMO_LASTS.draw(rng)
    honest = [_reachable(visit) for visit in lived if visit.at >= day and visit.service == "submission"]
    honest += [_reachable(visit) for visit in _certain_letters(people, (strikes, lasts), rng)]
    honest.sort(key=lambda visit: visit.at)
    stolen = _botnet(
        Raid(people[OWNER], traffic.places, day, Pace(refused=habits.DEMO_REFUSED), rng), strikes, lasts
    )
    return Script(
        seed=seed,
        day=day,
        history=tuple(visit for visit in lived if visit.at < day),
        honest=tuple(honest),
        stolen=tuple(stolen),
        hosts_refuse=_union(letter.refused for visit in (*honest, *stolen) for letter in visit.letters),
        hosts_defer=_union(letter.deferred for visit in honest for letter in visit.letters),
        country=traffic.country,
        away=_abroad(people[TRAVELLER]),
    )


def _send_off(people: dict[str, Person], rng: random.Random) -> None:
    """The owner stays at home, the traveller leaves in time; no web mail is there, and nobody moves house.

    The owner's line keeps its address that day. With another one, a letter to a stranger would wait for the
    operator while the account is contained: docs/generator.md says so, `simulate` counts it.
    """
    for person in people.values():
        person.is_like = structs.replace(person.is_like, webmail=0.0, changes_provider=0.0)
    owner = people[OWNER]
    assert isinstance(owner.line, Line)
    owner.line.keep_until(HISTORY_DAYS)
    owner.next_trip = UNEVENTFUL.learning
    owner.is_like = structs.replace(owner.is_like, strange=0.0)
    people[TRAVELLER].booked = (HISTORY_DAYS - habits.DEMO_LEFT.whole(rng), HISTORY_DAYS + 1)


def _until(visits: Iterator[Visit], end: int) -> Iterator[Visit]:
    for visit in visits:
        if visit.at >= end:
            return
        yield visit


def _certain_letters(
    people: dict[str, Person], attack: tuple[float, float], rng: random.Random
) -> Iterator[Visit]:
    """What must be seen on the day: everybody writes, owner and traveller also in the attack."""
    strikes, lasts = attack
    during = [strikes + lasts * part for part in (rng.uniform(0.2, 0.5), rng.uniform(0.5, 0.8))]
    for account in (OWNER, TRAVELLER):
        for hour in (rng.uniform(7, strikes - 1), *during):
            yield people[account].writes(HISTORY_DAYS, hour)
    for account in (PHONE, PHONE, PHONE, *OFFICE):
        yield people[account].writes(HISTORY_DAYS, rng.uniform(9, 17))
    newsletter = people[NEWSLETTER]
    assert isinstance(newsletter, Newsletter)
    if newsletter.last_issue < HISTORY_DAYS:
        yield newsletter.send_issue(HISTORY_DAYS)


def _reachable(visit: Visit) -> Visit:
    """An honest letter of the day goes to people who exist; only the newsletter has dead addresses."""
    if visit.account == NEWSLETTER:
        return visit
    letters = tuple(structs.replace(letter, refused=frozenset()) for letter in visit.letters)
    return structs.replace(visit, letters=letters)


def _botnet(raid: Raid, strikes: float, lasts: float) -> list[Visit]:
    """Every login from another address, with one letter to strangers."""
    count = habits.DEMO_LOGINS.whole(raid.rng)
    times = raid.times(count, strikes, strikes + lasts)
    letters: list[tuple[Letter, ...]] = [
        (raid.letter(habits.DEMO_RECIPIENTS.whole(raid.rng)),) for _ in times
    ]
    return [raid.sends(*one) for one in zip(times, raid.bots(count), letters, strict=True)]


def _abroad(traveller: Person) -> str:
    assert traveller.trip is not None, "the trip is booked"
    return traveller.trip.country


def _union(sets: Iterator[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*sets)
