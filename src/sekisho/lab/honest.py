"""Counts who was bothered for nothing in a run: false alarms by account-day, newsletters apart."""

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

from sekisho.lab.play import What
from sekisho.lab.scoring import BOTHERED, Run
from sekisho.lab.stress import Newsletter
from sekisho.lab.traffic import Traffic
from sekisho.model.incident import Grade

AccountDay = tuple[str, int]


class FalseDays(Struct, frozen=True):
    """Honest account-days of a run, and on how many of them what happened.

    `contained`: an alarm of grade contain or more. `held`: own mail held; `denied`: a login or a recipient
    refused; `visible`: one of these two. `delayed`: mail only waited. `watched`: the guard raised a watch,
    and contained nothing. `by_kind`: contained days.
    """

    account_days: int
    contained: int
    held: int
    denied: int
    visible: int
    delayed: int
    watched: int
    by_kind: dict[str, int]


class FalseReport(Struct, frozen=True):
    """The same of a thousand honest account-days; `by_kind` stays a count."""

    account_days: int
    contained_per_1000: float
    held_per_1000: float
    denied_per_1000: float
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
    return false_report([count_honest(run)])


def count_honest(run: Run) -> FalseDays:
    honest = _Honest(run)
    alarms = [alarm for alarm in run.alarms if alarm.grade >= Grade.CONTAIN]
    contained = honest.those_of((alarm.account, alarm.at) for alarm in alarms)
    watched = honest.those_of((alarm.account, alarm.at) for alarm in run.alarms) - contained

    def days_with(*what: What) -> set[AccountDay]:
        own = (fate for fate in run.fates if fate.visit.by == "owner" and fate.what in what)
        return honest.those_of((fate.visit.account, fate.at) for fate in own)

    held, denied, visible = days_with("held"), days_with("denied", "refused"), days_with(*BOTHERED)
    return FalseDays(
        account_days=honest.days(),
        contained=len(contained),
        held=len(held),
        denied=len(denied),
        visible=len(visible),
        delayed=len(days_with("delayed") - visible),
        watched=len(watched),
        by_kind=dict(sorted(Counter(honest.kinds[account] for account, _ in contained).items())),
    )


def false_report(runs: Sequence[FalseDays]) -> FalseReport:
    """Of one run, or of several together."""
    days = sum(run.account_days for run in runs)
    by_kind: Counter[str] = Counter()
    for run in runs:
        by_kind.update(run.by_kind)

    def rate(counts: Iterable[int]) -> float:
        return round(1000 * sum(counts) / max(days, 1), 3)

    return FalseReport(
        account_days=days,
        contained_per_1000=rate(run.contained for run in runs),
        held_per_1000=rate(run.held for run in runs),
        denied_per_1000=rate(run.denied for run in runs),
        visible_per_1000=rate(run.visible for run in runs),
        delayed_per_1000=rate(run.delayed for run in runs),
        watched_per_1000=rate(run.watched for run in runs),
        by_kind=dict(sorted(by_kind.items())),
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


def newsletter_report(runs: Sequence[NewsletterReport]) -> NewsletterReport:
    """Several runs together."""
    by_dead: Counter[str] = Counter()
    for run in runs:
        by_dead.update(run.hit_by_dead)
    return NewsletterReport(
        accounts=sum(run.accounts for run in runs),
        hit=sum(run.hit for run in runs),
        delayed=sum(run.delayed for run in runs),
        hit_by_dead=dict(sorted(by_dead.items())),
    )
