"""Cyrus's log: who opened a mailbox over IMAP, POP3 or ManageSieve, and who could not.

    cyrus/imap[5355]: login: pc.example.org [192.0.2.60] a@example.com plaintext User logged in
    cyrus/imap[5355]: badlogin: pc.example.org [192.0.2.60] plaintext a@example.com SASL(-13): ...

The client's name and address come first, and a host name holds no brackets: what a stranger typed stands
behind them.
"""

import re

from sekisho.logs.books import Books
from sekisho.logs.facts import Login, Why, ip_address
from sekisho.logs.saying import Saying
from sekisho.model.address import normal
from sekisho.model.text import printable

NAME = "cyrus"
SERVICES = {
    "imap": "imap", "imaps": "imaps", "imapd": "imap", "pop3": "pop3", "pop3s": "pop3s", "pop3d": "pop3",
    "timsieved": "managesieve", "sieve": "managesieve", "nntp": "nntp", "lmtpunix": "lmtp", "lmtp": "lmtp",
    "httpd": "http", "http": "http", "https": "http", "master": "", "ctl_cyrusdb": "", "mupdate": "",
    "proxyd": "imap", "pop3proxyd": "pop3",
}  # fmt: skip

_CLIENT = r"[^\[\]]*?\[([0-9A-Fa-f:.]+)\] "
_LOGIN = re.compile(
    rf"login: {_CLIENT}(.+) (\S+) User logged in(?: SESSIONID=<[^<>]*>| \(?\S*\)?)?", re.DOTALL
)
_BAD = re.compile(rf"badlogin: {_CLIENT}(.*)", re.DOTALL)
_BAD_USER = re.compile(
    r"(\S+) (.*?) SASL\(-\d+\): .*|(\S+) \(([^()\s]+)\) \[SASL.*|(\S+) \[SASL\(-\d+\): .*", re.DOTALL
)
_NAMED = re.compile(r".*user not found: user: (\S+) property: ", re.DOTALL)
_UNKNOWN = "user not found"
_ABOUT = re.compile(
    r"login: |badlogin: |accepted connection|executed|process \d+ exited|open: user|Delivered: "
    r"|duplicate_check|starttls"
    r"|about to exec|mystore: |DBERROR|IOERROR|seen_db|USAGE |auditlog: |sql_|checkpoint|STARTTLS"
    r"|SSL_accept|dupelim"
)


class Cyrus:
    name = NAME
    programs = frozenset({*SERVICES, *(f"cyrus/{name}" for name in SERVICES)})

    def __init__(self, books: Books) -> None:
        self._books = books

    def claims(self, text: str) -> bool:
        return _ABOUT.match(text) is not None

    def hear(self, said: Saying) -> bool:
        service = SERVICES[said.program.removeprefix("cyrus/")]
        if match := _LOGIN.fullmatch(said.text):
            address = ip_address(match[1])
            if address:
                mechanism = match[3].removesuffix("+TLS")
                login = Login(service, True, normal(printable(match[2])), address, printable(mechanism))
                self._books.login(said, login)
            return bool(address)
        if match := _BAD.fullmatch(said.text):
            return self._failed(said, service, ip_address(match[1]), match[2])
        return _ABOUT.match(said.text) is not None

    def _failed(self, said: Saying, service: str, address: str, rest: str) -> bool:
        if not address:
            return False
        user = _BAD_USER.fullmatch(rest)
        named = _NAMED.match(rest)
        account = ((user[2] or user[4] or "") if user else "") or (named[1] if named else "")
        why: Why = "unknown_user" if _UNKNOWN in rest else "password"
        mechanism = printable(rest.partition(" ")[0])
        login = Login(service, False, normal(printable(account)), address, mechanism, why)
        self._books.failure(said, login)
        return True
