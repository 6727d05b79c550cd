"""Login evidence: what the first sight of a network weighs, and what makes a network the account's own
(rules 1 to 3).

The score S is a decaying CUSUM of log-likelihood ratios. The alternative is a mixture, because owner and
intruder are active at the same time: log(1 - RHO + RHO * p(intruder) / p(owner)). p(owner) starts from a
prior for everybody and moves towards the account's own habit, so a customer of a VPN with a new exit
every day becomes ordinary.
"""

from collections.abc import Callable
from math import exp, log
from typing import Literal

from sekisho.guard.memory import (
    CONFIRMED_KEPT,
    DAY,
    HOUR,
    PREFIXES_KEPT,
    PROVISIONAL_KEPT,
    Memory,
    Place,
    push,
)
from sekisho.model.envelope import Network

RHO = 0.3
"""Share of logins that are the intruder's while the account is shared with one."""
PRIOR_VISITS = 30.0
"""How many visits of its own an account needs before its habit counts as much as everybody's: about a
week."""
INTRUDER_NETWORK, INTRUDER_COUNTRY = 0.37, 0.50
"""p(new network, known country) and p(new country) of an intruder's login."""
OWNER_NETWORK, OWNER_COUNTRY = 0.0165, 0.003
"""The same of an owner's submission, from everybody's habit."""
OWNER_NETWORK_READ, OWNER_COUNTRY_READ = 0.025, 0.010
"""The same where mail is read: people read in more places than they write."""
OWNER_PREFIX, WANDERING = 0.11, 0.2
"""p(a /24 that is new) of an owner's visit to a network of his own; where it is more than the second
number, as behind many carriers, a new /24 says nothing.
"""
HEAVIEST = 4.0
"""No single first sight weighs more: one sign-in alone never contains."""
JOURNEY = (0.5, 0.8, 1.2, 2.0)
"""An unfamiliar network in a country where the account already is, after none, one, two, more unfamiliar
ones within PACE: a journey brings airport, hotel, telephone and café, but not four of them in two hours."""
PACE = 2 * HOUR
"""Networks met within this time count as met at once."""
ARRIVED = 1.0
"""The first unfamiliar network of a day in a country that the account is visiting."""
ONWARD = (2.0, 3.0, 4.0)
"""The second, third, fourth unfamiliar network of a day, in yet another new country, at the pace of a
traveller."""
FLIGHT = HOUR
"""Shorter than any flight between two countries with the way to and from the airport."""
FLEW = (3.0, 4.0)
"""Another new country within an hour of the last, after one and after more unfamiliar networks of the
day, weighs at least this: nobody travels so fast, though a relay may jump once.
"""
UNKNOWN = 3.0
"""A network of unknown country beside others of unknown country: neither the same country nor surely
another."""
VISITING = 14 * DAY
"""How long an account counts as being in a country where it showed an unfamiliar network."""
DECAY = 2 * DAY
"""S falls to 1/e in two days without events."""
LOWERED = -log(1 - RHO)
"""What a login from a confirmed network takes from S, once an hour: the chance that only the owner was
seen."""
VISIT = 6 * HOUR
"""Logins of one network in the same quarter of a day are one visit, however often a telephone polls."""
HABIT_VISITS = 400.0
"""Counts are halved at this many visits, so that habits of last year fade."""
FINGERPRINT = 1.0
"""A client that speaks like the owner's takes this much from a first sight; one that does not adds it."""
REMAPPED = DAY
"""So long a new table may be wrong about places that the account shows only once a day (rule 14)."""
REMAPPED_HEAVIEST = 1.0
"""For a day after a new network table, a first sight in a known country weighs at most this (rule 14)."""

EPISODE = 0.5
"""While S is under this, the next stranger is the first of a new episode, and sign-ins are not told of."""
QUIET = 3.5
"""While S is at least this, nothing is confirmed, whatever the settings call a watch (rule 2)."""

LEARNING = 14 * DAY
"""The account's first fortnight: networks are confirmed by use alone, within the limits of rule 2."""
LEARNED_AFTER = 8 * HOUR
"""In the learning period a network is confirmed when it is used again so much later: after work, or
tomorrow."""
LEARNED_A_DAY = 3
"""Home, telephone and office: nobody needs more on one day (rule 2)."""
CONFIRM_DAYS = 3
"""Distinct days without a watch, after the learning period (rule 1)."""
CONFIRMED_A_WEEK = 2
"""Nobody moves more often; a thief who is patient gets no further (rule 1)."""
IN_USE = 60 * DAY
"""A confirmed network used within 60 days is never evicted."""

Standpoint = Literal["confirmed", "provisional", "new", "nowhere"]


def standpoint(memory: Memory, network: Network) -> Standpoint:
    if not network.place:
        return "nowhere"
    if network.key in memory.confirmed:
        return "confirmed"
    return "provisional" if network.key in memory.provisional else "new"


def region_of(network: Network) -> str:
    """The country; where it is unknown, the /16 (/32) around a network stands for it: providers get
    theirs in pieces of such size.
    """
    if network.country:
        return network.country
    separator = ":" if ":" in network.key else "."
    return separator.join(network.key.split(separator)[:2])


def is_distant(memory: Memory, network: Network, prefix: str) -> bool:
    """In a confirmed network, but at a /24 of it where the account never was: a neighbour, perhaps."""
    if network.key not in memory.confirmed or network.key == prefix or prefix in memory.prefixes:
        return False
    habit = (memory.new_prefixes + PRIOR_VISITS * OWNER_PREFIX) / (memory.visits + PRIOR_VISITS)
    return habit < WANDERING


def learn_prefix(memory: Memory, prefix: str, at: int) -> None:
    """A /24 is the account's own when it is used again after some hours, in the first fortnight at once."""
    if prefix not in memory.prefixes:
        first = memory.new_since.get(prefix)
        if first is None:
            memory.new_prefixes += 1
            memory.new_since[prefix] = at
            if len(memory.new_since) > PREFIXES_KEPT:
                del memory.new_since[next(iter(memory.new_since))]
        if at - memory.born >= LEARNING and (first is None or at - first < LEARNED_AFTER):
            return
        memory.new_since.pop(prefix, None)
    push(memory.prefixes, prefix, PREFIXES_KEPT)


def score_at(memory: Memory, at: int) -> float:
    """S as it has decayed until now. A clock that went back decays nothing."""
    if not memory.score or at <= memory.score_at:
        return memory.score
    return memory.score * exp((memory.score_at - at) / DECAY)


def raise_score(memory: Memory, weight: float, at: int) -> None:
    memory.score = max(0.0, score_at(memory, at) + weight)
    memory.score_at = max(at, memory.score_at)


def weigh_first_sight(memory: Memory, network: Network, at: int, *, reading: bool) -> float:
    """The evidence in the first sight of this network, before what the client's fingerprint says."""
    if not memory.confirmed:
        return 0.0  # the account's first network ever: there is nothing to compare it with
    strangers = _strangers_today(memory, at)
    known_country = is_known_country(memory, network, at)
    weight = _likelihood(memory, reading, known_country)
    if known_country:
        if strangers or not _is_home(memory, network):
            weight = min(weight, _journey(strangers, at))
        return min(weight, REMAPPED_HEAVIEST) if 0 <= at - memory.remapped_at < REMAPPED else weight
    return _onward(network, strangers, weight, at) if strangers else weight


def _journey(strangers: list[Place], at: int) -> float:
    """The most that another network weighs in a country where the account is."""
    recent = sum(1 for place in strangers if at - place.first < PACE)
    return JOURNEY[min(recent, len(JOURNEY) - 1)] if strangers else ARRIVED


def _onward(network: Network, strangers: list[Place], weight: float, at: int) -> float:
    """What yet another new country weighs on the same day."""
    latest = max(strangers, key=lambda place: place.first)
    if not network.country and not latest.country:
        return UNKNOWN
    if at - latest.last < FLIGHT:
        return max(weight, FLEW[min(len(strangers), len(FLEW)) - 1])
    return min(weight, ONWARD[min(len(strangers), len(ONWARD)) - 1])


def _strangers_today(memory: Memory, at: int) -> list[Place]:
    return [place for place in memory.provisional.values() if 0 <= at - place.first < DAY]


def learn_first_sight(memory: Memory, at: int, *, new_country: bool) -> None:
    """The first unfamiliar network of a day is a habit of the account; the others come with the journey,
    or with the intruder.
    """
    if memory.confirmed and not _strangers_today(memory, at):
        memory.new_networks += not new_country
        memory.new_countries += new_country


def _likelihood(memory: Memory, reading: bool, known_country: bool) -> float:
    if known_country:
        seen, intruder, owner = (
            memory.new_networks,
            INTRUDER_NETWORK,
            OWNER_NETWORK_READ if reading else OWNER_NETWORK,
        )
    else:
        seen, intruder, owner = (
            memory.new_countries,
            INTRUDER_COUNTRY,
            OWNER_COUNTRY_READ if reading else OWNER_COUNTRY,
        )
    habit = (seen + PRIOR_VISITS * owner) / (memory.visits + PRIOR_VISITS)
    return max(0.0, min(HEAVIEST, log(1 - RHO + RHO * intruder / habit)))


def is_known_country(memory: Memory, network: Network, at: int) -> bool:
    return _is_home(memory, network) or _is_visited(memory, network, at)


def _is_home(memory: Memory, network: Network) -> bool:
    return any(place.region == region_of(network) for place in memory.confirmed.values())


def _is_visited(memory: Memory, network: Network, at: int) -> bool:
    region = region_of(network)
    return any(place.region == region and at - place.last < VISITING for place in memory.provisional.values())


def enter(memory: Memory, network: Network, address: str, at: int) -> Place:
    """Put the network among the provisional ones; the one unused for longest makes room."""
    place = Place(
        at, at, address, network.country, region_of(network), network.asn, network.shared, day=at // DAY
    )
    count_visit(memory, place, at)
    memory.provisional[network.key] = place
    if len(memory.provisional) > PROVISIONAL_KEPT:
        del memory.provisional[min(memory.provisional, key=lambda key: memory.provisional[key].last)]
    return place


def count_visit(memory: Memory, place: Place, at: int) -> None:
    if place.logins == 1 or at // VISIT > place.last // VISIT:
        memory.visits += 1
    if memory.visits > HABIT_VISITS:
        memory.visits /= 2
        memory.new_prefixes /= 2
        memory.new_networks /= 2
        memory.new_countries /= 2


def revisit(memory: Memory, place: Place, address: str, at: int, *, quiet: bool) -> None:
    """The network was seen before: note when and from where, and count the day if no watch is on."""
    place.logins += 1
    count_visit(memory, place, at)
    place.last = max(place.last, at)
    place.address = address
    if quiet and at // DAY > place.day:
        place.days += 1
        place.day = at // DAY


def lower_score(memory: Memory, at: int) -> None:
    """Rule 3: only confirmed networks lower S, and all together at most once an hour."""
    if memory.score and not 0 <= at - memory.lowered_at < HOUR:
        raise_score(memory, -LOWERED, at)
        memory.lowered_at = at


def may_confirm(memory: Memory, place: Place, at: int) -> bool:
    """Rules 1 and 2. The caller has made sure that no watch is on."""
    if not memory.confirmed:
        return True  # the first network ever: somebody has to be the owner
    recent = [when for when in memory.confirmed_at if at - when < 7 * DAY]
    if at - memory.born < LEARNING:
        today = sum(1 for when in recent if at - when < DAY)
        return at - place.first >= LEARNED_AFTER and today < LEARNED_A_DAY
    return place.days >= CONFIRM_DAYS and place.proof and len(recent) < CONFIRMED_A_WEEK


def confirm(memory: Memory, key: str, at: int) -> bool:
    """Make a provisional network the account's own. False when all places are taken by networks in use."""
    place = memory.provisional[key]
    if len(memory.confirmed) >= CONFIRMED_KEPT:
        oldest = min(memory.confirmed, key=lambda known: memory.confirmed[known].last)
        if at - memory.confirmed[oldest].last < IN_USE:
            return False
        del memory.confirmed[oldest]
    del memory.provisional[key]
    memory.confirmed[key] = place
    recent = [when for when in memory.confirmed_at if at - when < 7 * DAY]
    memory.confirmed_at = [*recent[-CONFIRMED_KEPT:], at]
    return True


def settle_strangers(memory: Memory, at: int, *, teach: bool) -> None:
    """At release: the networks of the episode were the owner's, or they are forgotten and will be strange
    again."""
    for key in memory.strangers():
        if not (teach and confirm(memory, key, at)):
            del memory.provisional[key]


def hear(memory: Memory, network: Network, at: int, *, reading: bool) -> float:
    """An open source's claim of a first sight: its own sum, apart from S."""
    if network.key not in memory.open_networks:
        weight = weigh_first_sight(memory, network, at, reading=reading)
        push(memory.open_networks, network.key, PROVISIONAL_KEPT)
        faded = memory.open_score * exp(min(0, memory.open_at - at) / DECAY)
        memory.open_score, memory.open_at = faded + weight, at
    return memory.open_score


def remap(memory: Memory, find: Callable[[str], Network], at: int) -> None:
    """Rule 14: look every remembered network up again; two that have become one are joined."""
    for table in (memory.confirmed, memory.provisional):
        places = list(table.values())
        table.clear()
        for place in places:
            network = find(place.address)
            place.country, place.region = network.country, region_of(network)
            place.asn, place.shared = network.asn, network.shared
            other = table.get(network.key)
            if other is not None:
                place.first, place.days = min(place.first, other.first), max(place.days, other.days)
                place.logins += other.logins
            table[network.key] = place
    for key in memory.confirmed:
        memory.provisional.pop(key, None)
    memory.remapped_at = at
