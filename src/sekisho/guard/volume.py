"""Volume evidence: recipients never written to before, against what the account usually does (rules 5 and
7).

First-time recipients are counted when they are named, not when the message is accepted: RSET takes
nothing back. Mail from unfamiliar networks and mail from the account's own places are counted apart,
because an owner on a journey writes to people he knows, and a newsletter leaves from the office.
"""

from math import exp, log

from sekisho.guard.memory import DAY, FRESH_KEPT, HOUR, RECIPIENTS_KEPT, Day, Flow, Memory, know
from sekisho.model.incident import Grade

OWN_FADE, STRANGE_FADE = HOUR, 6 * HOUR
"""The count of first-time recipients falls to 1/e in this time: a burst from the account's own places,
but from unfamiliar networks also twenty an hour.
"""
STRANGE_BASE, STRANGE_USUAL = 3.0, 0.25
"""From unfamiliar networks: first-time recipients within an hour that prove nothing, plus a quarter of
the usual maximum."""
STRANGE_SLOPE = 2.0
"""Evidence for every e-fold of first-time recipients over what proves nothing."""
STRANGE_HEAVIEST = 6.0
"""About 100 first-time recipients from one unfamiliar network in a new country are enough to contain."""
OWN_BASE, OWN_USUAL = 6.0, 2.5
"""From the account's own places: Christmas cards, a new customer, an address list of a club."""
OWN_SLOPE = 1.6
"""The same from the own places: less, for it is the owner most of the time."""
OWN_HEAVIEST = 4.0
"""Half of it counts towards OWN_LIMIT: volume alone never holds an account, refusals must speak too."""
WATCH_HELD = 20
"""Under watch, unfamiliar networks may name this many first-time recipients (faded); then their mail
is held (rule 5)."""
BURST = 1.0
"""1.9 times the first-time recipients that prove nothing: mail to strangers waits."""
BURST_LETTERS = 3.0
"""Own volume or correspondence evidence from which mail to first-time recipients waits, so that refusals can
speak first."""
BULK_DAY = 100
"""Recipients in a day, from confirmed networks, that make it a day of bulk mail (rule 7)."""
BULK_DAYS, BULK_SPAN = 3, 14
"""Bulk days, and days from the first to the last of them, that make a newsletter (rule 7)."""
BULK_KEPT = 8
"""Two months of a weekly newsletter."""
BULK_GROWTH = 1.5
"""The next issue may have half as many recipients again."""
LEARNED_AFTER_DAYS = 7
"""A day teaches a week later, if no incident came of it (rule 7)."""
GROWTH = 1.2
"""The usual maximum grows at most 20 % a day (rule 7), from FIRST_USUAL."""
RESULTS_FADE = 0.97
"""What a day with mail leaves of the older results: a bad list is forgotten after a month of them."""
FIRST_USUAL = 5.0
"""Where the usual maximum of an account begins that never wrote to anybody new."""
DAYS_KEPT = 10
"""The week that waits to be learned, and a weekend in which nobody came."""
SLOTS = 24
"""First-time recipients of 24 hours are counted by the hour."""
PAUSE = HOUR
"""A burst has ended when nothing was named for an hour: the sentence counts from the next recipient."""


def fresh_at(memory: Memory, flow: Flow, at: int) -> float:
    """First-time recipients of late, faded."""
    if not flow.fresh or at <= flow.fresh_at:
        return flow.fresh
    return flow.fresh * exp((flow.fresh_at - at) / (OWN_FADE if flow is memory.own else STRANGE_FADE))


def strange_volume(memory: Memory, at: int) -> float:
    expected = STRANGE_BASE + STRANGE_USUAL * memory.usual
    return _evidence(fresh_at(memory, memory.strange, at), expected, STRANGE_SLOPE, STRANGE_HEAVIEST)


def own_volume(memory: Memory, at: int) -> float:
    return _evidence(
        fresh_at(memory, memory.own, at), OWN_BASE + OWN_USUAL * memory.usual, OWN_SLOPE, OWN_HEAVIEST
    )


def _evidence(count: float, expected: float, slope: float, heaviest: float) -> float:
    return max(0.0, min(heaviest, slope * log((count + 1) / expected)))


def is_fresh(memory: Memory, key: int, at: int) -> bool:
    """Never written to, and not already counted in the last 24 hours."""
    if key in memory.recipients:
        return False
    named = memory.fresh.get(key)
    return named is None or at - abs(named) >= DAY


def count_fresh(memory: Memory, flow: Flow, key: int, at: int) -> None:
    """A first-time recipient. Those named at the account's own places (a positive time) are known after a day
    without incident, or when too many newer ones have come."""
    memory.fresh.pop(key, None)
    memory.fresh[key] = at if flow is memory.own else -at
    add_fresh(memory, flow, 1, at)
    settle_fresh(memory, at)


def settle_fresh(memory: Memory, at: int) -> None:
    """Who was named more than a day ago, or before the newest FRESH_KEPT, is known or forgotten. While an
    account is contained they wait for the release: a thief would push the owner's correspondents out.
    """
    contained = memory.grade >= Grade.CONTAIN
    kept = RECIPIENTS_KEPT if contained else FRESH_KEPT
    while memory.fresh:
        oldest = next(iter(memory.fresh))
        if len(memory.fresh) <= kept and (contained or at - abs(memory.fresh[oldest]) < DAY):
            return
        if memory.fresh.pop(oldest) > 0 and not contained:
            know(memory.recipients, (oldest,))


def add_fresh(memory: Memory, flow: Flow, count: int, at: int) -> None:
    if at - flow.fresh_at > PAUSE:
        flow.began, flow.named, flow.messages = at, 0, 0
        flow.tried, flow.refused = 0, 0
    flow.fresh = fresh_at(memory, flow, at) + count
    flow.fresh_at = max(at, flow.fresh_at)
    flow.named += count
    if flow is memory.own:
        _slide(memory, at)
        memory.hours[at // HOUR % SLOTS] += count
        today(memory, at).peak = max(today(memory, at).peak, flow.fresh)


def fresh_today(memory: Memory, at: int) -> int:
    """First-time recipients of the last 24 hours, from the account's own places. Strangers are stopped
    earlier."""
    _slide(memory, at)
    return sum(memory.hours)


def _slide(memory: Memory, at: int) -> None:
    """Empty the slots of hours that have gone by."""
    hour = at // HOUR
    if not memory.hours or hour - memory.hour >= SLOTS:
        memory.hours, memory.hour = [0] * SLOTS, hour
    while memory.hour < hour:
        memory.hour += 1
        memory.hours[memory.hour % SLOTS] = 0


def cap(memory: Memory, limit: int, at: int) -> int:
    """The most first-time recipients of 24 hours: the setting, an operator's allowance, or proven bulk
    habit."""
    allowed = max(limit, memory.allowance if at < memory.allowance_until else 0)
    span = memory.bulk_days[-1] - memory.bulk_days[0] if memory.bulk_days else 0
    if len(memory.bulk_days) >= BULK_DAYS and span >= BULK_SPAN:
        allowed = max(allowed, int(memory.bulk_size * BULK_GROWTH))
    return allowed


def today(memory: Memory, at: int) -> Day:
    """The present day's record; older ones that have waited a week become habit."""
    number = at // DAY
    if memory.days and memory.days[-1].day >= number:
        return memory.days[-1]
    while memory.days and (
        memory.days[0].day <= number - LEARNED_AFTER_DAYS or len(memory.days) >= DAYS_KEPT
    ):
        _learn(memory, memory.days.pop(0))
    memory.days.append(Day(number))
    return memory.days[-1]


def _learn(memory: Memory, day: Day) -> None:
    """Rule 7: a day becomes habit after a week without incident."""
    if day.day * DAY <= memory.clean_since:
        return
    memory.usual = min(max(day.peak, memory.usual), max(memory.usual * GROWTH, FIRST_USUAL))
    memory.results = memory.results * RESULTS_FADE + day.tried
    memory.refusals = memory.refusals * RESULTS_FADE + day.refused
    if day.sent >= BULK_DAY:
        memory.bulk_days = [*memory.bulk_days, day.day][-BULK_KEPT:]
        memory.bulk_size = max(memory.bulk_size, day.sent)
