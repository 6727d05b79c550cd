"""Plays visits against a gate, moment by moment, and tells the events a mail server would have recorded.

The gate decides as the guard would: who may log in, whose mail waits or is held. `OPEN` lets everybody
through: what then comes out is what a log says where nobody watched.
"""

import heapq
from collections.abc import Iterable, Iterator
from typing import Literal, Protocol

from msgspec import Struct

from sekisho.lab.places import Find
from sekisho.lab.telling import Telling
from sekisho.lab.visits import SECOND, Letter, Visit
from sekisho.model.event import Accepted, Event, LoginTried

WRONG_PASSWORD_S = 3
"""So long after a wrong password the client tries the next one."""


class Answer(Struct, frozen=True):
    treatment: Literal["pass", "delay", "hold", "refuse"] = "pass"
    delay_s: float = 0.0


PASS = Answer()


class Gate(Protocol):
    """The guard, as the server uses it."""

    def observe(self, event: Event) -> None:
        """Something that cannot be answered: a wrong password, a delivery's result."""

    def judge(self, event: Event) -> Answer:
        """Observes a login, a recipient or a letter, and says what is to be done with it."""

    def caught(self, account: str, address: str, at: int) -> bool:
        """Whether mail from there that has waited until now was held meanwhile."""


class Open:
    """Nobody watches."""

    def observe(self, event: Event) -> None:
        return None

    def judge(self, event: Event) -> Answer:
        return PASS

    def caught(self, account: str, address: str, at: int) -> bool:
        return False


OPEN = Open()

What = Literal["entered", "denied", "accepted", "delayed", "held", "left", "refused"]


class Fate(Struct, frozen=True):
    """What became of a visit (entered, denied) or of one letter of it with so many recipients."""

    visit: Visit
    at: int
    what: What
    recipients: int = 0


class Play:
    """One run. `fates` is filled for whoever counts, who may empty it at any moment."""

    def __init__(self, find: Find, gate: Gate = OPEN, source: str = "lab") -> None:
        self._gate = gate
        self._telling = Telling(find, source)
        self._moments: list[tuple[int, int, Iterator[int]]] = []
        self._started = 0
        self._now = 0
        self._out: list[Event] = []
        self.fates: list[Fate] = []

    def run(self, visits: Iterable[Visit]) -> Iterator[Event]:
        """`visits` in time order; the events come in time order too, deliveries among them."""
        for visit in visits:
            yield from self._until(visit.at)
            self._resume(visit.at, self._session(visit))
        yield from self._until(None)

    def _until(self, at: int | None) -> Iterator[Event]:
        """Lets everything happen that happens up to `at`."""
        while self._moments and (at is None or self._moments[0][0] <= at):
            self._now, _, life = heapq.heappop(self._moments)
            following = next(life, None)
            if following is not None:
                self._resume(following, life)
            yield from self._out
            self._out.clear()

    def _resume(self, at: int, life: Iterator[int]) -> None:
        self._started += 1
        heapq.heappush(self._moments, (max(at, self._now), self._started, life))

    def _after(self, seconds: float) -> int:
        return self._now + int(seconds * SECOND)

    def _happens(self, event: Event) -> None:
        self._gate.observe(event)
        self._out.append(event)

    def _judged(self, event: Event) -> Answer:
        answer = self._gate.judge(event)
        self._out.append(event)
        return answer

    def _fate(self, visit: Visit, what: What, recipients: int = 0) -> None:
        self.fates.append(Fate(visit, self._now, what, recipients))

    def _session(self, visit: Visit) -> Iterator[int]:
        """A client connects, logs in and sends; yields the moment at which it goes on."""
        session = self._telling.ident(self._now)
        for _ in range(visit.wrong):
            self._happens(self._telling.wrong_login(visit, session, self._now))
            yield self._after(WRONG_PASSWORD_S)
        if not visit.right:
            return
        login = self._telling.login(visit, session, self._now)
        if self._judged(login).treatment == "refuse":
            self._fate(visit, "denied", sum(len(letter.recipients) for letter in visit.letters))
            return
        self._fate(visit, "entered")
        for letter in visit.letters:
            yield self._after(visit.pause_s)
            if not self._transaction(visit, letter, login):
                return

    def _transaction(self, visit: Visit, letter: Letter, login: LoginTried) -> bool:
        """One letter, recipient by recipient; False where the session ends with it."""
        count = len(letter.recipients)
        for recipient in letter.recipients:
            named = self._telling.recipient(login, letter.sender, recipient, self._now)
            if self._judged(named).treatment == "refuse":
                self._fate(visit, "refused", count)
                return False
        accepted = self._telling.accepted(login, letter, self._now)
        answer = self._judged(accepted)
        if answer.treatment == "refuse":
            self._fate(visit, "refused", count)
            return False
        self._fate(visit, "accepted", count)
        if answer.treatment == "hold":
            self._fate(visit, "held", count)
        else:
            self._resume(self._now, self._road(visit, letter, accepted, answer))
        return True

    def _road(self, visit: Visit, letter: Letter, accepted: Accepted, answer: Answer) -> Iterator[int]:
        """An accepted letter waits where told to, is caught if the account is contained, or goes."""
        count = len(letter.recipients)
        if answer.treatment == "delay":
            self._fate(visit, "delayed", count)
            yield self._after(answer.delay_s)
            if self._gate.caught(visit.account, visit.address, self._now):
                self._fate(visit, "held", count)
                return
        self._fate(visit, "left", count)
        yield self._after(letter.after_s)
        for number in range(count):
            self._happens(self._telling.tried(accepted, letter, number, self._now))
        if letter.deferred:
            yield self._after(letter.retry_s)
            for number in range(count):
                if letter.recipients[number] in letter.deferred:
                    self._happens(self._telling.tried_again(accepted, letter, number, self._now))


def events(visits: Iterable[Visit], find: Find, source: str = "lab") -> Iterator[Event]:
    """What a log would tell of these visits where nobody stopped anybody."""
    return Play(find, OPEN, source).run(visits)
