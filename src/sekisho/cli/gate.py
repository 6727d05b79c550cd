"""The guard at the gate of a simulated server: it judges, contains, and is released by a patient operator."""

from sekisho.guard.guard import Guard
from sekisho.lab.alarms import Alarm
from sekisho.lab.play import Answer
from sekisho.lab.visits import HOUR
from sekisho.model.event import Event
from sekisho.model.ident import make_id
from sekisho.model.incident import Finding, Grade

RELEASE_AFTER = 8 * HOUR
"""So long after a false alarm the operator has read the notice and releases the account."""

LOOK_EVERY = HOUR // 12
"""So often the operator looks."""


class GuardGate:
    """`thieves` says of each victim when its attack begins: what contains it before is a false alarm."""

    def __init__(self, guard: Guard, thieves: dict[str, int]) -> None:
        self.guard = guard
        self.alarms: list[Alarm] = []
        self.observed = 0
        self._thieves = thieves
        self._contained: dict[str, int] = {}
        self._look_at = 0

    def observe(self, event: Event) -> None:
        self._before(event)
        self._note(self.guard.observe(event))

    def judge(self, event: Event) -> Answer:
        self._before(event)
        standing, findings = self.guard.judge(event)
        self._note(findings)
        return Answer(standing.treatment, standing.delay_s)

    def caught(self, account: str, address: str, at: int) -> bool:
        return self.guard.standing(account, address, at).treatment in ("hold", "refuse")

    @property
    def contained(self) -> frozenset[str]:
        """The accounts that stand contained now."""
        return frozenset(self._contained)

    def sizes(self) -> list[int]:
        """Bytes of each account's memory when it is written down."""
        return [len(self.guard.snapshot(account)) for account in self.guard.accounts()]

    def _before(self, event: Event) -> None:
        self.observed += 1
        if event.at >= self._look_at:
            self._look_at = event.at + LOOK_EVERY
            self._release(event.at)

    def _note(self, findings: tuple[Finding, ...]) -> None:
        for finding in findings:
            self.alarms.append(
                Alarm(
                    account=finding.account,
                    at=finding.at,
                    grade=finding.grade,
                    true=self._has_thief(finding.account, finding.at),
                    sentence=str(finding.sentence),
                )
            )
            if finding.grade >= Grade.CONTAIN and finding.account not in self._contained:
                self._contain(finding)

    def _contain(self, finding: Finding) -> None:
        """What the server would do: an incident, an action, and the guard told of both."""
        self._contained[finding.account] = finding.at
        incident, action = make_id(finding.at, self.observed), make_id(finding.at, -self.observed)
        self.guard.contained(finding.account, incident, action)

    def _release(self, at: int) -> None:
        """Only false alarms are released: an account whose thief has come stays contained."""
        due = [account for account, since in self._contained.items() if at - since >= RELEASE_AFTER]
        for account in due:
            if not self._has_thief(account, at):
                self.guard.release(account, at, teach=True)
                del self._contained[account]

    def _has_thief(self, account: str, at: int) -> bool:
        return account in self._thieves and at >= self._thieves[account]
