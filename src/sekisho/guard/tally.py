"""Results of deliveries of the last five minutes, by cause, and whether so many failures are a change.

The threshold is a share; the change is found by a CUSUM against what is usual for this account or server,
whose beginning is the moment of the change. O(1) for each result.
"""

from math import exp, log
from typing import Literal

from msgspec import Struct, field

from sekisho.guard.memory import DAY, MINUTE, SECOND, digest
from sekisho.model.address import domain_of
from sekisho.model.event import DeliveryTried

WINDOW = 5 * MINUTE
"""Results are counted over so long: the alarm comes within it."""
LEAST = 12
"""Failures in the window: fewer are a mistyped list of one letter."""
SHARE = 0.2
"""Of the tries in the window: clean newsletters lose 1 to 3 %, poor ones 12 %, stolen accounts 30 to 60 %."""
WAITS = 0.4
"""A delivery that is put off counts so much of one that failed: greylisting puts off a third of a
newsletter."""
DOMAINS = 3
"""Recipient domains that fail: one alone is that domain's trouble."""
TIMES = 3.0
"""What is to be found is a share so many times the usual one, or so many times the most failures that five
minutes ever had."""
SURE = 10.0
"""Evidence for the change, as the logarithm of the odds: e to this many, for one false alarm."""
PRIOR_FAILED, PRIOR_TRIED = 1.0, 50.0
"""Where nothing is known yet, 2 % fail."""
LEARNED = 7 * DAY
"""What is usual falls to 1/e in this time."""
SLOT = 30 * SECOND
"""By so much the window moves at once."""
DOMAINS_KEPT = 16
"""Failing domains of one subject that are known: it need only be seen that they are several."""

Cause = Literal["5yz", "4yz", "dns", "timeout"]
CAUSES: tuple[Cause, ...] = ("5yz", "4yz", "dns", "timeout")


class Slot(Struct):
    """Results of one SLOT, or sums of them: tries, those failed for good, failures by cause."""

    number: int = 0
    tried: int = 0
    final: int = 0
    causes: list[int] = field(default_factory=lambda: [0] * len(CAUSES))

    @property
    def failed(self) -> int:
        return sum(self.causes)

    @property
    def weight(self) -> float:
        return self.final + WAITS * (self.failed - self.final)

    def take_off(self, other: "Slot") -> None:
        self.tried -= other.tried
        self.final -= other.final
        self.causes = [mine - less for mine, less in zip(self.causes, other.causes, strict=True)]


class Usual(Struct):
    """What is remembered over restarts: tries and failures, faded, and the most failures of a window."""

    tried: float = 0.0
    failed: float = 0.0
    most: float = 0.0
    at: int = 0


class Tally(Struct):
    """One subject. `slots` of the window and their `sums`; `gone`: failures of the window before it, by
    slot; `score` and `since` of the CUSUM; `raised`: when its alarm was, 0 for none; `over`: when it was
    last above the threshold."""

    usual: Usual
    slots: list[Slot] = []
    gone: list[tuple[int, int]] = []
    sums: Slot = field(default_factory=Slot)
    score: float = 0.0
    since: int = 0
    last: int = 0
    domains: dict[int, int] = {}
    raised: int = 0
    over: int = 0

    @property
    def failed(self) -> int:
        return self.sums.failed

    @property
    def counts(self) -> dict[str, int]:
        return dict(zip(CAUSES, self.sums.causes, strict=True))

    @property
    def cause(self) -> Cause:
        """The commonest."""
        return CAUSES[self.sums.causes.index(max(self.sums.causes))]


def count(tally: Tally, event: DeliveryTried) -> None:
    roll(tally, event.at)
    number = event.at // SLOT
    if tally.slots and number <= tally.slots[-1].number - WINDOW // SLOT:
        return  # older than the window: a log that is read late
    if not tally.slots or tally.slots[-1].number < number:
        tally.slots.append(Slot(number))
    slot, sums = next(slot for slot in tally.slots if slot.number >= number), tally.sums
    slot.tried += 1
    sums.tried += 1
    if event.result != "delivered":
        place, final = _place(event), int(event.result == "failed")
        slot.causes[place] += 1
        sums.causes[place] += 1
        slot.final += final
        sums.final += final
        _note_domain(tally, event)
    _weigh(tally, event)
    tally.last = max(tally.last, event.at)


def _place(event: DeliveryTried) -> int:
    match event.cause:
        case "5yz":
            return 0
        case "4yz":
            return 1
        case "dns":
            return 2
        case "timeout" | "connect" | "tls":
            return 3
    return 0 if event.result == "failed" else 1


def _note_domain(tally: Tally, event: DeliveryTried) -> None:
    key = digest(domain_of(event.recipient))
    tally.domains.pop(key, None)
    tally.domains[key] = event.at
    if len(tally.domains) > DOMAINS_KEPT:
        del tally.domains[next(iter(tally.domains))]


def _weigh(tally: Tally, event: DeliveryTried) -> None:
    """The CUSUM's step; its sum is kept small enough that a change back is seen too."""
    if event.at - tally.last > WINDOW:
        tally.score = 0.0
    _fade(tally.usual, event.at)
    usual = (PRIOR_FAILED + tally.usual.failed) / (PRIOR_TRIED + tally.usual.tried)
    bad = max(SHARE, TIMES * usual / (1 - usual + TIMES * usual))
    if event.result == "delivered":
        tally.score += log((1 - bad) / (1 - usual))
    else:
        tally.score += (1.0 if event.result == "failed" else WAITS) * log(bad / usual)
    tally.score = min(tally.score, 2 * SURE)
    if tally.score <= 0.0:
        tally.score, tally.since = 0.0, 0
    elif not tally.since:
        tally.since = event.at


def roll(tally: Tally, at: int) -> None:
    """What is older than the window leaves it, and becomes part of what is usual, unless it was the alarm."""
    oldest = at // SLOT - WINDOW // SLOT
    if not tally.slots or tally.slots[0].number > oldest:
        return
    left = [slot for slot in tally.slots if slot.number <= oldest]
    tally.slots = tally.slots[len(left) :]
    for slot in left:
        tally.sums.take_off(slot)
        if not tally.raised:
            _learn(tally, slot)


def _fade(usual: Usual, at: int) -> None:
    if usual.at and at > usual.at:
        kept = exp((usual.at - at) / LEARNED)
        usual.tried, usual.failed, usual.most = usual.tried * kept, usual.failed * kept, usual.most * kept
    usual.at = max(usual.at, at)


def _learn(tally: Tally, slot: Slot) -> None:
    usual = tally.usual
    _fade(usual, slot.number * SLOT)
    usual.tried += slot.tried
    usual.failed += slot.weight
    tally.gone = [one for one in tally.gone if one[0] > slot.number - WINDOW // SLOT]
    tally.gone.append((slot.number, slot.failed))
    usual.most = max(usual.most, sum(failed for _, failed in tally.gone))


def is_jump(tally: Tally, at: int) -> bool:
    """Above the threshold, and a change."""
    if tally.failed < LEAST or tally.sums.weight < SHARE * tally.sums.tried:
        return False
    if sum(1 for last in tally.domains.values() if at - last < WINDOW) < DOMAINS:
        return False
    return tally.score >= SURE or tally.failed >= TIMES * max(tally.usual.most, LEAST)
