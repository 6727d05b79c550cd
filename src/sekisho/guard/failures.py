"""The failure-rate alarm: deliveries that fail more often than usual, by account and over the whole server.

What somebody sees on a graph a week later is told within five minutes, with a name to it, once for each
jump. A letter that is tried again and waits again is no news. DNS that does not answer and hosts that
cannot be reached are nobody's fault: no account is named for them.
"""

from msgspec import Struct
from msgspec.structs import replace

from sekisho.guard.memory import MINUTE, digest
from sekisho.guard.tally import LEAST, WINDOW, Tally, Usual, count, is_jump, roll
from sekisho.model.event import DeliveryTried

BLAME = 0.5
"""Part of the server's failures from which on an account is named for them."""
CALM = 30 * MINUTE
"""So long below the threshold, and the alarm has ended; the next jump is another one."""
SERVER = "server"
"""The subject of an alarm that is nobody's."""
ACCOUNTS_KEPT = 5_000
"""Accounts that are counted, those heard of last; about 2 KB each."""
RESULTS_KEPT = 50_000
"""Results that are known again: a busy server's of some hours."""
OURS = ("5yz", "4yz")
"""Causes for which an account may be named."""


class Jump(Struct, frozen=True):
    """An alarm. `subject`: whose, SERVER where nobody is to blame. `counts`: failures of the window by
    cause; `part`: those of the account that is named. `usual`: the share that usually fails."""

    subject: str
    at: int
    since: int
    tried: int
    failed: int
    counts: dict[str, int]
    cause: str
    usual: float
    part: int = 0


class Failures:
    def __init__(self) -> None:
        self._server = Tally(Usual())
        self._accounts: dict[str, Tally] = {}
        self._seen: dict[int, None] = {}

    def observe(self, event: DeliveryTried) -> Jump | None:
        """The alarm that this result raised; nearly always none."""
        if event.local or not self._is_news(event):
            return None
        count(self._server, event)
        mine = self._tally(event.account.lower()) if event.account else None
        if mine is not None:
            count(mine, event)
        if event.result == "delivered":
            return None
        jump = self._own(event.account.lower(), mine, event.at) if mine is not None else None
        return self._whole(event.at, jump) or jump

    def _is_news(self, event: DeliveryTried) -> bool:
        """Not the same event from a second file, nor the same letter put off once more."""
        again = event.result == "deferred"
        name = f"{event.message} {event.recipient}" if again else event.id
        key = digest(name)
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > RESULTS_KEPT:
            del self._seen[next(iter(self._seen))]
        return True

    def _tally(self, account: str) -> Tally:
        tally = self._accounts.pop(account, None)
        if tally is None:
            tally = Tally(Usual())
            if len(self._accounts) >= ACCOUNTS_KEPT:
                del self._accounts[next(iter(self._accounts))]
        self._accounts[account] = tally
        return tally

    def _own(self, account: str, tally: Tally, at: int) -> Jump | None:
        """An account answers for what was refused or put off, not for DNS and the network."""
        ours = sum(tally.counts[cause] for cause in OURS)
        if ours < LEAST or not is_jump(tally, at) or self._is_outage(at):
            return None
        if tally.raised:
            tally.over = at
            return None
        tally.raised = tally.over = at
        return _jump(account, tally, at)

    def _is_outage(self, at: int) -> bool:
        server = self._server
        return bool(server.raised) and at - server.over < WINDOW and server.cause not in OURS

    def _whole(self, at: int, own: Jump | None) -> Jump | None:
        """The server's alarm, unless it is the one that an account has just raised, or raised before."""
        server = self._server
        if not is_jump(server, at):
            return None
        known, server.over = bool(server.raised), at
        if known:
            return None
        server.raised = at
        name, part = self._largest(at)
        jump = _jump(SERVER, server, at)
        if jump.cause not in OURS:
            return jump
        if own is not None or (name and self._accounts[name].raised):
            return None  # this is its alarm
        if part < BLAME * server.failed:
            return jump
        self._accounts[name].raised = self._accounts[name].over = at
        return replace(jump, subject=name, part=part)

    def _largest(self, at: int) -> tuple[str, int]:
        """Who has the largest share of the failures; looked for when an alarm is raised, not before."""
        for tally in self._accounts.values():
            roll(tally, at)
        return max(
            ((name, tally.failed) for name, tally in self._accounts.items()),
            key=lambda each: each[1],
            default=("", 0),
        )

    def settle(self, at: int) -> list[str]:
        """The subjects whose alarm has ended."""
        ended = []
        for name, tally in (*self._accounts.items(), (SERVER, self._server)):
            if tally.raised and at - tally.over >= CALM:
                roll(tally, at)  # while it is raised: the jump is nothing usual
                tally.raised = 0
                ended.append(name)
        return ended

    def resume(self, subject: str, at: int) -> None:
        """An alarm that stood before a restart stands; it ends as it would have."""
        tally = self._server if subject == SERVER else self._tally(subject)
        tally.raised = tally.over = at

    def remembered(self) -> dict[str, Usual]:
        found = {name: tally.usual for name, tally in self._accounts.items() if tally.usual.tried >= 1}
        return {**found, SERVER: self._server.usual}

    def remember(self, usual: dict[str, Usual]) -> None:
        for name, value in usual.items():
            tally = self._server if name == SERVER else self._tally(name)
            tally.usual = value


def _jump(subject: str, tally: Tally, at: int) -> Jump:
    usual = tally.usual.failed / tally.usual.tried if tally.usual.tried >= 1 else 0.0
    since = max(tally.since or at, at - WINDOW)
    part = 0 if subject == SERVER else tally.failed
    return Jump(subject, at, since, tally.sums.tried, tally.failed, tally.counts, tally.cause, usual, part)
