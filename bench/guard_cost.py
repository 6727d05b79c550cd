"""What the guard alone costs: one core, no generator, no database, events made beforehand."""

import random
import statistics
import time

from sekisho.cli.gate import GuardGate
from sekisho.guard import memory
from sekisho.guard.guard import Guard
from sekisho.guard.memory import Day, Memory, Place, Term
from sekisho.guard.networks import NetworkTable
from sekisho.lab.attacks import KINDS, Pace
from sekisho.lab.play import Answer, Play
from sekisho.lab.raids import draw, mixed
from sekisho.lab.traffic import Scale, Traffic
from sekisho.model.config import Guard as Settings
from sekisho.model.event import Event
from sekisho.store.networktable import built_in

SCALE = Scale(accounts=100)
SEED = 3
ROUNDS = 5
"""Replays of one run's events; their median counts."""
Heard = list[tuple[bool, Event]]
"""What the guard was asked (True) and told (False), in order."""


class Recorder(GuardGate):
    """So that the guard can be told the same again without the lab."""

    def __init__(self, guard: Guard, thieves: dict[str, int]) -> None:
        super().__init__(guard, thieves)
        self.heard: Heard = []

    def observe(self, event: Event) -> None:
        self.heard.append((False, event))
        super().observe(event)

    def judge(self, event: Event) -> Answer:
        self.heard.append((True, event))
        return super().judge(event)


def cost() -> dict[str, object]:
    table = built_in()
    heard = listen(table)
    seconds = [replay(Guard(Settings(), table), heard) for _ in range(ROUNDS)]
    guard = Guard(Settings(), table)
    replay(guard, heard)
    sizes = sorted(len(guard.snapshot(account)) for account in guard.accounts())
    each = statistics.median(seconds) / len(heard)
    return {
        "events": len(heard),
        "rounds": ROUNDS,
        "us_per_event": round(each * 1e6, 1),
        "events_per_s": round(1 / each),
        "bytes_per_account_median": sizes[len(sizes) // 2],
        "bytes_per_account_p90": sizes[len(sizes) * 9 // 10],
        "bytes_per_account_full": len(memory.pack_memory(full_memory())),
    }


def listen(table: NetworkTable) -> Heard:
    """A month of a hundred accounts, with one attack of every kind."""
    traffic = Traffic(SEED, SCALE, table.find)
    rng = random.Random("cost")
    planned = draw(traffic, tuple(KINDS), 1, rng)
    gate = Recorder(
        Guard(Settings(), table), {person.account: one.start for one in planned for person in one.victims}
    )
    for _ in Play(table.find, gate).run(mixed(traffic, planned, Pace(), rng)):
        pass
    return gate.heard


def replay(guard: Guard, heard: Heard) -> float:
    """Seconds of the processor that the guard takes for it."""
    begun = time.process_time()
    for asked, event in heard:
        if asked:
            guard.judge(event)
        else:
            guard.observe(event)
    return time.process_time() - begun


def full_memory() -> Memory:
    """An account of which everything is remembered that can be."""
    at = SCALE.start
    full = Memory(born=at, last=at, score=12.3, score_at=at, incident="i" * 26, action="a" * 26)
    for number in range(memory.CONFIRMED_KEPT):
        full.confirmed[f"AS{400000 + number}/XX"] = _place(at, number)
    for number in range(memory.PROVISIONAL_KEPT):
        full.provisional[f"2001:db8:{number:04x}::/48"] = _place(at, number)
    full.prefixes = [f"203.0.{number}.0/24" for number in range(100, 100 + memory.PREFIXES_KEPT)]
    full.new_since = dict.fromkeys((f"198.51.{number + 100}.0/24" for number in range(16)), at)
    full.fingerprints = [f"client-{number:020d}" for number in range(memory.FINGERPRINTS_KEPT)]
    full.terms = [
        Term(at, "country", 4.0, f"2001:db8:{n:04x}::/48", "XX", f"2001:db8:{n:04x}::{n:04x}", "e" * 26, n)
        for n in range(memory.TERMS_KEPT)
    ]
    full.days = [Day(20_000 + number, 12.5, 900, 90, 900) for number in range(10)]
    full.hours, full.bulk_days = [200] * 24, [20_000] * 8
    full.hands = {f"{number:026d}": 20 for number in range(memory.HANDS_KEPT)}
    full.recipients = dict.fromkeys(range(memory.RECIPIENTS_KEPT))
    full.failed = dict.fromkeys((2**39 + number for number in range(memory.FAILED_KEPT)), at)
    full.fresh = dict.fromkeys(range(10_000, 10_000 + memory.RECIPIENTS_KEPT), at)
    full.events = dict.fromkeys(range(20_000, 20_000 + memory.EVENTS_KEPT), at)
    return full


def _place(at: int, number: int) -> Place:
    address = f"2001:db8:{number:04x}:ffff:ffff:ffff:ffff:ffff"
    return Place(
        at, at, address, "XX", "XX", 400_000 + number, logins=10_000, days=99, day=20_000, proof=True
    )
