"""The house full of people, from a seed."""

from collections import Counter

import pytest

from sekisho.lab.places import MadeUp
from sekisho.lab.play import events
from sekisho.lab.traffic import Scale, Traffic
from sekisho.lab.visits import DAY, HOUR, Visit
from sekisho.model.event import Accepted, DeliveryTried, LoginTried

SCALE = Scale(accounts=60, learning=3, days=7)
PLAN = MadeUp(1)


def visits(seed: int = 1, scale: Scale = SCALE) -> list[Visit]:
    return list(Traffic(seed, scale, PLAN.find).visits())


def test_the_same_seed_gives_the_same_visits() -> None:
    """And another seed gives others."""
    assert visits(1) == visits(1)
    assert visits(1) != visits(2)


def test_visits_come_in_time_order_and_within_the_time() -> None:
    """A session after midnight belongs to the next day."""
    times = [visit.at for visit in visits()]
    assert times == sorted(times)
    assert SCALE.start <= times[0] and times[-1] < SCALE.end + 2 * HOUR


def test_every_kind_of_person_is_there() -> None:
    """Also in a small house."""
    kinds = Counter(person.kind for person in Traffic(3, SCALE, PLAN.find).people)
    assert set(kinds) == {
        "home", "office", "mobile", "traveller", "vpn", "role", "server", "quiet", "newsletter",
    }  # fmt: skip


def test_an_office_shares_an_address_and_a_phone_does_not_keep_one() -> None:
    """NAT and CGNAT are told apart."""
    traffic = Traffic(1, Scale(accounts=120, learning=0, days=10), PLAN.find)
    addresses: dict[str, set[str]] = {}
    for visit in traffic.visits():
        addresses.setdefault(visit.account, set()).add(visit.address)
    office = traffic.offices[0]
    assert set.intersection(*(addresses[person.account] for person in office if person.account in addresses))
    phones = [person for person in traffic.people if person.kind == "mobile"]
    assert max(len(addresses[person.account]) for person in phones if person.account in addresses) > 20


def test_a_newsletter_goes_to_its_whole_list() -> None:
    """An issue is one session with a letter to everybody, some of them dead."""
    issues = [visit for visit in visits() if sum(len(letter.recipients) for letter in visit.letters) > 100]
    assert issues
    for issue in issues:
        count = sum(len(letter.recipients) for letter in issue.letters)
        assert any(0.95 * size <= count <= size for size in (120, 300, 800))


def test_a_password_day_brings_wrong_passwords_from_known_people() -> None:
    """They fail, all day long, and nobody gets in with them."""
    traffic = Traffic(5, Scale(accounts=200, learning=1, days=5), PLAN.find)
    stale = [visit for visit in traffic.visits() if not visit.right]
    assert len(stale) >= 5
    assert {traffic.scale.day_of(visit.at) for visit in stale} == {traffic.calendar.password_day}


def test_an_outage_defers_and_does_not_refuse() -> None:
    """While the large provider is down, its recipients are told 4yz."""
    traffic = Traffic(2, Scale(accounts=200, learning=0, days=4), PLAN.find)
    calendar = traffic.calendar
    inside = outside = 0
    for event in events(traffic.visits(), PLAN.find):
        if isinstance(event, DeliveryTried) and event.result == "deferred":
            inside += calendar.outage_first <= event.at < calendar.outage_last + HOUR
            outside += not calendar.outage_first <= event.at < calendar.outage_last + HOUR
    hours = (calendar.outage_last - calendar.outage_first) / HOUR + 1
    assert inside / hours > outside / (4 * 24 - hours)


def test_renumbering_moves_homes_to_one_network() -> None:
    """After that night they call from one network that is new to them."""
    traffic = Traffic(4, Scale(accounts=300, learning=0, days=6), PLAN.find)
    before = {person.account: person.line.site.network.key for person in traffic.people}
    list(traffic.visits())
    moved = Counter(
        person.line.site.network.key
        for person in traffic.people
        if person.line.site.network.key != before[person.account]
    )
    assert moved.most_common(1)[0][1] >= 5


@pytest.mark.parametrize("seed", [1, 2])
def test_events_are_those_of_a_server_where_nobody_watched(seed: int) -> None:
    """In time order, each id once, with networks; what a client does comes after its login."""
    told = list(events(visits(seed), PLAN.find))
    assert [event.at for event in told] == sorted(event.at for event in told)
    assert len({event.id for event in told}) == len(told)
    assert all(event.network is not None for event in told)
    logins = {event.session: event.at for event in told if isinstance(event, LoginTried) and event.ok}
    assert all(logins[event.session] <= event.at for event in told if isinstance(event, Accepted))
    assert told[-1].at < SCALE.end + DAY
