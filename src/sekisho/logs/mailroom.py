"""Joins the lines of one qmail-send into letters: what came in from whom, who should get it, how each try
ended.

A letter lives from `info msg N` to `end msg N`; then N is free for another. Deliveries belong to a run of
the daemon: when their numbers fall, it was restarted, and what was under way will be tried again. Lines may
be missing at both ends of the log.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, Literal

from msgspec import Struct

from sekisho.logs.facts import (
    BounceDropped,
    BounceQueued,
    DeliveryEnded,
    DeliveryStarted,
    MessageEnded,
    MessageInfo,
    QmailFact,
    recipient_of,
)

PENDING_MAX = 100_000
"""Deliveries under way that are remembered; qmail allows at most 1,020 at once (conf-spawn), so more means
lost lines."""

OPEN_MAX = 500_000
"""Letters whose end has not been seen; a queue of this size has left the log behind."""


class Try(Struct, frozen=True, gc=False):
    """One try for one recipient: when it ended, and how. `place` is the recipient's among the letter's."""

    at: int
    place: int
    result: Literal["delivered", "deferred", "failed"]
    cause: str = ""
    code: int = 0
    status: str = ""


class Letter(Struct):
    """One message as the log shows it. `sender` is None when its `info` line is not in the log, "" for a
    bounce.

    `recipients` as the log names them (see `DeliveryStarted.where`); `waiting`: those to be tried again, by
    name. `account`, `address`, `login`, `ident` and `confidence` are known where the log itself says who
    sent it, and how surely: then `told` is True, also where nobody signed in, and `row` is the login's place
    in the ledger. `count` is the number of recipients where it is more than those listed. `dropped`: no
    message of its own, for it was refused, or is another one's way through a filter.
    """

    number: int
    at: int
    file: int
    line: int
    sender: str | None = None
    size: int = 0
    qp: int = 0
    recipients: list[bytes] = []
    tries: list[Try] = []
    waiting: dict[bytes, list[int]] | None = None
    ended: bool = False
    bounce_of: "Letter | None" = None
    account: str = ""
    address: str = ""
    login: str = ""
    ident: str = ""
    count: int = 0
    confidence: float = 1.0
    told: bool = False
    row: int = -1
    dropped: bool = False

    @property
    def owner(self) -> str:
        """Under whose name it is kept: the account's that sent it, else the sender's, to be guessed by."""
        return self.account or ("" if self.told else self.sender or "")

    @property
    def recipient_count(self) -> int:
        return max(self.count, len(self.recipients))

    def results(self) -> dict[int, str]:
        """How each recipient stands at the end of the log, by its place; those never tried to the end are
        absent."""
        return {attempt.place: attempt.result for attempt in self.tries}

    def addresses(self) -> list[str]:
        return [recipient_of(where) for where in self.recipients]

    def address_at(self, place: int) -> str:
        return recipient_of(self.recipients[place])

    def start(self, recipient: bytes) -> int:
        """The place of a recipient that is tried now: its own again after a deferral, a new one else."""
        again = self.waiting.get(recipient) if self.waiting else None
        if again:
            return again.pop()
        self.recipients.append(recipient)
        return len(self.recipients) - 1

    def done(self, place: int) -> None:
        """The try under way has ended: it is not waited for, if it was."""
        if self.waiting:
            same = self.waiting.get(self.recipients[place])
            if same and place in same:
                same.remove(place)

    def wait(self, place: int) -> None:
        """This recipient will be tried again."""
        if self.waiting is None:
            self.waiting = {}
        self.waiting.setdefault(self.recipients[place], []).append(place)


class Mailroom:
    """One queue. `file` is the log that is read now; `begun` collects letters as they begin, for whoever
    asked."""

    def __init__(self) -> None:
        self.file = 0
        self.begun: list[Letter] = []
        self._open: dict[int, Letter] = {}
        self._pending: dict[int, tuple[Letter, int]] = {}
        self._bounces: dict[int, Letter] = {}
        self._last_delivery = 0
        self.kinds: Counter[str] = Counter()
        self._handlers: dict[type, Callable[[int, int, Any], None]] = {
            DeliveryStarted: self._started,
            DeliveryEnded: self._ended,
            MessageInfo: self._info,
            MessageEnded: self._close,
            BounceQueued: self._bounced,
            BounceDropped: self._close,
        }

    def take(self, at: int, line: int, fact: QmailFact) -> None:
        handler = self._handlers.get(type(fact))
        if handler is not None:  # else it says nothing about a letter
            handler(at, line, fact)

    def _info(self, at: int, line: int, fact: MessageInfo) -> None:
        self._close(at, line, fact)  # if its end is missing: the number could not be free otherwise
        letter = self._begin(fact.number, at, line)
        letter.sender, letter.size, letter.qp = fact.sender, fact.size, fact.qp
        if not fact.sender:
            letter.bounce_of = self._bounces.pop(fact.qp, None)

    def _begin(self, number: int, at: int, line: int) -> Letter:
        letter = Letter(number, at, self.file, line)
        if len(self._open) >= OPEN_MAX:
            self._open.pop(next(iter(self._open))).ended = True
        self._open[number] = letter
        self.begun.append(letter)
        return letter

    def _started(self, at: int, line: int, fact: DeliveryStarted) -> None:
        if fact.delivery <= self._last_delivery:
            self._restarted()
        self._last_delivery = fact.delivery
        letter = self._open.get(fact.number) or self._begin(fact.number, at, line)
        if len(self._pending) >= PENDING_MAX:
            self._pending.pop(next(iter(self._pending)))
        self._pending[fact.delivery] = (letter, letter.start(fact.where))

    def _restarted(self) -> None:
        """What was under way is tried again under other numbers. Its results are still taken, for a log whose
        lines are not quite in order shows falling numbers too."""
        for letter, place in self._pending.values():
            letter.wait(place)

    def _ended(self, at: int, line: int, fact: DeliveryEnded) -> None:
        under_way = self._pending.pop(fact.delivery, None)
        if under_way is None:
            return  # it began before the log
        if fact.kind:
            self.kinds[fact.kind] += 1
        letter, place = under_way
        letter.done(place)
        letter.tries.append(Try(at, place, fact.result, fact.cause, fact.code, fact.status))
        if fact.result == "deferred":
            letter.wait(place)

    def _bounced(self, at: int, line: int, fact: BounceQueued) -> None:
        letter = self._open.get(fact.number)
        if letter is not None:
            if len(self._bounces) >= PENDING_MAX:
                self._bounces.pop(next(iter(self._bounces)))
            self._bounces[fact.qp] = letter

    def _close(self, at: int, line: int, fact: MessageInfo | MessageEnded | BounceDropped) -> None:
        letter = self._open.pop(fact.number, None)
        if letter is not None:
            letter.ended = True
            letter.waiting = None
