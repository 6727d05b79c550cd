"""The guard on the generator's traffic, in small."""

from collections.abc import Callable
from functools import partial

import pytest

from sekisho.cli.gate import GuardGate
from sekisho.guard.guard import Guard
from sekisho.lab.attacks import ATTACKS, Pace
from sekisho.lab.scoring import spread
from sekisho.lab.simulation import Order, Result, play, sample, simulate, summary
from sekisho.lab.traffic import Scale
from sekisho.model.config import Guard as Settings
from sekisho.store.networktable import built_in

TABLE = built_in()
SMALL = Scale(accounts=60, learning=12, days=8)


def watched(settings: Settings | None = None) -> Callable[[dict[str, int]], GuardGate]:
    return partial(GuardGate, Guard(settings or Settings(), TABLE))


def run(kinds: tuple[str, ...], seed: int = 1, pace: Pace | None = None) -> Result:
    return simulate(Order(seed, SMALL, kinds, 2, pace or Pace()), watched(), TABLE.find)


def test_the_same_order_comes_to_the_same() -> None:
    """Except for how long it took."""
    first, second = run(("botnet",)), run(("botnet",))
    assert (first.attacks, first.honest, first.newsletters) == (
        second.attacks,
        second.honest,
        second.newsletters,
    )
    assert first.events == second.events


@pytest.mark.parametrize(
    "kind", ["botnet", "ten-per-twelve-hours", "one-ip-blast", "imap-replay", "residential"]
)
def test_stolen_passwords_used_from_elsewhere_are_stopped(kind: str) -> None:
    """Every attack is contained, and at most a handful of letters leaves."""
    report = run((kind,)).attacks[0]
    assert report.detected == report.attacks == 2
    assert report.left_messages.p90 <= 10


def test_without_thieves_hardly_anybody_is_bothered() -> None:
    """False alarms stay below five in a thousand account-days."""
    result = run(())
    assert result.attacks == []
    assert result.honest.account_days > 400
    assert result.honest.visible_per_1000 < 5


def test_several_runs_are_counted_together() -> None:
    """Every account-day, every attack and every newsletter of both; the median is that of all cases."""
    orders = [Order(seed, SMALL, ("botnet", "owner-pc"), 2) for seed in (1, 2)]
    samples = [sample(order, watched(), TABLE.find) for order in orders]
    apart = [summary(order, [one]) for order, one in zip(orders, samples, strict=True)]
    both = summary(orders[0], samples)
    assert both.honest.account_days == sum(one.honest.account_days for one in apart)
    assert both.events == sum(one.events for one in apart)
    assert both.newsletters.accounts == sum(one.newsletters.accounts for one in apart)
    pc = [one.accepted for two in samples for one in two.cases if one.kind == "owner-pc"]
    assert [one.attacks for one in both.attacks] == [4, 4]
    assert both.attacks[1].messages == spread(pc)


def test_a_switched_off_guard_stops_nobody() -> None:
    """So it is the guard that does it, not the generator."""
    order = Order(1, SMALL, ("botnet",), 1)
    off = simulate(order, watched(Settings(enabled=False)), TABLE.find)
    assert off.attacks[0].detected == 0
    assert off.attacks[0].messages.median >= 895


def test_false_alarms_are_released_and_true_ones_are_not() -> None:
    """Whoever is contained at the end has met a thief, or was contained a moment ago."""
    played, gate = play(Order(3, SMALL, ("botnet", "residential"), 2), watched(), TABLE.find)
    victims = {person.account for one in played.planned for person in one.victims}
    late = {alarm.account for alarm in gate.alarms if alarm.at > SMALL.end - 86_400_000_000}
    assert victims <= gate.contained <= victims | late


@pytest.mark.parametrize("kind", ATTACKS)
def test_every_kind_can_be_played(kind: str) -> None:
    """Also slow and with a clean list."""
    report = run((kind,), pace=Pace(rate=0.5, refused=0.02)).attacks[0]
    assert (report.kind, report.attacks) == (kind, 2)
