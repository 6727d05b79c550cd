"""One failed sign-in that two programs tell of: the door where it happened, and the authentication server.

Postfix before 3.8 does not say whose password was wrong, Dovecot's doors not whether such a user exists; the
authentication server says both, with the address. So its word waits a while for the door's; what no door
tells of was a failure too, and is counted then.
"""

from collections import deque

from msgspec import Struct

from sekisho.logs.facts import Login, Why
from sekisho.logs.ledger import Ledger
from sekisho.logs.saying import Saying
from sekisho.logs.stamp import SECOND

WAIT = 240 * SECOND
"""Dovecot's door tells of failures when the client leaves, after 3 minutes of silence at the latest."""

SAME = 3 * SECOND
"""Several tables are asked about one password within this time; a failure is answered 2 seconds late."""

NAMELESS = 30 * SECOND
"""A door that does not say whose password it was speaks within this time."""

WAITING_MAX = 100_000


class Whisper(Struct):
    """A password that the authentication server found wrong. `heard`: a door told of it too."""

    at: int
    line: int
    pid: int
    account: str
    address: str
    session: str
    why: Why
    heard: bool = False


class Attempt(Struct, frozen=True):
    """What a door tells of: `count` wrong passwords on one connection; `account` "" if it does not know."""

    service: str
    account: str
    address: str
    mechanism: str = ""
    count: int = 1
    why: Why = ""


class Whispers:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: deque[Whisper] = deque()
        self._by_address: dict[str, list[Whisper]] = {}

    def heard(self, said: Saying, account: str, address: str, told: tuple[str, Why]) -> None:
        """The authentication server's word; `told` is the session, if it is named, and why."""
        session, why = told
        self._expire(said.at - WAIT)
        near = self._by_address.setdefault(address, [])
        for other in reversed(near):
            alike = other.account == account and other.session in (session, "") and not other.heard
            if alike and said.at - other.at <= SAME:
                other.why = "password" if "password" in (why, other.why) else why
                return
        whisper = Whisper(said.at, said.line, said.pid, account, address, session, why)
        near.append(whisper)
        self._waiting.append(whisper)
        if len(self._waiting) > WAITING_MAX:
            self._tell(self._waiting.popleft())

    def failed(self, said: Saying, attempt: Attempt) -> None:
        """A door's word. It counts once, however many passwords were tried on the connection."""
        self._expire(said.at - WAIT)
        account, why = attempt.account, attempt.why
        left = attempt.count
        for whisper in reversed(self._by_address.get(attempt.address, ())):
            if whisper.heard or not left:
                continue
            if account and whisper.account != account:
                continue
            if not account and said.at - whisper.at > NAMELESS:
                break
            whisper.heard = True
            left -= 1
            account, why = whisper.account, whisper.why
        login = Login(attempt.service, False, account, attempt.address, attempt.mechanism, why)
        self._ledger.add(said.at, self._ledger.key(login), said.line, said.pid)

    def settle(self) -> None:
        """Nothing more is said in this file: what still waits is counted."""
        self._expire(2**62)

    def _expire(self, before: int) -> None:
        while self._waiting and self._waiting[0].at < before:
            self._tell(self._waiting.popleft())

    def _tell(self, whisper: Whisper) -> None:
        near = self._by_address[whisper.address]
        near.remove(whisper)
        if not near:
            del self._by_address[whisper.address]
        if not whisper.heard:
            login = Login("auth", False, whisper.account, whisper.address, why=whisper.why)
            self._ledger.add(whisper.at, self._ledger.key(login), whisper.line, whisper.pid)
