"""Thieves, each in the manner of its kind."""

import random
from collections import Counter

import pytest

from sekisho.lab.attacks import ATTACKS, Pace, Raid, stuffing
from sekisho.lab.people import Person
from sekisho.lab.places import MadeUp
from sekisho.lab.traffic import Scale, Traffic
from sekisho.lab.visits import DAY, HOUR, Visit

PLAN = MadeUp(1)
HOUSE = Traffic(1, Scale(accounts=60, learning=1, days=2), PLAN.find)
START = HOUSE.scale.counted_from


def victim() -> Person:
    return next(person for person in HOUSE.people if person.kind == "home")


def raid(seed: int = 1, pace: Pace | None = None) -> Raid:
    return Raid(victim(), HOUSE.places, START, pace or Pace(), random.Random(seed))


def strike(kind: str, seed: int = 1, pace: Pace | None = None) -> list[Visit]:
    return ATTACKS[kind](raid(seed, pace))


@pytest.mark.parametrize("kind", ATTACKS)
def test_an_attack_is_in_order_seeded_and_marked(kind: str) -> None:
    """The same seed strikes in the same way; every visit is on the one account and marked as an attack."""
    visits = strike(kind)
    assert visits == strike(kind) != strike(kind, seed=2)
    assert [visit.at for visit in visits] == sorted(visit.at for visit in visits)
    assert {(visit.account, visit.by) for visit in visits} == {(victim().account, "attack")}
    assert visits[0].at >= START


def test_the_botnet_uses_880_addresses_mostly_once() -> None:
    """As in the source document: 895 to 1765 logins in a day, from very many networks and countries."""
    visits = strike("botnet")
    uses = Counter(visit.address for visit in visits)
    assert len(uses) == 880 and 895 <= len(visits) <= 1765
    assert Counter(uses.values())[1] > 300
    assert visits[-1].at - visits[0].at < DAY
    assert len({PLAN.find(address).country for address in uses}) > 20


def test_ten_logins_then_silence() -> None:
    """Ten logins five minutes apart in every twelve hours, no address twice."""
    visits = strike("ten-per-twelve-hours")
    assert Counter((visit.at - START) // (12 * HOUR) for visit in visits) == dict.fromkeys(range(14), 10)
    assert len({visit.address for visit in visits}) == 140


def test_a_blast_comes_from_one_address() -> None:
    """Thousands of letters within hours."""
    visits = strike("one-ip-blast")
    assert len({visit.address for visit in visits}) == 1
    assert 2500 <= sum(len(visit.letters) for visit in visits) <= 3500


def test_reading_comes_before_sending() -> None:
    """The replay reads for two days and then sends for one."""
    visits = strike("imap-replay")
    reading = [visit.at for visit in visits if visit.service == "imap"]
    sending = [visit.at for visit in visits if visit.letters]
    assert max(reading) <= START + 2 * DAY <= min(sending)


@pytest.mark.parametrize("kind", ["residential", "slow-residential"])
def test_residential_proxies_are_compatriots(kind: str) -> None:
    """All in the owner's country."""
    assert {PLAN.find(visit.address).country for visit in strike(kind)} == {victim().country}


def test_the_owners_own_provider_and_computer() -> None:
    """The one has the owner's network, the other even address and mail program."""
    home = victim().line.site.network
    assert {PLAN.find(visit.address).key for visit in strike("owner-isp")} == {home.key}
    assert {visit.fingerprint for visit in strike("owner-pc")} == {victim().is_like.fingerprints[0]}
    assert {visit.address for visit in strike("webmail-replay")} == {"127.0.0.1"}


def test_pace_and_refusals_are_the_runs_choice() -> None:
    """Half the rate takes twice as long; a clean list has few dead addresses."""
    slow = strike("botnet", pace=Pace(rate=0.5, refused=0.02))
    assert DAY < slow[-1].at - slow[0].at < 2 * DAY
    letters = [letter for visit in slow for letter in visit.letters]
    share = sum(len(letter.refused) for letter in letters) / sum(len(letter.recipients) for letter in letters)
    assert share < 0.05


def test_stuffing_reuses_addresses_on_many_accounts() -> None:
    """One botnet, one letter's subject, many accounts."""
    rng = random.Random(3)
    raids = [Raid(person, HOUSE.places, START, Pace(), rng) for person in HOUSE.people[:30]]
    visits = stuffing(raids)
    assert [visit.at for visit in visits] == sorted(visit.at for visit in visits)
    assert len({visit.account for visit in visits}) == 30
    assert len({letter.subject for visit in visits for letter in visit.letters}) == 1
    assert all(visit.wrong for visit in {visit.account: visit for visit in reversed(visits)}.values())
