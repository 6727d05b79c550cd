"""qmail-smtpd and what stands around it: tcpserver, rblsmtpd, CHKUSER, SPAMCONTROL, the patches' own lines.

    qmail-smtpd: pid 100 Reject::SNDR::Bad_Helo P:SMTP S:192.0.2.1:unknown H:x F:a@x.test T:b@y.test '*'
    qmail-smtpd: badmailfrom: <a@x.test> at 192.0.2.1 matches pattern: ^a@
    qmail-smtpd[100]: AUTH failed (bad password) [192.0.2.1] a@example.com
    CHKUSER rejected rcpt: from <a@x.test::> remote <x:unknown:192.0.2.1> rcpt <b@y.test> : not existing

Unpatched it says nothing. What each line decided is counted; the few that tell a sign-in are second
witnesses, for mostly vchkpw tells the same one. Verb and address come before anything that a stranger can
choose.
"""

import re
from collections import Counter

from sekisho.logs.books import Books
from sekisho.logs.facts import Login, Why, ip_address
from sekisho.logs.saying import Saying
from sekisho.model.address import normal
from sekisho.model.text import printable

NAME = "qmail-smtpd"
SERVICES = {
    "qmail-smtpd": "smtp", "smtpd": "smtp", "smtp": "smtp", "qmail-smtpsd": "smtps", "smtps": "smtps",
    "qmail-smtpsub": "submission", "submission": "submission", "qmail-popup": "pop3", "qmail-pop3d": "pop3",
    "tcpserver": "", "sslserver": "", "rblsmtpd": "", "simscan": "", "qmail": "smtp", "smtpd-ssl": "smtps",
    "CHKUSER": "",
}  # fmt: skip

TYPES = frozenset({"AUTH", "Auth", "DATA", "ORIG", "RCPT", "SNDR", "SMTP", "SPF", "TLS"})
"""The types of SPAMCONTROL and of s/qmail 4.1: what else may come is not understood."""

VERDICTS_MAX = 300
"""Kinds of verdicts that are counted apart."""

_STAMPED = re.compile(r"\d{9,10}\.\d{6} ")
_NAMED = re.compile(
    r"(qmail-smtpd|qmail-smtpsd|qmail-smtpsub|qmail-popup|qmail-pop3d|tcpserver|sslserver|rblsmtpd|simscan)"
    r"(?::?\[(\d{1,9})\])?: ?(.*)",
    re.DOTALL,
)
_CHKUSER = re.compile(r"CHKUSER ([a-z][a-z /-]{2,40}): from <.*", re.DOTALL)
_VERDICT = re.compile(r"pid (\d{1,9}) (Accept|Reject)::([A-Za-z]+)::?([\w+.-]*):? ?((?:P:|S:).*)", re.DOTALL)
_CLIENT = re.compile(r"(?:P:\S* )?S:(\S*):[^\s:]*(?: |$)")
_INFORMED = re.compile(r".* \?[=~] '(.*)'", re.DOTALL)
_SIGNED = re.compile(r"AUTH (failed|successful)(?: \(([a-z ]+)\))? \[([0-9A-Fa-f:.]+)\] (.*)", re.DOTALL)
_LISTED = re.compile(
    r"(bad(?:helo|mailfrom|mailto|rcptto)(?:norelay)?): <.*> at \S+(?: matches pattern: .*)?", re.DOTALL
)
_HOST = re.compile(
    r"((?:good|bad)remotehost): .* matched .*|(mailfrom) .* rcptto .*|\d{3} (badiprbl): ip .*", re.DOTALL
)
_INDIMAIL = re.compile(r"pid (\d{1,9}) from ([0-9A-Fa-f:.]+) (.*)", re.DOTALL)
_INDIMAIL_USER = re.compile(r" AUTH <([^<>]*)> Size: \d+")
_BLOCKED = re.compile(r"([0-9A-Fa-f:.]+) pid \d+:? .*|\S+ blocked [0-9A-Fa-f:.]+ .*", re.DOTALL)
_SERVER = re.compile(
    r"(?:pid \d+ from |ok \d+ |end \d+ status |status: \d+/\d+|fatal: |warning: |deny \d+ ).*", re.DOTALL
)
_ABOUT = re.compile(
    r"(?:MAXRCPT |MAIL|RCPT|before greeting|validrcptto|VALIDRCPTTO|SPF|tarpit|pid \d+ (?:RCPT TO"
    r"|MAIL FROM|HELO|EHLO)"
    r"|read failed|end of|TLS|relay).*|\d{3} .*",
    re.DOTALL,
)
_LOCAL = frozenset({"local-rcpt", "", "local", "none"})
"""What IndiMail writes in place of a user where nobody signed in."""


class Smtpd:
    name = NAME
    programs = frozenset(SERVICES)

    def __init__(self, books: Books) -> None:
        self._books = books
        self.verdicts: Counter[str] = Counter()

    def claims(self, text: str) -> bool:
        text = _unstamped(text)
        return text.startswith("CHKUSER ") or _NAMED.fullmatch(text) is not None

    def hear(self, said: Saying) -> bool:
        text = _unstamped(said.text)
        match = _NAMED.fullmatch(text)
        if match is not None:
            name, pid, text = match[1], match[2], match[3]
            said.pid = int(pid) if pid else said.pid
        else:
            name = said.program
        if chkuser := _CHKUSER.fullmatch(text):
            return self._count(f"CHKUSER {chkuser[1]}")
        if name == "simscan":
            return True
        if name == "rblsmtpd":
            return _BLOCKED.fullmatch(text) is not None and self._count("rblsmtpd")
        if name in ("tcpserver", "sslserver"):
            return _SERVER.fullmatch(text) is not None
        return self._daemon(said, SERVICES.get(name) or "smtp", text)

    def _daemon(self, said: Saying, service: str, text: str) -> bool:
        if match := _VERDICT.fullmatch(text):
            return self._verdict(said, service, match)
        if match := _SIGNED.fullmatch(text):
            return self._signed(said, service, match)
        if match := _LISTED.fullmatch(text):
            return self._count(match[1])
        if match := _HOST.fullmatch(text):
            return match[2] is not None or self._count(match[1] or match[3])
        if match := _INDIMAIL.fullmatch(text):
            return self._session(said, service, match)
        return _ABOUT.fullmatch(text) is not None

    def _count(self, kind: str) -> bool:
        if kind in self.verdicts or len(self.verdicts) < VERDICTS_MAX:
            self.verdicts[kind] += 1
        return True

    def _verdict(self, said: Saying, service: str, match: "re.Match[str]") -> bool:
        action, kind, condition, fields = match[2], match[3], match[4], match[5]
        client = _CLIENT.match(fields)
        if kind not in TYPES or client is None:
            return False
        said.pid = int(match[1])
        right = action == "Accept" and kind == "AUTH"
        wrong = (kind == "AUTH" and condition not in ("missing", "setup")) or condition == "Failed_Auth"
        user, address = _INFORMED.fullmatch(fields), ip_address(client[1])
        if (right or wrong) and address:
            account = normal(printable(user[1])) if user else ""
            mechanism = condition.upper() if kind == "AUTH" else ""
            self._witness(
                said, Login(service, right, account, address, mechanism, "" if right else "password")
            )
        return self._count(f"{action}::{kind}::{condition}")

    def _signed(self, said: Saying, service: str, match: "re.Match[str]") -> bool:
        address = ip_address(match[3])
        if not address:
            return False
        why: Why = "" if match[1] == "successful" else "password"
        if match[2] in ("unknown user", "password expired"):
            why = "unknown_user" if match[2] == "unknown user" else "denied"
        self._witness(said, Login(service, not why, normal(printable(match[4])), address, "", why))
        return True

    def _session(self, said: Saying, service: str, match: "re.Match[str]") -> bool:
        """One line tells IndiMail's whole session. More than one user in it: somebody's text imitates one."""
        said.pid = int(match[1])
        users, address = _INDIMAIL_USER.findall(match[3]), ip_address(match[2])
        if len(users) == 1 and users[0] not in _LOCAL and address:
            self._witness(said, Login(service, True, normal(printable(users[0])), address))
        return bool(address)

    def _witness(self, said: Saying, login: Login) -> None:
        if login.account or not login.ok:
            self._books.witness(said, login)


def _unstamped(text: str) -> str:
    """Without the time that splogger writes before everything."""
    stamp = _STAMPED.match(text)
    return text[stamp.end() :] if stamp else text
