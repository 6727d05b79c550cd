"""One run of the generator against a gate, and what it came to: the guard's constants are chosen with it."""

import random
import time
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from msgspec import Struct

from sekisho.lab import raids
from sekisho.lab.alarms import Alarm
from sekisho.lab.attacks import Pace
from sekisho.lab.honest import (
    FalseDays,
    FalseReport,
    NewsletterReport,
    count_honest,
    false_report,
    newsletter_report,
    score_newsletters,
)
from sekisho.lab.places import Find
from sekisho.lab.play import Gate, Play
from sekisho.lab.scoring import Case, KindReport, Run, Spread, cases_of, kind_reports, spread
from sekisho.lab.traffic import Scale, Traffic

EACH = 50
"""One attack of every kind for so many accounts, unless told otherwise."""


class Order(Struct, frozen=True):
    """What to simulate. `each`: attacks of every kind; 0: one per EACH accounts."""

    seed: int = 1
    scale: Scale = Scale()
    kinds: tuple[str, ...] = ()
    each: int = 0
    pace: Pace = Pace()


class Keeper(Gate, Protocol):
    """A gate that keeps what is counted: the guard's, or one of the baselines."""

    alarms: list[Alarm]
    observed: int

    def sizes(self) -> list[int]:
        """Bytes kept of each account."""


K = TypeVar("K", bound=Keeper)


class Result(Struct, frozen=True):
    """`events_per_s`: generator and gate together, on this machine, at this moment."""

    order: Order
    country: str
    events: int
    events_per_s: int
    bytes_per_account: Spread
    attacks: list[KindReport]
    honest: FalseReport
    newsletters: NewsletterReport


class Sample(Struct, frozen=True):
    """What one run came to, so that several can be counted together. `seconds`: of the processor."""

    country: str
    events: int
    seconds: float
    sizes: list[int]
    cases: list[Case]
    honest: FalseDays
    newsletters: NewsletterReport


def simulate(
    order: Order, hire: Callable[[dict[str, int]], Keeper], find: Find, seen: Find | None = None
) -> Result:
    """Plays the order against a fresh gate; `hire` gets to know when which account meets its thief."""
    return summary(order, [sample(order, hire, find, seen)])


def sample(
    order: Order, hire: Callable[[dict[str, int]], Keeper], find: Find, seen: Find | None = None
) -> Sample:
    """The same, to be counted together with others."""
    begun = time.process_time()
    run, gate = play(order, hire, find, seen)
    took = time.process_time() - begun
    return Sample(
        country=run.traffic.country,
        events=gate.observed,
        seconds=took,
        sizes=gate.sizes(),
        cases=cases_of(run),
        honest=count_honest(run),
        newsletters=score_newsletters(run),
    )


def summary(order: Order, samples: Sequence[Sample]) -> Result:
    """Runs of one order, which may differ in the seed, as one."""
    events = sum(one.events for one in samples)
    return Result(
        order=order,
        country=samples[0].country,
        events=events,
        events_per_s=round(events / sum(one.seconds for one in samples)),
        bytes_per_account=spread([size for one in samples for size in one.sizes]),
        attacks=kind_reports(case for one in samples for case in one.cases),
        honest=false_report([one.honest for one in samples]),
        newsletters=newsletter_report([one.newsletters for one in samples]),
    )


def play(
    order: Order, hire: Callable[[dict[str, int]], K], find: Find, seen: Find | None = None
) -> tuple[Run, K]:
    """The run itself, for whoever wants to count something else. `find` is how the world is, `seen` how the
    gate is told of it: the same, unless its table is worse."""
    traffic = Traffic(order.seed, order.scale, find)
    rng = random.Random(f"raids {order.seed}")
    planned = raids.draw(traffic, order.kinds, order.each or max(1, order.scale.accounts // EACH), rng)
    gate = hire({person.account: one.start for one in planned for person in one.victims})
    game = Play(seen or find, gate)
    for _ in game.run(raids.mixed(traffic, planned, order.pace, rng)):
        pass
    return Run(traffic, planned, game.fates, gate.alarms), gate
