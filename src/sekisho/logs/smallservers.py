"""Small POP3 daemons, proxies and whole mail suites of which one or two forms of line tell a wrong password.

solid-pop3d, vm-pop3d, perdition; Kerio Connect, Oracle Messaging Server, HCL Domino, ASSP.
"""

import re

from sekisho.logs.books import Books
from sekisho.logs.facts import Login, Why, ip_address
from sekisho.logs.saying import Saying
from sekisho.model.address import normal
from sekisho.model.text import printable

NAME = "small"
_IP = r"(?P<ip>[0-9A-Fa-f:.]*[0-9A-Fa-f:])"
_FORMS = tuple((re.compile(form, re.DOTALL), service, why) for form, service, why in (
    (rf"(?:APOP )?authentication failed for (?:mapped )?user (?P<user>.*) - {_IP}", "pop3", "password"),
    (rf"authentication failed: no such user: (?P<user>.*) - {_IP}", "pop3", "unknown_user"),
    (rf"authentication failed: can't map user name: (?P<user>.*) - {_IP}", "pop3", "unknown_user"),
    (rf"can't find APOP secret for user (?P<user>.*) - {_IP}", "pop3", "password"),
    (rf"(?P<user>root) login not allowed - {_IP}", "pop3", "denied"),
    (rf"User '(?P<user>.*)' - failed auth, from={_IP}", "pop3", "password"),
    ((rf"Auth: {_IP}:\d+->\S+ .*authentication_id=\"(?P<user>.*)\" server=\"[^\"]*\""
     r" protocol=(?P<protocol>\w+)"
     r" server-secure=\S* status=\"failed: .*\""), "", "password"),
    ((r"(?P<protocol>SMTP|IMAP|POP3|HTTP/\w+|HTTP): (?:User (?P<user>.*) doesn't exist\. Attempt from IP"
     r" address"
     rf"|Invalid password for user (?P<user2>.*)\. Attempt from IP address) {_IP}\.?"), "", "password"),
    (rf"Failed (?P<protocol>SMTP|IMAP|POP3) login from {_IP}(?: with SASL method \S+|,.*|\.)?.*", "",
    "password"),
    ((r"SMTP Server(?: \[[0-9A-F:-]+\]|:) Authentication failed for user (?P<user>.*) ; connecting host"
      rf" \[?{_IP}\]?"),
     "smtp", "password"),
    (rf"smtp: (?P<user>.*) \[?{_IP}\]? authentication failure using internet password.*", "smtp", "password"),
    (rf"(?:m1-[\d-]+ )?(?:\[[\w-]+\] )*{_IP} (?:\[SMTP Error\] 535 |max sender authentication errors ).*",
    "smtp", "password"),
    (rf"Blocking {_IP} - too much AUTH errors \(\d+\);", "smtp", "password"),
))  # fmt: skip
_ORACLE = re.compile(
    r"<co ts=\"[^\"]*\" .*? tr=\"TCP\|[^|\"]*\|\d+\|(?P<ip>[^|\"]*)\|\d+\""
    r" ap=\"(?P<protocol>[A-Z0-9]+)[^\"]*\""
    r" mi=\"(?P<result>Authentication successful|Bad password|Authentication failed)[^\"]*\"(?:"
    r" us=\"(?P<user>[^\"]*)\")?.*",
    re.DOTALL,
)
_SERVICES = {
    "SMTP": "smtp",
    "IMAP": "imap",
    "POP3": "pop3",
    "IMAP4": "imap",
    "IMAP4S": "imaps",
    "POP3S": "pop3s",
}
_ABOUT = re.compile(
    r"(?:SMTP|IMAP|POP3|HTTP(?:/\w+)?): (?:User |Invalid )|Failed (?:SMTP|IMAP|POP3) login|SMTP"
    r" Server|smtp: |<co ts="
    r"|Blocking [0-9.]+ - |IP address [0-9.]+ found in DNS blacklist|Relay attempt from|SMTP Spam"
    r" attack|Attempt to deliver"
    r"|(?:m1-[\d-]+ )?\[(?:SSL|TLS|Worker)[\w-]*\] |Auth: |Fatal Error|authentication failed|APOP |can't"
    r" find APOP|root login|User '|Session ended|connect from"
)


class SmallServers:
    name = NAME
    programs = frozenset({
        "solid-pop3d", "vm-pop3d", "perdition", "perdition.imap", "perdition.imaps", "perdition.pop3",
        "perdition.pop3s",
    })  # fmt: skip

    def __init__(self, books: Books) -> None:
        self._books = books

    def claims(self, text: str) -> bool:
        return _ABOUT.match(text.lstrip()) is not None

    def hear(self, said: Saying) -> bool:
        text = said.text.strip()
        oracle = _ORACLE.fullmatch(text)
        if oracle is not None:
            return self._judged(said, oracle)
        for form, service, why in _FORMS:
            match = form.fullmatch(text)
            if match is not None:
                return self._failed(said, match, service, why)  # type: ignore[arg-type]
        return _ABOUT.match(text) is not None

    def _failed(self, said: Saying, match: "re.Match[str]", service: str, why: Why) -> bool:
        named, address = match.groupdict(), ip_address(match["ip"])
        if address:
            user = named.get("user") or named.get("user2") or ""
            service = service or _SERVICES.get(named.get("protocol") or "", "http")
            self._books.failure(said, Login(service, False, normal(printable(user)), address, why=why))
        return bool(address)

    def _judged(self, said: Saying, match: "re.Match[str]") -> bool:
        address, account = ip_address(match["ip"]), normal(printable(match["user"] or ""))
        service = _SERVICES.get(match["protocol"], "smtp")
        if address and match["result"].endswith("successful"):
            self._books.login(said, Login(service, True, account, address))
        elif address:
            self._books.failure(said, Login(service, False, account, address, why="password"))
        return bool(address)
