"""sendmail's log: sign-ins, letters of the same session, what became of each recipient.

    AUTH=server, relay=pc.example.org [192.0.2.40], authid=a@example.com, mech=PLAIN, bits=0
    56VFYCxS024291: from=<a@example.com>, size=9, ..., nrcpts=2, ..., proto=ESMTPSA, relay=[192.0.2.40]
    56VFYCxS024291: to=<b@example.net>, ctladdr=<a@example.com>, delay=..., dsn=5.1.1, stat=User unknown

One process serves one connection, so a letter of the same process from the same address belongs to the
sign-in before it. `relay=` is the last field: what a stranger wrote before it cannot replace it.
"""

import re

from msgspec import Struct

from sekisho.logs.books import Books
from sekisho.logs.facts import Login, ip_address
from sekisho.logs.replies import Result, told
from sekisho.logs.saying import Saying
from sekisho.logs.stamp import SECOND
from sekisho.model.address import normal
from sekisho.model.text import printable

NAME = "sendmail"
PROGRAMS = frozenset({
    "sendmail", "sendmail-mta", "sm-mta", "sm-msa", "sm-msp", "sm-msp-queue", "sm-mta-queue", "sm-client",
    "sm-que", "sm-acceptingconnections",
})  # fmt: skip

SURE, LIKELY = 0.99, 0.95
"""A letter whose protocol says that its session had signed in (RFC 3848), and one of an older sendmail,
which does not say it."""

SESSION_S = 7200
"""Later the process number may be another connection's."""

SESSIONS_MAX = 20_000

_NAMED = re.compile(r"(NOQUEUE|(?=\w{0,19}\d)[0-9A-Za-z]{8,20}): (.*)", re.DOTALL)
_ADDRESS = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f:.]+)\](?: \(may be forged\))?")
_SIGNED = re.compile(r"AUTH=server, relay=([^,]*), authid=(.*), mech=([^,]*), bits=\d+", re.DOTALL)
_FAILED = re.compile(r"AUTH failure \(([^()]*)\): (.*), relay=(.*)", re.DOTALL)
_USER = re.compile(r".*, user=(.*)", re.DOTALL)
_FROM = re.compile(
    r"from=(.*?), size=(\d+), class=-?\d+, (?:pri=-?\d+, )?nrcpts=(\d+)(.*), relay=(.*)", re.DOTALL
)
_PROTOCOL = re.compile(r".*, proto=([A-Z8]+)\b", re.DOTALL)
_STATUS = re.compile(r"(?:^|, )dsn=(\d\.\d{1,3}\.\d{1,3})(?=,|$)")
_RECIPIENT = re.compile(r"<([^<>]*)>|([^,<>\s]+)")
_ATTACK = re.compile(r"(.*): possible SMTP attack: command=AUTH, count=\d+")
_REPORT = r"(?:DSN|return to sender|postmaster notify|sender notify)"
_BOUNCE = re.compile(rf"([0-9A-Za-z]{{8,20}}): {_REPORT}: .*", re.DOTALL)
_ABOUT = re.compile(
    r"ruleset=|STARTTLS|TLS|tls_|AUTH(?: |=)|[Mm]ilter|lost input channel|rejecting commands|timeout waiting"
    r"|collect: |SYSERR|alias(?:es)? |start(?:ing daemon|ed as: )|stopping daemon|restarting |SMTP outgoing"
    r"|Authentication-Warning|DSN: |low on space|Losing |<.*\.\.\. |clone |done; |\S+: clone"
    r"|[^:]*\[(?:IPv6:)?[0-9A-Fa-f:.]+\](?: \(may be forged\))?"
    r"(?: did not issue |: (?:possible SMTP|probable|Too many|EXPN|VRFY|expn|vrfy) )"
)


class _Session(Struct, frozen=True):
    at: int
    login: Login
    row: int


class Sendmail:
    name = NAME
    programs = PROGRAMS

    def __init__(self, books: Books) -> None:
        self._books = books
        self._sessions: dict[tuple[bytes, int], _Session] = {}

    def claims(self, text: str) -> bool:
        """Without a program's name nothing is sendmail's."""
        return False

    def hear(self, said: Saying) -> bool:
        named = _NAMED.fullmatch(said.text)
        name, text = (named[1], named[2]) if named else ("", said.text)
        if text.startswith("AUTH=server, "):
            return self._signed(said, text)
        if text.startswith("AUTH failure ("):
            return self._failed(said, text)
        if name and text.startswith("from="):
            return self._came(said, name, text)
        if name and text.startswith("to="):
            return self._went(said, name, text)
        attack = _ATTACK.fullmatch(text)
        if attack is not None:
            return self._guessed(said, attack[1])
        bounce = _BOUNCE.fullmatch(text) if name else None
        if bounce is not None:
            self._books.bounced(said, name, bounce[1])
            return True
        return _ABOUT.match(text) is not None

    def _signed(self, said: Saying, text: str) -> bool:
        match = _SIGNED.fullmatch(text)
        if match is None:
            return False
        address = _address(match[1])
        if not address:
            return True  # a program on this host
        login = Login("smtp", True, normal(printable(match[2])), address, printable(match[3]))
        if len(self._sessions) >= SESSIONS_MAX:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[said.host, said.pid] = _Session(said.at, login, self._books.session(said, login))
        return True

    def _failed(self, said: Saying, text: str) -> bool:
        match = _FAILED.fullmatch(text)
        if match is None:
            return False
        user = _USER.fullmatch(match[2])
        account = normal(printable(user[1])) if user else ""
        why = "unknown_user" if match[2].startswith("user not found") else "password"
        login = Login("smtp", False, account, _address(match[3]), printable(match[1]), why)
        self._books.failure(said, login)
        return True

    def _guessed(self, said: Saying, client: str) -> bool:
        """Older versions tell no single failure, but that there were many."""
        address = _address(client)
        if address:
            self._books.failure(said, Login("smtp", False, "", address, "", "password"))
        return True

    def _came(self, said: Saying, name: str, text: str) -> bool:
        match = _FROM.fullmatch(text)
        if match is None:
            return False
        if match[3] == "0":
            return True  # every recipient was refused: there is no letter
        letter = self._books.begin(
            said, name, normal(printable(match[1].removeprefix("<").removesuffix(">")))
        )
        if letter.line != said.line or letter.file != said.file:
            return True
        letter.size, letter.count = int(match[2]), int(match[3])
        session = self._sessions.get((said.host, said.pid))
        if session is not None and _is_same(session, said, _address(match[5])):
            protocol = _PROTOCOL.match(match[4])
            sure = protocol is not None and protocol[1].endswith("A")
            self._books.sign(letter, session.login, session.row, SURE if sure else LIKELY)
        self._books.enter(letter)
        return True

    def _went(self, said: Saying, name: str, text: str) -> bool:
        to, delay, rest = text.removeprefix("to=").partition(", delay=")
        before, stat, said_of_it = rest.partition(", stat=")
        if not delay or not stat:
            return False
        letter = self._books.find(said, name)
        if letter is None:
            return True  # it came before the log
        status = _STATUS.search(before)
        dsn = status[1] if status else ""
        result = told(_result(said_of_it, dsn), said_of_it, dsn)
        for found in _RECIPIENT.finditer(to.partition(", ctladdr=")[0]):
            self._books.tried(said, letter, normal(printable(found[1] or found[2])), result)
        if (
            not letter.ended
            and len(letter.tries) >= letter.count
            and "deferred" not in letter.results().values()
        ):
            letter.ended = True  # it may still be named by a report
        return True


def _is_same(session: _Session, said: Saying, address: str) -> bool:
    return session.login.address == address and 0 <= said.at - session.at <= SESSION_S * SECOND


def _address(relay: str) -> str:
    """Of `host [192.0.2.1] (may be forged)`, behind which there is nothing."""
    found = [match for match in _ADDRESS.finditer(relay) if match.end() == len(relay.rstrip())]
    return ip_address(found[0][1]) if found else ""


def _result(stat: str, dsn: str) -> Result:
    if stat.startswith("Sent") or dsn.startswith("2"):
        return "delivered"
    if stat.startswith("Deferred") or dsn.startswith("4"):
        return "deferred"
    return "failed"
