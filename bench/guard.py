"""The guard on the generator's traffic: what leaks, who is bothered, what it costs; beside what others ship.

The constants were tuned on seeds 1 and 2; what is reported are seeds 3 to 5, counted together. `docs.build`
renders the result into docs/guard.md.
"""

import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from unittest.mock import patch

import msgspec
from msgspec import Struct, structs

from bench import guard_cost, machine
from sekisho.cli.gate import GuardGate
from sekisho.guard.guard import Guard
from sekisho.guard.networks import NetworkTable
from sekisho.lab.attacks import KINDS, Pace
from sekisho.lab.baselines import Fail2ban, Mox, Postfwd
from sekisho.lab.simulation import Keeper, Order, Result, Sample, sample, summary
from sekisho.lab.traffic import Scale
from sekisho.model.config import Guard as Settings
from sekisho.store.networktable import built_in

TUNED, REPORTED = (1, 2), (3, 4, 5)
WORKERS = 2
SCALE = Scale(accounts=int(os.environ.get("BENCH_GUARD_ACCOUNTS", "300")))


Off = tuple[tuple[str, object], ...]
"""Evidence that is switched off: constants of the guard, and what they are set to."""


class Setting(Struct, frozen=True):
    """One row of the table: whose rules, with which limits, on which traffic."""

    name: str
    policy: str = "guard"
    pace: Pace = Pace()
    learning: int = 14
    table: bool = True
    seeds: tuple[int, ...] = REPORTED
    limits: Settings = Settings()
    without: Off = ()


SIGN_INS: Off = (
    ("logins.HEAVIEST", 0.0),
    ("logins.FINGERPRINT", 0.0),
    ("logins.UNKNOWN", 0.0),
    ("logins.FLEW", (0.0, 0.0)),
    ("guard.CROWD_WEIGHT", 0.0),
)
VOLUME: Off = (("volume.STRANGE_HEAVIEST", 0.0), ("volume.OWN_HEAVIEST", 0.0))
CORRESPONDENCE: Off = (("letters.HEAVIEST", 0.0),)
REFUSALS: Off = (("bounces.HEAVIEST", 0.0),)

SETTINGS = (
    Setting("guard"),
    Setting("guard, the seeds it was tuned on", seeds=TUNED),
    Setting("guard, 10 % refused", pace=Pace(refused=0.10)),
    Setting("guard, 2 % refused", pace=Pace(refused=0.02)),
    Setting("guard, attacks at half the pace", pace=Pace(rate=0.5)),
    Setting("guard, attacks at twice the pace", pace=Pace(rate=2.0)),
    Setting("guard, 3 days of learning", learning=3),
    Setting("guard, no learning", learning=0),
    Setting("guard without network table", table=False),
    Setting("guard, contain at 7 and 11", limits=Settings(contain=7, whole_account=11)),
    Setting("guard, no waiting under watch", limits=Settings(watch_delay_s=0)),
    Setting("guard without sign-ins", without=SIGN_INS),
    Setting("guard without volume", without=VOLUME),
    Setting("guard without correspondence", without=CORRESPONDENCE),
    Setting("guard without refusals", without=REFUSALS),
    Setting("guard with sign-ins only", without=(*VOLUME, *CORRESPONDENCE, *REFUSALS)),
    Setting("fail2ban", policy="fail2ban"),
    Setting("mox", policy="mox"),
    Setting("postfwd", policy="postfwd"),
)


def order_of(setting: Setting, seed: int) -> Order:
    scale = structs.replace(SCALE, learning=setting.learning)
    return Order(seed, scale, tuple(KINDS), pace=setting.pace)


def play_one(task: tuple[Setting, int]) -> Sample:
    """In a process of its own."""
    setting, seed = task
    world = built_in()
    seen = world if setting.table else NetworkTable()
    with ExitStack() as stack:
        for name, value in setting.without:
            stack.enter_context(patch(f"sekisho.guard.{name}", value))
        return sample(order_of(setting, seed), partial(_hire, setting, seen), world.find, seen.find)


def _hire(setting: Setting, seen: NetworkTable, thieves: dict[str, int]) -> Keeper:
    match setting.policy:
        case "fail2ban":
            return Fail2ban(thieves)
        case "mox":
            return Mox(thieves)
        case "postfwd":
            return Postfwd(thieves)
        case _:
            return GuardGate(Guard(setting.limits, seen), thieves)


def row(setting: Setting, samples: list[Sample]) -> dict[str, object]:
    """Spreads as [median, 90th percentile], to keep the file readable."""
    result: Result = summary(order_of(setting, setting.seeds[0]), samples)
    told = msgspec.to_builtins(result)
    attacks = {attack.pop("kind"): _flat(attack) for attack in told["attacks"]}
    return {
        "name": setting.name,
        "commit": machine.commit(),
        "seeds": list(setting.seeds),
        "countries": [one.country for one in samples],
        "events": result.events,
        "attacks": attacks,
        "honest": told["honest"],
        "newsletters": told["newsletters"],
    }


def _flat(attack: dict[str, object]) -> dict[str, object]:
    return {
        key: f"{value['median']:g} ({value['p90']:g})" if isinstance(value, dict) else value
        for key, value in attack.items()
    }


def run() -> dict[str, object]:
    tasks = [(setting, seed) for setting in SETTINGS for seed in setting.seeds]
    with ProcessPoolExecutor(WORKERS) as pool:
        samples = list(pool.map(play_one, tasks))
    rows = [
        row(setting, [one for (whose, _), one in zip(tasks, samples, strict=True) if whose is setting])
        for setting in SETTINGS
    ]
    together = samples[: len(REPORTED)]
    return {
        "machine": machine.description(Path(__file__).parent),
        "scale": msgspec.to_builtins(SCALE),
        "tuned_on": list(TUNED),
        "reported_on": list(REPORTED),
        "results": {
            "settings": rows,
            "events_per_s_with_generator": round(
                sum(one.events for one in together) / sum(one.seconds for one in together)
            ),
            "cost": guard_cost.cost(),
        },
    }
