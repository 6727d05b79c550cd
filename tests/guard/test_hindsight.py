"""Hindsight: what a botnet looks like in a log without a past, and what only resembles it."""

import random
from collections.abc import Callable

import pytest

from sekisho.guard import hindsight
from sekisho.guard.hindsight import DAY, HOUR, Episode, Sight
from sekisho.model.envelope import Network

Draw = Callable[[random.Random, int], tuple[str, Network]]


def world(rng: random.Random, number: int) -> tuple[str, Network]:
    """Any provider."""
    return _at(f"{20 + number % 180}.{rng.randrange(256)}.{rng.randrange(256)}.7", 1000 + number % 40)


def telephone(rng: random.Random, number: int) -> tuple[str, Network]:
    """One provider's pool, which the table knows in pieces."""
    return _at(f"90.80.{number % 8}.{rng.randrange(1, 255)}", number % 8)


def _at(address: str, asn: int) -> tuple[str, Network]:
    return address, Network(f"AS{asn}/XX", asn, "XX")


def story(draw: Draw, count: int, span: int) -> list[Sight]:
    rng = random.Random(count)
    sights = []
    for number in range(count):
        address, network = draw(rng, number)
        sights.append(Sight(number * span // count, address, network, True, True, number))
    return sights


def episode(sights: list[Sight]) -> Episode:
    seen = hindsight.episode(sights, None)
    assert seen is not None
    return seen


@pytest.mark.parametrize("count", [15, 60, 880])
def test_many_providers_within_a_day_are_a_botnet(count: int) -> None:
    """Each address once or twice: nobody lives like that."""
    seen = episode(story(world, count, DAY))
    assert hindsight.is_botnet(seen) and not hindsight.is_pool(seen)


def test_a_telephone_is_a_pool() -> None:
    """Many addresses that lie close together, whatever the table calls their owners."""
    assert hindsight.is_pool(episode(story(telephone, 60, 2 * DAY)))


def test_what_comes_back_is_home() -> None:
    """A mail program that polls from one address all day; the strangers around it are the episode."""
    polls = [
        Sight(at * HOUR // 4, "192.0.2.1", Network("AS1/JP", 1, "JP"), True, True, 10_000 + at)
        for at in range(96)
    ]
    seen = episode(sorted([*story(world, 200, DAY), *polls], key=lambda sight: sight.at))
    assert frozenset({"AS1/JP"}) == seen.home
    assert 200 == len(seen.strange)


def test_an_episode_ends_where_nothing_happens() -> None:
    """A journey two weeks before is another story."""
    attack = [
        Sight(s.at + 14 * DAY, s.address, s.network, True, True, s.row + 5) for s in story(world, 100, DAY)
    ]
    journey = Sight(0, "198.51.100.1", Network("AS9/AU", 9, "AU"), True, True, 1)
    seen = episode([journey, *attack])
    assert (14 * DAY, 100) == (seen.first, len(seen.strange))


def test_the_owner_s_own_device_is_no_attempt() -> None:
    """It keeps trying the old password from home; the botnet's attempts are counted without it."""
    home = Network("AS1/JP", 1, "JP")
    polls = [Sight(at * HOUR // 4, "192.0.2.1", home, True, True, 10_000 + at) for at in range(96)]
    stale = [Sight(2 * DAY + at, "192.0.2.1", home, False, True, 20_000 + at) for at in range(50)]
    knocks = [
        Sight(2 * DAY + number * HOUR, *world(random.Random(number), number), False, True, 30_000 + number)
        for number in range(10)
    ]
    sights = sorted([*story(world, 200, DAY), *polls, *stale, *knocks], key=lambda sight: sight.at)
    assert 10 == len(hindsight.attempts_after(episode(sights), sights))


def test_a_dictionary_on_many_names_is_not_about_this_one() -> None:
    """Guessing from one address, or at a name that does not exist, is everybody's weather."""
    one = [Sight(at, "203.0.113.9", Network("AS3/AU", 3, "AU"), False, True, at) for at in range(200)]
    unknown = [
        Sight(number, *world(random.Random(number), number), False, False, number) for number in range(40)
    ]
    assert () == hindsight.guessed(one, frozenset()) == hindsight.guessed(unknown, frozenset())
