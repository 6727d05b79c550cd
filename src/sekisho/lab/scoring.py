"""Counts what a run came to: what leaked in each kind of attack, and how fast it was stopped."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median

from msgspec import Struct

from sekisho.lab.alarms import Alarm
from sekisho.lab.play import Fate, What
from sekisho.lab.raids import Planned
from sekisho.lab.traffic import Traffic
from sekisho.lab.visits import DAY
from sekisho.model.incident import Grade

BOTHERED: frozenset[What] = frozenset({"denied", "refused", "held"})
"""What an honest user can notice at once; mail that only waited is counted apart."""


class Run(Struct, frozen=True):
    """Everything that is counted from."""

    traffic: Traffic
    planned: Sequence[Planned]
    fates: Sequence[Fate]
    alarms: Sequence[Alarm]


class Spread(Struct, frozen=True):
    """Median and 90th percentile; both 0 where there was nothing."""

    median: float
    p90: float


class KindReport(Struct, frozen=True):
    """All attacks of one kind. `messages` and `recipients` were accepted before containment, or at all where
    there was none; `left_...` left the house, sooner or later. `minutes` from the thief's first visit
    until containment, if detected.

    `owner_messages` are the owner's own after the thief came, `owner_bothered` those held or refused; of them
    `soon_...` until a day after containment: by then an operator has given out a new password.
    """

    kind: str
    attacks: int
    detected: int
    messages: Spread
    recipients: Spread
    left_messages: Spread
    left_recipients: Spread
    minutes: Spread
    owner_messages: int
    owner_bothered: int
    soon_messages: int
    soon_bothered: int


class Case(Struct):
    """One attacked account: what was accepted before containment, what left, what befell the owner."""

    kind: str
    start: int
    came_at: int = 0
    contained_at: int = 0
    accepted: int = 0
    recipients: int = 0
    left: int = 0
    left_recipients: int = 0
    owner: int = 0
    bothered: int = 0
    soon: int = 0
    soon_bothered: int = 0

    def minutes(self) -> float:
        """From the thief's first visit; stuffing comes to its accounts one after another."""
        return max(0, self.contained_at - (self.came_at or self.start)) / 60e6


def score_attacks(run: Run) -> list[KindReport]:
    """One report for every kind that was played."""
    return kind_reports(cases_of(run))


def cases_of(run: Run) -> list[Case]:
    """Every attacked account of the run."""
    cases = {person.account: Case(one.kind, one.start) for one in run.planned for person in one.victims}
    for alarm in run.alarms:
        case = cases.get(alarm.account)
        if case and alarm.grade >= Grade.CONTAIN and not case.contained_at and alarm.at >= case.start:
            case.contained_at = alarm.at
    for fate in run.fates:
        case = cases.get(fate.visit.account)
        if case is not None and fate.at >= case.start:
            _count(case, fate)
    return list(cases.values())


def kind_reports(cases: Iterable[Case]) -> list[KindReport]:
    """One report for every kind among these cases, be they of one run or of several."""
    by_kind: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_kind[case.kind].append(case)
    return [_kind_report(kind, by_kind[kind]) for kind in sorted(by_kind)]


def _count(case: Case, fate: Fate) -> None:
    if fate.visit.by == "owner":
        _count_owner(case, fate)
        return
    case.came_at = case.came_at or fate.at
    if fate.what == "accepted" and (not case.contained_at or fate.at < case.contained_at):
        case.accepted += 1
        case.recipients += fate.recipients
    if fate.what == "left":
        case.left += 1
        case.left_recipients += fate.recipients


def _count_owner(case: Case, fate: Fate) -> None:
    turned_away = fate.what in ("denied", "refused") and fate.recipients > 0
    came, bothered = fate.what == "accepted" or turned_away, fate.what == "held" or turned_away
    case.owner += came
    case.bothered += bothered
    if not case.contained_at or fate.at < case.contained_at + DAY:
        case.soon += came
        case.soon_bothered += bothered


def _kind_report(kind: str, cases: Sequence[Case]) -> KindReport:
    return KindReport(
        kind=kind,
        attacks=len(cases),
        detected=sum(case.contained_at > 0 for case in cases),
        messages=spread([case.accepted for case in cases]),
        recipients=spread([case.recipients for case in cases]),
        left_messages=spread([case.left for case in cases]),
        left_recipients=spread([case.left_recipients for case in cases]),
        minutes=spread([case.minutes() for case in cases if case.contained_at]),
        owner_messages=sum(case.owner for case in cases),
        owner_bothered=sum(case.bothered for case in cases),
        soon_messages=sum(case.soon for case in cases),
        soon_bothered=sum(case.soon_bothered for case in cases),
    )


def spread(values: Sequence[float]) -> Spread:
    if not values:
        return Spread(0, 0)
    ordered = sorted(values)
    ninetieth = ordered[math.ceil(0.9 * len(ordered)) - 1]
    return Spread(round(float(median(ordered)), 1), round(float(ninetieth), 1))
