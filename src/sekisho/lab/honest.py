"""Counts who was bothered for nothing in a run: false alarms by account-day, newsletters apart."""

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from sekisho.lab.scoring import BOTHERED, Run
from sekisho.lab.stress import Newsletter
from sekisho.lab.traffic import Traffic
from sekisho.model.incident import Grade

AccountDay = tuple[str, int]


class FalseReport(Struct, frozen=True):
    """Honest account-days, and how many in a thousand of them had what.

    `contained`: an alarm of grade contain or more. `visible`: mail held, or a login or recipient refused.
    `delayed`: mail only waited. `watched`: the guard watched, and nobody noticed. `by_kind`: contained days.
    """

    account_days: int
    contained_per_1000: float
    visible_per_1000: float
    delayed_per_1000: float
    watched_per_1000: float
    by_kind: dict[str, int]


class NewsletterReport(Struct, frozen=True):
    """Newsletter accounts with a letter held or refused in the counted time; `delayed`: only waited.

    `hit_by_dead` tells the first by the share of dead addresses in the list.
    """

    accounts: int
    hit: int
    delayed: int
    hit_by_dead: dict[str, int]


class _Honest:
    """Which days of which accounts count: in the counted time, before a thief comes, no newsletters."""

    def __init__(self, run: Run) -> None:
        self._scale = run.traffic.scale
        thieves = {person.account: one.start for one in run.planned for person in one.victims}
        people = [person for person in run.traffic.people if person.kind != "newsletter"]
        self.kinds = {person.account: person.kind for person in people}
        self._until = {
            account: min(self._scale.end, thieves.get(account, self._scale.end)) for account in self.kinds
        }

    def days(self) -> int:
        return sum(self._scale.day_of(until) - self._scale.learning for until in self._until.values())

    def those_of(self, seen: Iterable[tuple[str, int]]) -> set[AccountDay]:
        """The account-days of these accounts and times."""
        first = self._scale.counted_from
        return {
            (account, self._scale.day_of(at))
            for account, at in seen
            if first <= at < self._until.get(account, 0)
        }


def score_honest(run: Run) -> FalseReport:
    honest = _Honest(run)
    contained = honest.those_of(
        (alarm.account, alarm.at) for alarm in run.alarms if alarm.grade >= Grade.CONTAIN
    )
    watched = honest.those_of((alarm.account, alarm.at) for alarm in run.alarms) - contained
    own = [fate for fate in run.fates if fate.visit.by == "owner"]
    visible = honest.those_of((fate.visit.account, fate.at) for fate in own if fate.what in BOTHERED)
    delayed = (
        honest.those_of((fate.visit.account, fate.at) for fate in own if fate.what == "delayed") - visible
    )
    days = honest.days()

    def rate(found: set[AccountDay]) -> float:
        return round(1000 * len(found) / max(days, 1), 3)

    return FalseReport(
        account_days=days,
        contained_per_1000=rate(contained),
        visible_per_1000=rate(visible),
        delayed_per_1000=rate(delayed),
        watched_per_1000=rate(watched),
        by_kind=dict(sorted(Counter(honest.kinds[account] for account, _ in contained).items())),
    )


def score_newsletters(run: Run) -> NewsletterReport:
    dead = _dead_shares(run.traffic)
    counted = [
        fate for fate in run.fates if fate.visit.account in dead and fate.at >= run.traffic.scale.counted_from
    ]
    hit = {fate.visit.account for fate in counted if fate.what in BOTHERED}
    delayed = {fate.visit.account for fate in counted if fate.what == "delayed"} - hit
    by_dead = Counter(f"{dead[account]:.0%}" for account in hit)
    return NewsletterReport(len(dead), len(hit), len(delayed), dict(sorted(by_dead.items())))


def _dead_shares(traffic: Traffic) -> dict[str, float]:
    return {person.account: person.issue.dead for person in traffic.people if isinstance(person, Newsletter)}
