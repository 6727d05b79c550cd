"""Lines as they are written -> events, by the same readers that scan uses.

A reader fills a ledger; this ledger keeps nothing but what is new. Sign-ins become events at once; a letter
when its sender and a recipient are known, further recipients and results as they come. Which sign-in sent a
letter is guessed as scan guesses it (`joining`), where the log does not say so.

An event's id is made from its line, so that the same line read twice, from a second file or after a restart,
is the same event.
"""

import hashlib
from collections import deque
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from sekisho.logs.facts import Login
from sekisho.logs.joining import SENDING, WITHIN_S, join
from sekisho.logs.ledger import Ledger, Visit
from sekisho.logs.mailroom import Letter
from sekisho.logs.own_events import OwnEvents
from sekisho.logs.reading import Place, Reader
from sekisho.logs.stamp import DAY_S, SECOND, Calendar
from sekisho.logs.story import reply_of
from sekisho.model.event import (
    RECIPIENTS_KEPT,
    Accepted,
    DeliveryTried,
    Event,
    LoginTried,
    RecipientGiven,
    Returned,
    Trust,
)

LETTERS_MAX = 50_000
"""Letters whose further results are waited for; above it the oldest are given up."""
LETTER_S = 6 * DAY_S
"""So long after its last news: servers try for five days."""
SENDERS_MAX = 20_000
"""Accounts whose latest sign-ins are remembered, those heard of last."""
VISITS_KEPT = 16
SESSIONS_KEPT = 20_000
HOSTS_MAX = 1000
"""Hosts in one source whose qmail queues are remembered."""
TEXTS_MAX = 100_000
"""Distinct sign-in texts, whose failures are without number: above it they are learned anew."""

Told = LoginTried | RecipientGiven | Accepted | DeliveryTried | Returned


class Origin(Struct, frozen=True):
    """Where lines come from: its name in events ("log:maillog"), and how far it is believed."""

    source: str
    trust: Trust = "sealed"


class Following(Struct):
    """A letter and what was told of it. `key` is its part of its events' ids."""

    letter: Letter
    origin: Origin
    key: str
    known: bool
    login: Visit | None = None
    confidence: float = 1.0
    account: str = ""
    address: str = ""
    told: bool = False
    recipients: int = 0
    tries: int = 0
    last: int = 0


class _Fresh(Ledger):
    """A ledger that keeps what came since it was last emptied."""

    def __init__(self) -> None:
        super().__init__()
        self.visits_begun: list[Visit] = []
        self.letters_begun: list[Letter] = []
        self.events: list[Event] = []
        self._row = 0
        self._sessions: dict[str, None] = {}

    def begin_file(self) -> None:
        pass

    def add(self, at: int, key: int, line: int, pid: int) -> int:
        self._row += 1
        self.visits_begun.append(Visit(at, self.logins[key], 0, line, pid, self._row))
        return self._row

    def add_event(self, at: int, key: int, line: int, event: str) -> None:
        """A session that several letters refer to signs in once."""
        if event not in self._sessions:
            self._sessions[event] = None
            if len(self._sessions) > SESSIONS_KEPT:
                del self._sessions[next(iter(self._sessions))]
            self.add(at, key, line, 0)

    def take(self, letters: Iterable[Letter]) -> None:
        self.letters_begun.extend(letters)

    def forget_texts(self) -> None:
        self.logins.clear()
        self._keys.clear()


class _Own(OwnEvents):
    """Another sekisho's archive holds events already."""

    def __init__(self, ledger: _Fresh) -> None:
        super().__init__(ledger)
        self._fresh = ledger

    def take(self, event: Event, file: int, line: int) -> None:
        if isinstance(event, Told):
            self._fresh.events.append(event)


class Stream:
    """One source's reader. `read` takes lines; what they tell waits in the desk's order. `at`: the latest
    time of which they told."""

    def __init__(self, desk: "LiveDesk", origin: Origin, calendar: Calendar) -> None:
        self._desk = desk
        self.origin = origin
        self.at = 0
        self._ledger = _Fresh()
        self.reader = Reader(self._ledger)
        self.reader.own = _Own(self._ledger)
        self.reader.begin(Place(0, origin.source.encode(errors="replace"), calendar))

    def read(self, lines: Iterable[bytes], *, known: bool = False) -> None:
        """`known`: they were told before, and are read to understand those that follow."""
        ledger, shapes = self._ledger, self.reader.shapes
        unknown = shapes.count
        for line in lines:
            self.reader.read_line(line)
            if ledger.visits_begun or ledger.letters_begun or ledger.events:
                self._tell_time()
                self._desk.hear(self.origin, ledger.visits_begun, ledger.letters_begun, line, known)
                if not known:
                    self._desk.pass_on(self.origin, ledger.events)
                ledger.visits_begun, ledger.letters_begun, ledger.events = [], [], []
        if known:
            shapes.count = unknown  # they were counted before
        if len(ledger.logins) > TEXTS_MAX:
            ledger.forget_texts()
            self.reader.forget()
        self.reader.forget_rooms(HOSTS_MAX)
        self._desk.settle(known)

    def _tell_time(self) -> None:
        ledger = self._ledger
        told = (*ledger.visits_begun, *ledger.letters_begun, *ledger.events)
        self.at = max(self.at, *(one.at for one in told))


class LiveDesk:
    """All streams together: whose letter it is may stand in another file than that it was sent."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._following: dict[int, Following] = {}
        self._visits: dict[str, deque[tuple[Visit, str]]] = {}
        self._number = 0

    def stream(self, origin: Origin, calendar: Calendar) -> Stream:
        return Stream(self, origin, calendar)

    def events(self, until: int = 2**62) -> list[Event]:
        """What is new, in order of time: of one moment, sign-ins before letters before their results. Letters
        that began after `until` wait: another file may still tell who signed in for them."""
        for following in list(self._following.values()):
            if following.told or following.letter.at <= until:
                self._look_at(following)
        self._give_up(until)
        found = sorted(self._events, key=_order)
        self._events = []
        return found

    def hear(
        self, origin: Origin, visits: list[Visit], letters: list[Letter], line: bytes, known: bool
    ) -> None:
        name = hashlib.blake2b(line, digest_size=12).hexdigest()
        for place, visit in enumerate(visits):
            ident = f"{name}-{place}" if place else name
            self._remember(visit, ident)
            if not known:
                self._events.append(_login(visit.login, visit.at, ident, origin))
        for letter in letters:
            self._number += 1
            self._following[self._number] = Following(letter, origin, name, known, last=letter.at)

    def pass_on(self, origin: Origin, events: list[Event]) -> None:
        self._events.extend(replace(event, source=origin.source, trust=origin.trust) for event in events)

    def settle(self, known: bool) -> None:
        """What was read again is not told again."""
        if known:
            for following in self._following.values():
                if following.known:
                    self._claim(following)
                    following.told = following.told or _is_ready(following)
                    following.recipients = len(following.letter.recipients)
                    following.tries = len(following.letter.tries)

    def _remember(self, visit: Visit, ident: str) -> None:
        login = visit.login
        if login.ok and login.service in SENDING and login.account:
            visits = self._visits.pop(login.account, None)
            if visits is None:
                visits = deque(maxlen=VISITS_KEPT)
                if len(self._visits) >= SENDERS_MAX:
                    del self._visits[next(iter(self._visits))]
            visits.append((visit, ident))
            self._visits[login.account] = visits

    def _look_at(self, following: Following) -> None:
        letter = following.letter
        late = following.told and letter.account and not following.account
        if late or (not following.told and _is_ready(following)):
            self._claim(following)
            following.told = True
            if following.account:
                self._events.append(self._accepted(following))
            following.recipients = len(letter.recipients)
        if following.told:
            self._tell_rest(following)

    def _tell_rest(self, following: Following) -> None:
        letter = following.letter
        for where in range(following.recipients, len(letter.recipients)):
            following.last = max(following.last, letter.at)
            if following.account:
                self._events.append(_named(following, where))
        following.recipients = len(letter.recipients)
        for number in range(following.tries, len(letter.tries)):
            self._events.append(_tried(following, number))
            following.last = letter.tries[number].at
        following.tries = len(letter.tries)

    def _claim(self, following: Following) -> None:
        """Whose it is: as the log says, else of the sign-in that most likely sent it."""
        letter = following.letter
        if letter.account:
            following.account, following.address = letter.account, letter.address
            following.confidence = letter.confidence
        if letter.account or letter.told:
            return  # nothing to guess
        visits = self._visits.get(letter.sender or "")
        if visits is None or following.account:
            return
        near = [visit for visit, _ in visits if letter.at - visit.at <= WITHIN_S * SECOND]
        (found,) = join(near, [letter])
        if found.visit is not None:
            following.account, following.address = found.visit.login.account, found.visit.login.address
            following.login, following.confidence = found.visit, found.confidence

    def _accepted(self, following: Following) -> Accepted:
        letter, origin = following.letter, following.origin
        recipients = letter.addresses()
        return Accepted(
            id=f"{following.key} letter", at=letter.at, source=origin.source, trust=origin.trust,
            session=following.key, account=following.account, address=following.address,
            message=_name(following), sender=letter.sender or "",
            recipients=tuple(recipients[:RECIPIENTS_KEPT]), recipient_count=letter.recipient_count,
            size=letter.size, login=self._ident(following), confidence=following.confidence,
        )  # fmt: skip

    def _ident(self, following: Following) -> str:
        if following.login is None:
            return following.letter.login
        visits = self._visits.get(following.login.login.account, ())
        return next((ident for visit, ident in visits if visit == following.login), "")

    def _give_up(self, until: int) -> None:
        newest = max((following.last for following in self._following.values()), default=0)
        for number, following in list(self._following.items()):
            ended = following.letter.ended and following.letter.at <= until
            over = ended or newest - following.last > LETTER_S * SECOND
            if over or len(self._following) > LETTERS_MAX:
                del self._following[number]


def _is_ready(following: Following) -> bool:
    """Its sender and somebody whom it is for are known; a letter whose beginning is not in the log is
    nobody's."""
    letter = following.letter
    return not letter.dropped and bool(letter.recipients or letter.count or letter.ended)


def _name(following: Following) -> str:
    return following.letter.ident or f"{following.letter.number}-{following.key[:8]}"


def _login(login: Login, at: int, ident: str, origin: Origin) -> LoginTried:
    return LoginTried(
        id=ident, at=at, source=origin.source, trust=origin.trust, account=login.account,
        address=login.address, service=login.service, ok=login.ok, mechanism=login.mechanism, why=login.why,
        digest=login.digest, fingerprint=login.fingerprint,
    )  # fmt: skip


def _named(following: Following, where: int) -> RecipientGiven:
    letter, origin = following.letter, following.origin
    return RecipientGiven(
        id=f"{following.key} to {where}", at=letter.at, source=origin.source, trust=origin.trust,
        session=following.key, account=following.account, address=following.address,
        sender=letter.sender or "", recipient=letter.address_at(where),
    )  # fmt: skip


def _tried(following: Following, number: int) -> DeliveryTried:
    letter, origin = following.letter, following.origin
    attempt = letter.tries[number]
    return DeliveryTried(
        id=f"{following.key} try {number}", at=attempt.at, source=origin.source, trust=origin.trust,
        account=following.account, address=following.address, message=_name(following),
        delivery=str(attempt.place), recipient=letter.address_at(attempt.place), result=attempt.result,
        reply=reply_of(attempt), cause=attempt.cause,
        local=letter.recipients[attempt.place].startswith(b"local "),
    )  # fmt: skip


def _order(event: Event) -> tuple[int, int]:
    return event.at, _RANKS.get(type(event), 3)


_RANKS = {LoginTried: 0, Accepted: 1, RecipientGiven: 2, DeliveryTried: 3}
