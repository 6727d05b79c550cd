"""Plays visits against a gate, moment by moment, and tells the events a mail server would have recorded.

The gate decides as the guard would: who may log in, whose mail waits or is held. `OPEN` lets everything through:
that is what a log says where nobody watched.
"""

import heapq
from collections.abc import Iterable, Iterator
from typing import Literal, Protocol

from msgspec import Struct

from sekisho.lab.places import Find
from sekisho.lab.visits import SECOND, Letter, Visit
from sekisho.model.envelope import Network
from sekisho.model.event import RECIPIENTS_KEPT, Accepted, DeliveryTried, Event, Happened, LoginTried, RecipientGiven
from sekisho.model.ident import make_id
from sekisho.model.verdict import Reply

TOOK = Reply(250, "2.1.5", "accepted")
LATER = Reply(451, "4.3.0", "try again later")
UNKNOWN = Reply(550, "5.1.1", "no such user")
FINAL_CHECK_S = 600
"""Mail that is still held after this long is not asked about again: only a person lets it go."""


class Answer(Struct, frozen=True):
    """What the gate says: pass, delay (with `delay_s`), hold or refuse."""

    treatment: Literal["pass", "delay", "hold", "refuse"] = "pass"
    delay_s: float = 0.0


class Gate(Protocol):
    def observe(self, event: Event) -> None: ...

    def ask(self, account: str, address: str, at: int) -> Answer:
        """How this account's client at this address stands now."""


class Open:
    """Nobody watches."""

    def observe(self, event: Event) -> None:
        return None

    def ask(self, account: str, address: str, at: int) -> Answer:
        return PASS


PASS = Answer()
OPEN = Open()


class Fate(Struct, frozen=True):
    """What became of one visit or letter; `of` is the visit it belongs to."""

    of: Visit
    at: int
    what: Literal["login", "denied", "accepted", "left", "delayed", "held", "refused"]
    recipients: int = 0


class Play:
    """One run. `fates` grows by what happened to letters, for the counting."""

    def __init__(self, find: Find, gate: Gate = OPEN, source: str = "lab") -> None:
        self._find = find
        self._gate = gate
        self._source = source
        self._networks: dict[str, Network] = {}
        self._moments: list[tuple[int, int, Iterator[int]]] = []
        self._count = 0
        self._out: list[Event] = []
        self.fates: list[Fate] = []

    def run(self, visits: Iterable[Visit]) -> Iterator[Event]:
        """`visits` in time order; events come in time order, deliveries among them."""
        for visit in visits:
            yield from self._until(visit.at)
            self._later(visit.at, self._session(visit))
        yield from self._until(None)

    def _until(self, at: int | None) -> Iterator[Event]:
        while self._moments and (at is None or self._moments[0][0] <= at):
            now, _, life = heapq.heappop(self._moments)
            self._now = now
            following = next(life, None)
            yield from self._out
            self._out.clear()
            if following is not None:
                self._later(max(following, now), life)

    def _later(self, at: int, life: Iterator[int]) -> None:
        self._count += 1
        heapq.heappush(self._moments, (at, self._count, life))

    def _tell(self, event: Event) -> None:
        self._gate.observe(event)
        self._out.append(event)

    def _fate(self, visit: Visit, what: str, recipients: int = 0) -> None:
        self.fates.append(Fate(visit, self._now, what, recipients))  # type: ignore[arg-type]

    def _session(self, visit: Visit) -> Iterator[int]:
        """A client connects, logs in and sends; yields when it goes on."""
        session = self._id()
        for _ in range(visit.wrong):
            self._tell(self._login(visit, session, ok=False))
            yield self._now + 3 * SECOND
        if not visit.right:
            return
        login = self._login(visit, session, ok=True)
        self._tell(login)
        if self._ask(visit).treatment == "refuse":
            self._fate(visit, "denied", sum(len(letter.recipients) for letter in visit.letters))
            return
        self._fate(visit, "login")
        for letter in visit.letters:
            yield self._now + int(visit.pause_s * SECOND)
            if not self._letter(visit, letter, login):
                return

    def _letter(self, visit: Visit, letter: Letter, login: LoginTried) -> bool:
        """One transaction; False ends the session."""
        for recipient in letter.recipients:
            self._tell(
                RecipientGiven(**self._common(visit, login.session), sender=letter.sender, recipient=recipient)
            )
            if self._ask(visit).treatment == "refuse":
                self._fate(visit, "refused", len(letter.recipients))
                return False
        accepted = Accepted(
            **self._common(visit, login.session),
            message=self._id(),
            sender=letter.sender,
            recipients=letter.recipients[:RECIPIENTS_KEPT],
            recipient_count=len(letter.recipients),
            size=letter.size,
            login=login.id,
            subject=letter.subject,
        )
        self._tell(accepted)
        answer = self._ask(visit)
        if answer.treatment == "refuse":
            self._fate(visit, "refused", len(letter.recipients))
            return False
        self._fate(visit, "accepted", len(letter.recipients))
        if answer.treatment == "hold":
            self._fate(visit, "held", len(letter.recipients))
        else:
            self._later(self._now, self._road(visit, letter, accepted, answer.delay_s if answer.treatment == "delay" else 0))
        return True

    def _road(self, visit: Visit, letter: Letter, accepted: Accepted, delay_s: float) -> Iterator[int]:
        """An accepted letter: waits where told to, is caught if the account is contained meanwhile, and leaves."""
        if delay_s:
            self._fate(visit, "delayed", len(letter.recipients))
            yield self._now + int(delay_s * SECOND)
            if self._ask(visit).treatment in ("hold", "refuse"):
                self._fate(visit, "held", len(letter.recipients))
                return
        self._fate(visit, "left", len(letter.recipients))
        yield self._now + int(letter.after_s * SECOND)
        for number, recipient in enumerate(letter.recipients):
            self._tell(self._tried(accepted, recipient, number, letter))
        if letter.deferred:
            yield self._now + int(letter.retry_s * SECOND)
            for number, recipient in enumerate(letter.recipients):
                if recipient in letter.deferred:
                    self._tell(self._tried(accepted, recipient, number, None))

    def _tried(self, accepted: Accepted, recipient: str, number: int, letter: Letter | None) -> DeliveryTried:
        """`letter` says how the first try ends; the second one, without it, always ends well."""
        result: Literal["delivered", "deferred", "failed"] = "delivered"
        reply, cause = TOOK, ""
        if letter and recipient in letter.refused:
            result, reply, cause = "failed", UNKNOWN, "5yz"
        elif letter and recipient in letter.deferred:
            result, reply, cause = "deferred", LATER, "4yz"
        return DeliveryTried(
            id=self._id(),
            at=self._now,
            source=self._source,
            account=accepted.account,
            address=accepted.address,
            network=accepted.network,
            message=accepted.message,
            delivery=f"{accepted.message}.{number}",
            recipient=recipient,
            result=result,
            reply=reply,
            cause=cause,
            host=recipient.rpartition("@")[2],
        )

    def _login(self, visit: Visit, session: str, *, ok: bool) -> LoginTried:
        return LoginTried(
            **self._common(visit, session),
            service=visit.service,
            ok=ok,
            mechanism="plain",
            why="" if ok else "password",
            digest="" if ok else "stale",
            fingerprint=visit.fingerprint,
        )

    def _common(self, visit: Visit, session: str) -> dict[str, object]:
        return {
            "id": self._id(),
            "at": self._now,
            "source": self._source,
            "session": session,
            "account": visit.account,
            "address": visit.address,
            "network": self._network(visit.address),
        }

    def _network(self, address: str) -> Network:
        if address not in self._networks:
            if len(self._networks) >= NETWORKS_KEPT:
                self._networks.clear()
            self._networks[address] = self._find(address)
        return self._networks[address]

    def _ask(self, visit: Visit) -> Answer:
        return self._gate.ask(visit.account, visit.address, self._now)

    def _id(self) -> str:
        self._count += 1
        return make_id(self._now, self._count)


NETWORKS_KEPT = 100_000


def events(visits: Iterable[Visit], find: Find, source: str = "lab") -> Iterator[Event]:
    """What a log would tell of these visits where nobody stopped anybody."""
    return Play(find, OPEN, source).run(visits)


__all__ = ["OPEN", "PASS", "Answer", "Fate", "Gate", "Open", "Play", "events", "Happened"]
