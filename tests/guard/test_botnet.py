"""The source document's case: 880 addresses in 24 hours, each with the right password, with and without a
table."""

import random

import pytest

from covers import covers
from guard.streams import DAY, OWNER, SECOND, Town
from sekisho.guard.networks import NetworkTable
from sekisho.model.incident import Grade
from sekisho.store.networktable import built_in

ADDRESSES, LOGINS = 880, 955
HOME, PHONE = "133.1.2.3", "126.1.2.3"


def addresses(rng: random.Random) -> list[str]:
    """880 different ones from all over the world, a few of them used again."""
    chosen: dict[str, None] = {}
    find = built_in().find
    while len(chosen) < ADDRESSES:
        address = ".".join(str(rng.randrange(1, 224)) for _ in range(4))
        if find(address).asn:
            chosen[address] = None
    uses = [*chosen, *rng.choices(list(chosen), k=LOGINS - ADDRESSES)]
    rng.shuffle(uses)
    return uses


def attacked(table: NetworkTable, seed: int, *, days: int) -> tuple[int, int, Town]:
    """(messages accepted before the containment, messages that left in time, the town)."""
    rng = random.Random(seed)
    town = Town(table=table)
    for _ in range(days):
        for address in (HOME, PHONE, HOME):
            town.wait(DAY // 4).login(address)
        town.wait(DAY // 4).letter(HOME, [f"friend{rng.randrange(9)}@example.net"])
    waiting: list[int] = []
    left = 0
    for number, address in enumerate(addresses(rng)):
        town.wait(int(rng.expovariate(LOGINS / (DAY / SECOND)) * SECOND))
        left += sum(1 for due in waiting if due <= town.at)
        waiting = [due for due in waiting if due > town.at]
        recipients = [f"r{number}.{place}@far.example" for place in range(rng.randint(5, 26))]
        standing = town.sends(address, recipients)
        if Grade.CONTAIN in town.grades():
            return number, left, town
        waiting.append(town.at + standing.delay_s * SECOND)
    raise AssertionError("the botnet was never contained")


@covers("F-09")
@covers("F-07")
@pytest.mark.parametrize("seed", range(8))
def test_the_botnet_is_contained_after_one_message(seed: int) -> None:
    """With a month of habit behind the account: at most two messages taken, at most one of them gone."""
    accepted, left, town = attacked(built_in(), seed, days=30)
    assert accepted <= 2
    assert left <= 1
    sentence = str(town.findings[-1].sentence)
    assert sentence.startswith(f"{OWNER}: ")
    assert "sign-ins in" in sentence and "first-time recipients" in sentence
    assert f"after {town.guard.memory(OWNER).passed} message" in sentence


@pytest.mark.parametrize("seed", range(8))
def test_a_fresh_account_is_protected_too(seed: int) -> None:
    """No learning at all, as where a scan starts cold: three messages at most."""
    accepted, _, _ = attacked(built_in(), seed, days=0)
    assert accepted <= 4


def commuter(table: NetworkTable, seed: int) -> list[Grade]:
    """Sixty days of an honest owner: a line whose address changes every ten days, a phone behind CGNAT."""
    rng = random.Random(seed)
    town = Town(table=table)
    for day in range(60):
        for _ in range(3):
            town.wait(DAY // 6).login(
                f"126.{rng.randrange(6) * 40}.{rng.randrange(256)}.{rng.randrange(1, 255)}"
            )
            town.wait(DAY // 6).login(f"133.1.{day // 10}.7")
        town.letter(f"133.1.{day // 10}.7", [f"friend{rng.randrange(9)}@example.net"])
    return [finding.grade for finding in town.findings]


def test_without_the_table_it_is_worse() -> None:
    """How much worse: the botnet is found as early, for every /24 is a stranger then, and so is the
    owner's phone.

    Eight seeds each. Messages taken before the containment: 10 with the table (some bots live in the
    owner's own networks), 8 without. Honest owners contained within sixty days: none of eight with the
    table, all eight without. So the table pays in false alarms, not in leaks.
    """
    with_table = [attacked(built_in(), seed, days=30)[0] for seed in range(8)]
    without = [attacked(NetworkTable(), seed, days=30)[0] for seed in range(8)]
    assert sum(with_table) == TAKEN_WITH
    assert sum(without) == TAKEN_WITHOUT
    assert [commuter(built_in(), seed) for seed in range(8)] == [[]] * 8
    alarmed = [commuter(NetworkTable(), seed) for seed in range(8)]
    assert sum(Grade.CONTAIN in grades for grades in alarmed) == COMMUTERS_CONTAINED


TAKEN_WITH, TAKEN_WITHOUT = 10, 8
COMMUTERS_CONTAINED = 8
