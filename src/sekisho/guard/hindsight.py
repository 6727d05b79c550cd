"""What the guard could not know at the time: one account's whole story in a log, judged from its end.

Old logs often begin in the middle of an attack, with no habits to compare it with. Then the shape tells: a
botnet comes from many providers within a day and uses most of its addresses once. A telephone behind CGNAT
has as many addresses, but one provider; an office has one address; a mail program that polls comes back to
its own.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from msgspec import Struct

from sekisho.guard.logins import region_of
from sekisho.guard.networks import number_of, prefix_around
from sekisho.model.envelope import Network

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR

EPISODE_GAP = 36 * HOUR
"""Sign-ins from strange places further apart belong to different episodes; slow botnets come twice a day."""

NEAR = HOUR // 6
NEAR_GAPS, NEAR_MOST = 10, 2 * HOUR
"""A sign-in that says nothing by itself belongs to an episode within this time of it, or so many of its usual
gaps, but never more than the last."""
WEBMAIL = frozenset({"127.0.0.1", "::1"})

HOME_DAYS = 3
"""A network is the account's own if it was used on so many days before the first doubt."""

HOME_LOGINS = 10
HOME_SPAN = 3 * HOUR
HOME_FACTOR = 5
"""Or an address of it was used so often, over so long, and so many times more than the account's addresses
usually are: in a log of one day this is the mail program that polls."""

BOTNET_ADDRESSES, BOTNET_PLACES = 12, 8
BOTNET_ONCE = 0.5
"""Within a day: addresses, providers, and the share of addresses used once, from which it is a botnet."""

CROWD_ADDRESSES = 100
"""More addresses in a day than a telephone can have, though their providers be unknown."""

POOL_PLACES, POOL_ADDRESSES = 2, 60
"""Unknown networks of so few regions are a provider's pool, not a botnet, unless more addresses of it are
used in a day than a telephone has sessions."""

WANDERER_ONCE = 0.34
WANDERER_BACK, WANDERER_SHARE = 6 * HOUR, 0.5
"""At most this share of addresses used once, and at least this share used again so much later."""

NEIGHBOURS = 1 / 3
"""So many failures, to one stranger's, may come from the owner's own provider and be the intruder's still."""

GUESSERS_PLACES, GUESSERS_ADDRESSES, GUESSES = 4, 5, 8
GUESSES_EACH = 3
"""Failures alone: providers, addresses, attempts, and at most so many attempts an address."""


class Sight(Struct, frozen=True):
    """One judged password: when, from where, and whether it was right. `row` names it to the caller."""

    at: int
    address: str
    network: Network
    ok: bool
    known_user: bool
    row: int


class Episode(Struct, frozen=True):
    """The sign-ins of an incident. `home` are the account's own networks; `strange` the intruder's
    sign-ins."""

    first: int
    last: int
    home: frozenset[str]
    strange: tuple[Sight, ...]
    peak_addresses: int
    peak_places: int
    once: float
    detected: int


def place_of(network: Network) -> str:
    """Whose network: the provider where it is known, be it a hosting one, else the region around it."""
    return f"AS{network.asn}/{network.country}" if network.asn else "~" + region_of(network)


def home_networks(sights: Sequence[Sight], until: int, found: int | None = None) -> frozenset[str]:
    """The networks that are the account's own, from use before `until` and from addresses that come back.

    `found` is the moment that the guard gave: an address that came with it does not vouch for itself.
    """
    days: dict[str, set[int]] = defaultdict(set)
    times: dict[str, list[int]] = defaultdict(list)
    networks: dict[str, str] = {}
    for sight in sights:
        if not sight.ok:
            continue
        times[sight.address].append(sight.at)
        networks[sight.address] = sight.network.key
        if sight.at < until:
            days[sight.network.key].add(sight.at // DAY)
    usual = median(len(seen) for seen in times.values()) if times else 0
    often = max(HOME_LOGINS, HOME_FACTOR * usual)
    home = {key for key, seen in days.items() if len(seen) >= HOME_DAYS}
    begin = min((seen[0] for seen in times.values()), default=0)
    for address, seen in times.items():
        if found is not None and seen[0] >= found - HOUR and begin < found - DAY:
            continue  # into an account that had been quiet before
        if len(seen) >= often and seen[-1] - seen[0] >= HOME_SPAN:
            home.add(networks[address])
    return frozenset(home)


def episode(sights: Sequence[Sight], found: int | None) -> Episode | None:
    """The episode around the moment `found` that the guard gave; without one, around the busiest day of
    strangers."""
    home = home_networks(sights, found if found is not None else _first_doubt(sights), found)
    strange = [
        sight for sight in sights if sight.ok and sight.network.place and sight.network.key not in home
    ]
    if not strange:
        return None
    around = found if found is not None else _busiest(strange)
    part = _with_doubtful(_around(strange, around), sights, home)
    addresses, places, detected = _peaks(part)
    uses = Counter(sight.address for sight in part)
    once = sum(1 for count in uses.values() if count == 1) / len(uses)
    return Episode(part[0].at, part[-1].at, home, tuple(part), addresses, places, once, detected)


def _first_doubt(sights: Sequence[Sight]) -> int:
    """The first day on which as many new addresses came as a botnet has; the end if there is none."""
    known: set[str] = set()
    fresh: list[int] = []
    for sight in sights:
        if not sight.ok or sight.address in known:
            continue
        known.add(sight.address)
        fresh = [at for at in fresh if sight.at - at < DAY] + [sight.at]
        if len(fresh) >= BOTNET_ADDRESSES:
            return fresh[0]
    return sights[-1].at + 1 if sights else 0


def _busiest(strange: Sequence[Sight]) -> int:
    """The middle of the day with most addresses."""
    window: Counter[str] = Counter()
    start, most, middle = 0, 0, strange[0].at
    for sight in strange:
        window[sight.address] += 1
        while sight.at - strange[start].at >= DAY:
            _leave(window, strange[start].address)
            start += 1
        if len(window) > most:
            most, middle = len(window), (strange[start].at + sight.at) // 2
    return middle


def _around(strange: Sequence[Sight], moment: int) -> list[Sight]:
    """Those joined to the moment by gaps of less than EPISODE_GAP."""
    nearest = min(range(len(strange)), key=lambda place: abs(strange[place].at - moment))
    start = end = nearest
    while start > 0 and strange[start].at - strange[start - 1].at < EPISODE_GAP:
        start -= 1
    while end + 1 < len(strange) and strange[end + 1].at - strange[end].at < EPISODE_GAP:
        end += 1
    return list(strange[start : end + 1])


def _with_doubtful(part: list[Sight], sights: Sequence[Sight], home: frozenset[str]) -> list[Sight]:
    """Two kinds of sign-in say nothing by themselves: from addresses that are no place, and from other
    corners of the owner's own provider. Used only in this episode, as rarely as the strangers' and at their
    pace, they belong to it; our own web mail never does, nor does anything where the owner roams."""
    gaps = [later.at - earlier.at for earlier, later in pairwise(part)]
    near = min(NEAR_MOST, max(NEAR, NEAR_GAPS * round(median(gaps)))) if gaps else NEAR
    first, last = part[0].at - near, part[-1].at + near
    most = max(Counter(sight.address for sight in part).values())
    uses: dict[str, list[Sight]] = defaultdict(list)
    for sight in sights:
        if (
            sight.ok
            and sight.address not in WEBMAIL
            and (not sight.network.place or sight.network.key in home)
        ):
            uses[sight.address].append(sight)
    joining: list[Sight] = []
    roaming: set[str] = set()
    for same in uses.values():
        if len(same) <= most and first <= same[0].at and same[-1].at <= last:
            joining.extend(same)
        elif len(same) < HOME_LOGINS and same[-1].at - same[0].at < DAY:
            roaming.add(same[0].network.key)
    joining = [sight for sight in joining if not sight.network.place or sight.network.key not in roaming]
    return sorted([*part, *joining], key=lambda sight: (sight.at, sight.row))


def _peaks(strange: Sequence[Sight]) -> tuple[int, int, int]:
    """Most addresses and most providers within a day, and when both were first more than a person's."""
    addresses: Counter[str] = Counter()
    places: Counter[str] = Counter()
    start = most_addresses = most_places = detected = 0
    for sight in strange:
        addresses[sight.address] += 1
        places[place_of(sight.network)] += 1
        while sight.at - strange[start].at >= DAY:
            _leave(addresses, strange[start].address)
            _leave(places, place_of(strange[start].network))
            start += 1
        most_addresses, most_places = max(most_addresses, len(addresses)), max(most_places, len(places))
        if not detected and is_crowd(len(addresses), len(places)):
            detected = sight.at
    return most_addresses, most_places, detected


def _leave(counts: Counter[str], name: str) -> None:
    counts[name] -= 1
    if not counts[name]:
        del counts[name]


def is_crowd(addresses: int, places: int) -> bool:
    return (addresses >= BOTNET_ADDRESSES and places >= BOTNET_PLACES) or addresses >= CROWD_ADDRESSES


def is_botnet(seen: Episode) -> bool:
    """Evident from the shape alone, whatever the guard knew."""
    if seen.once < BOTNET_ONCE or is_pool(seen):
        return False
    if seen.peak_places <= POOL_PLACES:
        return seen.peak_addresses >= POOL_ADDRESSES and all(not sight.network.asn for sight in seen.strange)
    return is_crowd(seen.peak_addresses, seen.peak_places)


def is_pool(seen: Episode) -> bool:
    """Strangers that are one provider's pool in hindsight: a telephone, not a thief. Tables often know only
    some blocks of a pool, or by other names: then the addresses lie close together."""
    if seen.peak_addresses >= POOL_ADDRESSES:
        return False
    if len({_wide_prefix(sight.address) for sight in seen.strange}) == 1:
        return True
    places = {place_of(sight.network) for sight in seen.strange}
    known = {sight.network.key for sight in seen.strange if sight.network.asn}
    countries = {sight.network.country for sight in seen.strange}
    if len(known) == len(places) or len(known) > 1 or (known and len(countries) > 1):
        return False
    return len(places) <= POOL_PLACES


def _wide_prefix(address: str) -> tuple[int, int]:
    """The /16 (/32) around an address."""
    number, bits = number_of(address)
    return bits, number >> (96 if bits == 128 else 16)


def is_wanderer(seen: Episode, sights: Sequence[Sight]) -> bool:
    """Somebody who always signs in from many places, and comes back to them: since the log begins, there is
    no time before the strangers, and few of their addresses are used once."""
    begin = next((sight.at for sight in sights if sight.ok), seen.first)
    if seen.first - begin > DAY or seen.peak_addresses >= CROWD_ADDRESSES or seen.once > WANDERER_ONCE:
        return False
    times: dict[str, list[int]] = defaultdict(list)
    for sight in seen.strange:
        times[sight.address].append(sight.at)
    back = sum(1 for visits in times.values() if visits[-1] - visits[0] >= WANDERER_BACK)
    return back >= WANDERER_SHARE * len(times)


def attempts_after(seen: Episode, sights: Sequence[Sight]) -> tuple[Sight, ...]:
    """The failures that follow the last strange sign-in and are not the owner's: a device that still has the
    old password keeps trying, from the owner's places. A few from other corners of the owner's own provider
    are the intruder's."""
    owners = {
        prefix_around(sight.address)
        for sight in sights
        if sight.ok and sight.network.key in seen.home
    }
    strangers, neighbours = [], []
    for sight in sights:
        if sight.ok or sight.at < seen.last or sight.address in WEBMAIL:
            continue
        if sight.network.key not in seen.home:
            strangers.append(sight)
        elif prefix_around(sight.address) not in owners:
            neighbours.append(sight)
    if len(neighbours) > NEIGHBOURS * len(strangers):
        neighbours = []
    return tuple(sorted([*strangers, *neighbours], key=lambda sight: (sight.at, sight.row)))


def guessed(sights: Sequence[Sight], home: frozenset[str]) -> tuple[Sight, ...]:
    """The failures of somebody who tries this account from many places; empty if there are none such."""
    wrong = [
        sight for sight in sights if not sight.ok and sight.network.place and sight.network.key not in home
    ]
    addresses = Counter(sight.address for sight in wrong)
    places = {place_of(sight.network) for sight in wrong}
    if len(wrong) < GUESSES or len(addresses) < GUESSERS_ADDRESSES or len(places) < GUESSERS_PLACES:
        return ()
    known = sum(1 for sight in wrong if sight.known_user)
    if median(addresses.values()) > GUESSES_EACH or known * 2 < len(wrong):
        return ()
    return tuple(wrong)
