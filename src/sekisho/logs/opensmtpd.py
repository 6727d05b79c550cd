"""OpenSMTPD's log: sessions by their id, who signed in, which letters were sent and what became of them.

    smtpd[66]: f7a2e6aa567530c9 smtp connected address=192.0.2.70 host=pc.example.org
    smtpd[66]: f7a2e6aa567530c9 smtp authentication user=a result=ok
    smtpd[66]: f7a2e6aa567530c9 smtp message msgid=1d5e0a22 size=512 nrcpt=1 proto=ESMTP
    smtpd[66]: f7a2e6aa567530c9 smtp envelope evpid=1d5e0a22b7ab2c34 from=<a@example.com> to=<b@example.net>
    smtpd[66]: 0000000000000000 mta delivery evpid=1d5e0a22b7ab2c34 to=<...> ... result="Ok" stat="250 ok"

An envelope's id begins with its message's. Address and account are in different lines; the session joins
them for certain.
"""

import re

from msgspec import Struct

from sekisho.logs.books import Books
from sekisho.logs.facts import Login, ip_address
from sekisho.logs.replies import Result, told
from sekisho.logs.saying import Saying
from sekisho.model.address import normal
from sekisho.model.text import printable

NAME = "opensmtpd"

SESSIONS_MAX = 50_000
"""Sessions whose end has not been seen."""

MESSAGE_DIGITS = 8
"""So many digits of an envelope's id are its message's."""

_LINE = re.compile(
    r"(?:(smtp-in|smtp-out|mta|mda|smtp): )?([0-9a-f]{16}) ((?:smtp|mta|mda|lmtp|dispatcher)\b) ?(.*)",
    re.DOTALL,
)
_CONNECTED = re.compile(
    r"(?:event=)?connected (?:address=)?\[?([0-9A-Fa-f:.]+|local|IPv6:[0-9A-Fa-f:.]+)\]?(?: host=.*)?",
    re.DOTALL,
)
_SIGNED = re.compile(
    r"(?:event=)?authentication user=(.*) (?:address=\S+ )?(?:host=\S+ )?result=(\w+)", re.DOTALL
)
_MESSAGE = re.compile(
    r"(?:event=)?message (?:address=\S+ host=\S+ )?msgid=([0-9a-f]{8})(?: from=<(.*)> to=<(.*)>)?"
    r" size=(\d+) n(?:rcpt|dest)=(\d+) proto=\S+",
    re.DOTALL,
)
_ENVELOPE = re.compile(r"envelope evpid=([0-9a-f]{16}) from=<(.*?)> to=<(.*)>", re.DOTALL)
_DELIVERY = re.compile(
    r"(?:event=)?delivery evpid=([0-9a-f]{16}) (?:from=<[^<>]*> )?to=<([^<>]*)>(.*)", re.DOTALL
)
_RESULT = re.compile(r"\"?(\w+)\"? stat=(.*)", re.DOTALL)
_OLD = re.compile(
    r"smtp-in: (?:New session ([0-9a-f]{16}) from host (\S+) \[(.*)\]"
    r"|Accepted authentication for user (.*) on session ([0-9a-f]{16})"
    r"|Authentication failed for user (.*) on session ([0-9a-f]{16})"
    r"|Accepted message ([0-9a-f]{8}) on session ([0-9a-f]{16}): from=<(.*?)>, to=<(.*)>, size=(\d+),"
    r" ndest=(\d+), .*"
    r"|(?:Closing|Received disconnect from|Disconnecting) session ([0-9a-f]{16})(?:: .*)?)",
    re.DOTALL,
)
_ABOUT = re.compile(
    r"(?:smtp-in|smtp-out|relay|delivery|mta|mda|info|warn|warning|debug|smtp|control|queue|scheduler"
    r"|lookup|crypto): |[0-9a-f]{16} "
    r"|OpenSMTPD |startup|pony|exiting|table |pki |dispatcher"
)
_RESULTS: dict[str, Result] = {
    "ok": "delivered", "delivered": "delivered", "tempfail": "deferred", "permfail": "failed",
    "loop": "failed",
}  # fmt: skip


class _Session(Struct):
    address: str = ""
    login: Login | None = None
    row: int = -1


class OpenSmtpd:
    name = NAME
    programs = frozenset({"smtpd", "opensmtpd"})

    def __init__(self, books: Books) -> None:
        self._books = books
        self._sessions: dict[tuple[bytes, str], _Session] = {}

    def claims(self, text: str) -> bool:
        return _ABOUT.match(text) is not None

    def hear(self, said: Saying) -> bool:
        match = _LINE.fullmatch(said.text)
        if match is None:
            old = _OLD.fullmatch(said.text)
            if old is None:
                return _ABOUT.match(said.text) is not None
            self._old(said, old)
            return True
        key = (said.host, match[2])
        if match[3] != "smtp":
            return self._delivery(said, match[4])
        return self._smtp(said, key, match[4])

    def _smtp(self, said: Saying, key: tuple[bytes, str], text: str) -> bool:
        if match := _CONNECTED.fullmatch(text):
            self._connected(key, match[1])
        elif match := _SIGNED.fullmatch(text):
            self._signed(said, key, match[1], ok=match[2] == "ok")
        elif match := _MESSAGE.fullmatch(text):
            self._message(said, key, match[1], match[2] or "", int(match[4]), int(match[5]))
        elif match := _ENVELOPE.fullmatch(text):
            self._envelope(said, key, match)
        elif text.startswith(("disconnected", "event=closed")):
            self._sessions.pop(key, None)
        return True

    def _connected(self, key: tuple[bytes, str], address: str) -> None:
        if len(self._sessions) >= SESSIONS_MAX:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[key] = _Session(ip_address(address.removeprefix("IPv6:")))

    def _signed(self, said: Saying, key: tuple[bytes, str], user: str, *, ok: bool) -> None:
        session = self._sessions.setdefault(key, _Session())
        account = normal(printable(user))
        if not ok:
            self._books.failure(said, Login("smtp", False, account, session.address, "", "password"))
            return
        session.login = Login("smtp", True, account, session.address)
        session.row = self._books.session(said, session.login, key[1])

    def _envelope(self, said: Saying, key: tuple[bytes, str], match: "re.Match[str]") -> None:
        name = match[1][:MESSAGE_DIGITS]
        letter = self._books.find(said, name)
        if letter is None:
            self._message(said, key, name, match[2], 0, 0)
            letter = self._books.find(said, name)
        if letter is not None:
            if not letter.sender and match[2]:
                letter.sender = normal(printable(match[2]))
            self._books.expect(said, letter, normal(printable(match[3])))

    def _message(
        self, said: Saying, key: tuple[bytes, str], name: str, sender: str, size: int, count: int
    ) -> None:
        letter = self._books.find(said, name)
        if letter is not None:
            letter.size, letter.count = letter.size or size, max(letter.count, count)
            return
        letter = self._books.begin(said, name, normal(printable(sender)))
        letter.size, letter.count = size, count
        session = self._sessions.get(key)
        if session is not None and session.login is not None:
            self._books.sign(letter, session.login, session.row, 1.0)
        self._books.enter(letter)

    def _delivery(self, said: Saying, text: str) -> bool:
        match = _DELIVERY.fullmatch(text)
        if match is None:
            return True
        letter = self._books.find(said, match[1][:MESSAGE_DIGITS])
        ended = _RESULT.fullmatch(match[3].partition(" result=")[2])
        result = _RESULTS.get(ended[1].lower()) if ended else None
        if letter is not None and ended is not None and result is not None:
            self._books.tried(said, letter, normal(printable(match[2])), told(result, ended[2].strip('"')))
        return True

    def _old(self, said: Saying, match: "re.Match[str]") -> None:
        """As versions before 6.0 wrote it."""
        if match[1]:
            self._connected((said.host, match[1]), match[3])
        elif match[5]:
            self._signed(said, (said.host, match[5]), match[4], ok=True)
        elif match[7]:
            self._signed(said, (said.host, match[7]), match[6], ok=False)
        elif match[8]:
            key = (said.host, match[9])
            self._message(said, key, match[8], match[10], int(match[12]), int(match[13]))
            letter = self._books.find(said, match[8])
            if letter is not None:
                self._books.expect(said, letter, normal(printable(match[11])))
        else:
            self._sessions.pop((said.host, match[14]), None)
