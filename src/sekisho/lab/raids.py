"""Who is attacked when: draws victims and hours, and mixes the thieves' visits into the ordinary traffic."""

import heapq
import random
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from sekisho.lab import habits
from sekisho.lab.attacks import ATTACKS, Pace, Raid, stuffing
from sekisho.lab.people import Person
from sekisho.lab.traffic import Traffic
from sekisho.lab.visits import DAY, Visit

UNLIKELY: frozenset[str] = frozenset({"newsletter", "server"})
"""Kinds that are not attacked, so that what befalls them is always a false alarm."""

EARLY = 0.6
"""Attacks begin in this part of the counted days: the slow ones need time. Stuffing comes on the last day."""


class Planned(Struct, frozen=True):
    """An attack of this kind on these accounts, beginning at `start`."""

    kind: str
    victims: tuple[Person, ...]
    start: int


def draw(traffic: Traffic, kinds: Sequence[str], each: int, rng: random.Random) -> list[Planned]:
    """`each` attacks of every kind, no account twice; fewer in a small house. In order of their start."""
    free = [person for person in traffic.people if person.kind not in UNLIKELY]
    rng.shuffle(free)
    planned = []
    for kind in (one for one in kinds if one in ATTACKS):
        for _ in range(each):
            if person := _victim(kind, free):
                planned.append(Planned(kind, (person,), _start(traffic, rng)))
    if "stuffing" in kinds and free:
        count = min(habits.STUFFING_ACCOUNTS, max(1, len(free) // 2))
        last_day = traffic.scale.end - DAY
        planned.append(Planned("stuffing", tuple(free[:count]), last_day + rng.randrange(DAY // 2)))
    return sorted(planned, key=lambda one: one.start)


def _victim(kind: str, free: list[Person]) -> Person | None:
    """Takes somebody out of `free`: for the webmail replay one who uses the web mail, if there is one."""
    users = [person for person in free if person.is_like.webmail] if kind == "webmail-replay" else []
    person = users[0] if users else free[0] if free else None
    if person is not None:
        free.remove(person)
    return person


def _start(traffic: Traffic, rng: random.Random) -> int:
    span = traffic.scale.end - traffic.scale.counted_from
    return traffic.scale.counted_from + int(rng.uniform(0, EARLY) * span)


def strike(planned: Planned, traffic: Traffic, pace: Pace, rng: random.Random) -> list[Visit]:
    """The visits of one planned attack, drawn when it begins: the owner may have moved by then."""
    raids = [Raid(person, traffic.places, planned.start, pace, rng) for person in planned.victims]
    return stuffing(raids) if planned.kind == "stuffing" else ATTACKS[planned.kind](raids[0])


def mixed(traffic: Traffic, attacks: Iterable[Planned], pace: Pace, rng: random.Random) -> Iterator[Visit]:
    """Ordinary and stolen visits, in time order."""
    waiting = list(attacks)
    stolen: list[tuple[int, int, Visit]] = []
    count = 0
    for visit in traffic.visits():
        while waiting and waiting[0].start <= visit.at:
            for one in strike(waiting.pop(0), traffic, pace, rng):
                count += 1
                heapq.heappush(stolen, (one.at, count, one))
        while stolen and stolen[0][0] <= visit.at:
            yield heapq.heappop(stolen)[2]
        yield visit
    while stolen:
        yield heapq.heappop(stolen)[2]
