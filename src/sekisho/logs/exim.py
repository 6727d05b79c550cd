"""Exim's main and reject log: letters with the account that sent them, their deliveries, failed sign-ins.

    1V1Abc-0001De-Fg <= a@example.com H=pc (x) [192.0.2.50]:50123 P=esmtpsa A=dovecot_plain:a@example.com S=9
    1V1Abc-0001De-Fg => b@example.net R=dnslookup T=remote_smtp H=mx.example.net [203.0.113.6] C="250 ok"
    dovecot_login authenticator failed for (User) [192.0.2.51]:5123: 535 Incorrect ... (set_id=a@example.com)

`A=` stands between `P=` and `S=`, both Exim's own words; the greeting before them and the subject and
message id behind them are a stranger's. A line that can be read in two ways signs nobody in.
"""

import re

from msgspec import Struct

from sekisho.logs.books import Books
from sekisho.logs.facts import Login, Why, ip_address
from sekisho.logs.replies import Result, told
from sekisho.logs.saying import Saying
from sekisho.model.address import normal
from sekisho.model.text import printable

NAME = "exim"
PROGRAMS = frozenset({"exim", "exim4"})

_ID = r"[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}|[0-9A-Za-z]{3,6}-[0-9A-Za-z]{3,6}-[0-9A-Za-z]{2}"
_OWN_STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?(?: [+-]\d{4})? ")
_PID = re.compile(r"\[\d{1,9}\] ")
_LETTER = re.compile(rf"({_ID}) (<=|=>|->|>>|\*>|\*\*|==|Completed)(?: (.*)|$)", re.DOTALL)
_ABOUT = re.compile(
    rf"(?:{_ID}) |\S+ authenticator failed |H=|SMTP (?:call|connection|protocol|command)"
    r"|no (?:MAIL|host name|IP address) |Start queue run|End queue run|exim \d\.\d|unexpected disconnection"
    r"|TLS error|rejected |unqualified |too many |Warning: |daemon |DKIM: |lost "
)
"""How Exim's lines begin where no program is named."""

_PLACE = (
    r"\[(?P<address>[0-9A-Fa-f:.]{2,45}+)\](?::\d+)?(?: I=\[[0-9A-Fa-f:.]{2,45}+\](?::(?P<port>\d+))?)?"
    r"(?: (?:TFO\*?|(?:Ci|PRX|U)=\S*[^\s:]))*+"
)
_SENT_FROM = re.compile(_PLACE + r" P=\S++")
_SIZE = re.compile(r" S=(\d{1,15}|s+)(?= |$)")
_QUOTED = re.compile(r"=\".*\"")
"""From the first quote to the last: Exim escapes no quote in the name of a certificate, where a peer
may write any. The account, which it writes behind, has none.
"""

_SIGNED = re.compile(r" A=(?P<driver>[\w.-]+):(?P<account>\S.*?)(?= [A-Z]\w*=| (?:K|PRDR|L[.*-]?)(?: |$)|$)")

BETWEEN_MAX = 2000
"""Characters between the protocol and the size: TLS, certificate and account are not longer."""

_SENDER = re.compile(r"(<>|\"(?:[^\"\\]|\\.)*\"@\S+|\S+)(?: |$)")
_BEHIND = re.compile(
    r"(?: (?:M8S=\S+|PRDR|RT=\S+|DT=\S+|QT=\S+|K|L[.*-]?))*+(?: id=\S++)?"
    r"(?: T=\"(?:[^\"\\]|\\.)*+\")?+(?: from \S++)?"
    r"(?: for (?P<for>(?:\"[^\"]*\"@)?[^\"]+))?"
)
_FAILED = re.compile(r"(?:\S+: )?(\S+) authenticator failed for (.*)", re.DOTALL)
_SET_ID = re.compile(r"(.*)\)[^()]*", re.DOTALL)
_FAILED_AT = re.compile(rf"{_PLACE}: (?P<code>\d{{3}})\b")
_NO_MAIL = re.compile(
    rf"no MAIL in SMTP connection from (?:\S+ )?(?:\(\S+\) )?{_PLACE} D=\S+"
    r"(?: A=(?P<driver>[\w.-]+):(?P<account>\S+))?(?: X=\S+)?(?: CV=\S+)?(?: C=\S*)?(?: .*)?"
)  # fmt: skip
_RECIPIENT = re.compile(
    r"(?:\"(?:[^\"\\]|\\.)*\"@\S+|\S+)(?: \([^()]*\))? <([^<>]*)>(?=:? |:?$)"
    r"|(\"(?:[^\"\\]|\\.)*\"@\S+?|\S+?)(?=:? |:?$)"
)

_SERVICES = {"587": "submission", "465": "smtps"}
_RESULTS: dict[str, Result] = {
    "=>": "delivered", "->": "delivered", ">>": "delivered", "*>": "delivered",
    "**": "failed", "==": "deferred",
}  # fmt: skip


class Exim:
    name = NAME
    programs = PROGRAMS

    def __init__(self, books: Books) -> None:
        self._books = books

    def claims(self, text: str) -> bool:
        """Whether a line without a program's name is one of Exim's."""
        return _ABOUT.match(_bare(text)) is not None

    def hear(self, said: Saying) -> bool:
        text = _bare(said.text)
        match = _LETTER.fullmatch(text)
        if match is not None:
            return self._letter(said, match[1], match[2], match[3] or "")
        if " authenticator failed for " in text:
            return self._failed(said, text)
        if text.startswith("no MAIL in SMTP connection"):
            return self._silent(said, text)
        return _ABOUT.match(text) is not None

    def _letter(self, said: Saying, name: str, flag: str, rest: str) -> bool:
        if flag == "<=":
            return self._came(said, name, rest)
        if flag == "Completed":
            self._books.close(said, name)
            return True
        letter, recipient = self._books.find(said, name), _recipient(rest)
        if letter is not None and recipient:
            self._books.tried(said, letter, recipient, told(_RESULTS[flag], rest))
        return bool(recipient)

    def _came(self, said: Saying, name: str, rest: str) -> bool:
        sender = _SENDER.match(rest)
        if sender is None:
            return False
        letter = self._books.begin(said, name, "" if sender[1] == "<>" else normal(printable(sender[1])))
        if letter.line != said.line or letter.file != said.file:
            return True
        known, sent = _sent_from(rest[sender.end() - 1 :])
        if sent is not None:
            letter.size = sent.size
            for recipient in sent.recipients:
                self._books.expect(said, letter, recipient)
            if sent.login is not None:
                self._books.signed(said, letter, sent.login)
        self._books.enter(letter)
        return known

    def _failed(self, said: Saying, text: str) -> bool:
        match = _FAILED.fullmatch(text)
        if match is None:
            return False
        front, _, tail = match[2].partition(" (set_id=")
        places = list(_FAILED_AT.finditer(front))
        address = ip_address(places[-1]["address"]) if places else ""
        if not address:
            return " U=" in " " + front  # a program on this host
        place = places[-1]
        user = _SET_ID.fullmatch(tail)
        account = normal(printable(user[1])) if user else ""
        service = _SERVICES.get(place["port"] or "", "smtp")
        why: Why = "password" if place["code"] == "535" else "malformed"
        self._books.failure(said, Login(service, False, account, address, match[1], why))
        return True

    def _silent(self, said: Saying, text: str) -> bool:
        """Somebody signed in, and sent nothing."""
        match = _NO_MAIL.fullmatch(text)
        if match is not None and match["account"]:
            login = _login(match["address"], match["port"], match["driver"], match["account"])
            if login is not None:
                self._books.login(said, login)
        return True


def _login(client: str, port: str | None, driver: str, authenticated: str) -> Login | None:
    """Who signed in there; behind the account may stand the sender that the driver vouched for."""
    address, account = ip_address(client), normal(printable(authenticated.partition(":")[0]))
    if not account or not address:
        return None
    return Login(_SERVICES.get(port or "", "smtp"), True, account, address, driver)


def _bare(text: str) -> str:
    """Without Exim's own stamp and process id, which it writes even into syslog."""
    stamp = _OWN_STAMP.match(text)
    text = text[stamp.end() :] if stamp else text
    pid = _PID.match(text)
    return text[pid.end() :] if pid else text


class _Sent(Struct, frozen=True):
    """What a `<=` line says behind its sender."""

    size: int
    login: Login | None
    recipients: tuple[str, ...]


def _sent_from(text: str) -> tuple[bool, _Sent | None]:
    """Where a letter came from, and whether that can be told. What begins with another place and ends as a
    line of Exim's does is a subject that imitates one; else the greeting may be the forgery."""
    sizes = list(_SIZE.finditer(text))
    places = [place for place in _SENT_FROM.finditer(text) if sizes and place.end() <= sizes[-1].start()]
    if not places:
        return True, None
    place = places[0]
    size = next(size for size in sizes if size.start() >= place.end())
    behind = _BEHIND.fullmatch(text, size.end())
    twice = len(places) > 1 and (behind is None or places[1].start() < size.start())
    if twice or size.start() - place.end() > BETWEEN_MAX:
        return False, None
    listed = (behind["for"] or "").split() if behind is not None else ()
    signed = _SIGNED.search(_QUOTED.sub("", text[place.end() : size.start()]))
    login = _login(place["address"], place["port"], signed["driver"], signed["account"]) if signed else None
    bytes_ = int(size[1]) if size[1].isdigit() else 0
    return True, _Sent(bytes_, login, tuple(normal(printable(each)) for each in listed))


def _recipient(text: str) -> str:
    """Whom the sender wrote to: it stands in brackets where the final address is another."""
    match = _RECIPIENT.match(text.lstrip())
    if match is None:
        return ""
    return normal(printable(match[1] or match[2])).rstrip(":")
