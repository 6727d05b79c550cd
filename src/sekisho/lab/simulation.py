"""One run of the generator against the guard, and what it came to: constants are chosen with it."""

import random
import time

from msgspec import Struct

from sekisho.guard.guard import Guard
from sekisho.lab import raids
from sekisho.lab.attacks import Pace
from sekisho.lab.gate import GuardGate
from sekisho.lab.honest import FalseReport, NewsletterReport, score_honest, score_newsletters
from sekisho.lab.places import Find
from sekisho.lab.play import Play
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


class Result(Struct, frozen=True):
    """`events_per_s`: generator and guard together, on this machine, at this moment."""

    order: Order
    country: str
    events: int
    events_per_s: int
    bytes_per_account: Spread
    attacks: list[KindReport]
    honest: FalseReport
    newsletters: NewsletterReport


def simulate(order: Order, guard: Guard, find: Find) -> Result:
    """Plays the order against this fresh guard."""
    begun = time.perf_counter()
    run, gate = play(order, guard, find)
    took = time.perf_counter() - begun
    return Result(
        order=order,
        country=run.traffic.country,
        events=gate.observed,
        events_per_s=round(gate.observed / took),
        bytes_per_account=spread([len(guard.snapshot(account)) for account in guard.accounts()]),
        attacks=score_attacks(run),
        honest=score_honest(run),
        newsletters=score_newsletters(run),
    )


def play(order: Order, guard: Guard, find: Find) -> tuple[Run, GuardGate]:
    """The run itself, for whoever wants to count something else."""
    traffic = Traffic(order.seed, order.scale, find)
    rng = random.Random(f"raids {order.seed}")
    planned = raids.draw(traffic, order.kinds, order.each or max(1, order.scale.accounts // EACH), rng)
    gate = GuardGate(guard, {person.account: one.start for one in planned for person in one.victims})
    game = Play(find, gate)
    for _ in game.run(raids.mixed(traffic, planned, order.pace, rng)):
        pass
    return Run(traffic, planned, game.fates, gate.alarms), gate

