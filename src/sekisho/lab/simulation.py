"""One run of the generator against a gate, and what it came to: the guard's constants are chosen with it."""

import random
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from msgspec import Struct

from sekisho.lab import raids
from sekisho.lab.attacks import Pace
from sekisho.lab.gate import Alarm
from sekisho.lab.honest import FalseReport, NewsletterReport, score_honest, score_newsletters
from sekisho.lab.places import Find
from sekisho.lab.play import Gate, Play
from sekisho.lab.scoring import KindReport, Run, Spread, score_attacks, spread
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


def simulate(order: Order, hire: Callable[[dict[str, int]], Keeper], find: Find) -> Result:
    """Plays the order against a fresh gate; `hire` gets to know when which account meets its thief."""
    begun = time.perf_counter()
    run, gate = play(order, hire, find)
    took = time.perf_counter() - begun
    return Result(
        order=order,
        country=run.traffic.country,
        events=gate.observed,
        events_per_s=round(gate.observed / took),
        bytes_per_account=spread(gate.sizes()),
        attacks=score_attacks(run),
        honest=score_honest(run),
        newsletters=score_newsletters(run),
    )


def play(order: Order, hire: Callable[[dict[str, int]], K], find: Find) -> tuple[Run, K]:
    """The run itself, for whoever wants to count something else."""
    traffic = Traffic(order.seed, order.scale, find)
    rng = random.Random(f"raids {order.seed}")
    planned = raids.draw(traffic, order.kinds, order.each or max(1, order.scale.accounts // EACH), rng)
    gate = hire({person.account: one.start for one in planned for person in one.victims})
    game = Play(find, gate)
    for _ in game.run(raids.mixed(traffic, planned, order.pace, rng)):
        pass
    return Run(traffic, planned, game.fates, gate.alarms), gate
