"""Dovecot 2.0 to 2.4: who came in by IMAP, POP3, submission or ManageSieve, and whose password was wrong.

    imap-login: Login: user=<a@x.example>, method=PLAIN, rip=192.0.2.30, lip=192.0.2.1, mpid=9, session=<Ab>
    pop3-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<a@x.example>, rip=192.0.2.31
    imap-login: Login aborted: Connection closed (auth failed, 3 attempts in 16 secs) (auth_failed): user=<a>
    auth-worker(88): sql(a@x.example,192.0.2.32,<Ab>): Password mismatch

A user name is a stranger's text where it failed, and may imitate the fields behind it: success counts only
from the words directly behind the program's name, and the address is that of the last `rip=`. What Dovecot
says of a given password is never read.
"""

import re
from collections import deque

from sekisho.logs.facts import Login, Why, ip_address
from sekisho.logs.ledger import Ledger
from sekisho.logs.saying import Saying
from sekisho.logs.whispers import Attempt, Whispers
from sekisho.model.address import normal
from sekisho.model.text import printable

NAME = "dovecot"
FIELDS_MAX = 4096
"""Dovecot takes names of at most 255 bytes; what is longer is no line of its doors."""

PROXIED_MAX = 10_000
"""Sessions handed on by a proxy that are known again where the log of the server behind it is read too."""

_DOORS = {
    "imap-login": "imap", "pop3-login": "pop3", "submission-login": "submission",
    "managesieve-login": "managesieve", "sieve-login": "managesieve", "imap-urlauth-login": "imap",
}  # fmt: skip
_HOUSE = (
    "imap|pop3|submission|managesieve|lmtp|lda|deliver|auth|auth-worker|master|config|log|stats|anvil"
    "|director"
    "|ssl-params|indexer|indexer-worker|dict|dict-async|doveadm|replicator|aggregator|script-login"
    "|imap-urlauth"
    "|imap-urlauth-worker|imap-hibernate|dns-client|dns_client|old-stats|quota-status|health-check|ipc"
    "|script|quota"
    "|event|global|IMAP|POP3|LMTP|IMAP4|welcome|last-login|fts|tcpwrap|rawlog|checkpassword-reply"
    "|dsync-server"
)
_LEVEL = r"(?:(?:Info|Warning|Warn|Error|Fatal|Panic|Debug|Notice|Event): )"
_HEAD = re.compile(
    rf"(?:dovecot: )?{_LEVEL}?((?:imap|pop3|submission|managesieve|sieve|imap-urlauth)-login|{_HOUSE})"
    rf"((?:\([^()]*\)|<[^<>]*>|\[[^\[\]]*\])*): {_LEVEL}?",
)
_LOGGED_IN = re.compile(r"(?:Login|Logged in): ")
_PROXIED = re.compile(
    r"proxy(?:\([^()]*\))?: [sS]tarted proxying to \S{1,300}(?: \([^()]{0,99}\))?(?:: |$)"
)
_REFUSED = re.compile(
    r"[^<>]*?\((?:auth failed, (\d{1,4}) attempts?[^()]*|(tried to use (?:disabled|disallowed) [^()]*"
    r"|cleartext (?:auth|login)[^()]*)|(\d{1,4}) authentication attempts|proxy dest auth failed)\)(?:"
    r" \([\w ]+\))?: "
)
_NO_AUTH = re.compile(r"[^<>]*?\((?:no auth attempts|disconnected|client didn't|auth service|master)[^()]*\)")
_BARE_ABORT = re.compile(r"Aborted login: (?=user=<[^>])")
_FIELD = (
    r"(?:method=[\w-]*|session=<?[^<>, ]*>?|mpid=\d*|lip=[^,<> ]*|lport=\d*|rport=\d*|secured|TLS|TLSv[\d.]*"
    r"|id=[^,<> ]*|orig_user=<[^<>]*>|forward=[^,]*)"
)
_WHO = re.compile(
    rf"(?:user=<(.*?)>, )?(?:{_FIELD}, )*rip=([^,<> ]*)(?!.*, rip=)(.*)",
    re.DOTALL,
)
_METHOD = re.compile(r"(?:^|, )method=([\w-]+)")
_SESSION = re.compile(r"(?:^|, )session=<?([^<>, ]+)")
_AUTH = re.compile(
    r"(?:conn unix:\S+ \([^()]*\): auth-worker<\d+>: |cache|client |worker-server |)*"
    r"([\w-]+)\(([^,()<>]*),([0-9A-Fa-f.:]+)(?:,([^()]*))?\)(?:<[^<>]*>)?: (.*)",
    re.DOTALL,
)
_AUTH_24 = re.compile(r"\(([^,()<>]*),([0-9A-Fa-f.:]+)(?:,[^()]*)?\)(?:<([^<>]*)>)?")
_PAM_UNIX = re.compile(
    r"pam_unix\(dovecot:auth\): authentication failure; .*?\bruser=(.*) rhost=(\S*)(?: +user=\S*)?", re.DOTALL
)
_GIVEN = re.compile(r" \((?:\w+ of )?given password.*", re.DOTALL)
_WHYS: tuple[tuple[re.Pattern[str], Why], ...] = (
    (re.compile(r"(?i)unknown user|user not found|not known|no such user|user unknown"), "unknown_user"),
    (re.compile(r"(?i)policy|disabled|expired|locked|not allowed|denied"), "denied"),
    (
        re.compile(r"(?i)mismatch|invalid credential|authentication failure|pam_authenticate\(\) failed"),
        "password",
    ),
)
_DOOR_SILENT = re.compile(
    rf"{_LEVEL}|Disconnected|Aborted|Connection|Client|Remote|Maximum|proxy|Proxy|Time just|SSL|TLS"
    rf"|master|auth|Auth"
    r"|Too many|Internal|Shutting|Logged out|Login aborted|Killed|read\(|write\("
)


class Dovecot:
    name = NAME
    programs = frozenset({
        "dovecot", "dovecot-auth", *_DOORS, "auth", "auth-worker", "imap", "pop3", "submission",
        "managesieve", "lmtp",
        "lda", "master", "config", "anvil", "ssl-params", "stats", "log", "indexer-worker", "doveadm",
        "Info", "Warn", "Warning", "Error",
    })  # fmt: skip

    def __init__(self, ledger: Ledger, whispers: Whispers) -> None:
        self._ledger = ledger
        self._whispers = whispers
        self._proxied: deque[str] = deque(maxlen=PROXIED_MAX)
        self._sessions: set[str] = set()

    def claims(self, text: str) -> bool:
        """Dovecot's own log file names no host, and its workers have their numbers in round brackets."""
        return _HEAD.match(text) is not None

    def hear(self, said: Saying) -> bool:
        text = said.text if said.program.startswith("dovecot") else f"{said.program}: {said.text}"
        match = _HEAD.match(text.removeprefix(": "))
        if match is None:
            return self._pam(said, text) or _other(text)
        process, inside, rest = match[1], match[2], text.removeprefix(": ")[match.end() :]
        if process in _DOORS:
            return self._door(said, _DOORS[process], rest)
        if process in ("auth", "auth-worker"):
            return self._auth(said, inside, rest)
        return True

    def entered(self, said: Saying, door: bytes, fields: bytes) -> bool:
        """What follows `Login: ` at a door."""
        text = fields.decode("utf-8", "surrogateescape").rstrip()
        return self._logged_in(said, _DOORS[door.decode()], text)

    def _door(self, said: Saying, service: str, text: str) -> bool:
        if (match := _LOGGED_IN.match(text)) is not None:
            return self._logged_in(said, service, text[match.end() :])
        if (match := _PROXIED.match(text)) is not None:
            return self._handed_on(said, service, text[match.end() :])
        match = _REFUSED.match(text)
        if match is None:
            match = _BARE_ABORT.match(text)
            if match is None:
                return _NO_AUTH.match(text) is not None or _DOOR_SILENT.match(text) is not None
            return self._failed(said, service, (text[match.end() :], 1, ""))
        if match[2]:
            return self._failed(said, service, (text[match.end() :], 1, "denied"))
        return self._failed(said, service, (text[match.end() :], int(match[1] or match[3] or 1), ""))

    def _logged_in(self, said: Saying, service: str, fields: str) -> bool:
        who = _who(fields)
        if who is None or not who[0]:
            return False
        account, address, mechanism, session = who
        if session not in self._sessions:
            login = Login(service, True, account, address, mechanism)
            self._ledger.add(said.at, self._ledger.key(login), said.line, said.pid)
        return True

    def _handed_on(self, said: Saying, service: str, fields: str) -> bool:
        """A proxy tells of the sign-in; the server behind it may tell of the same session again."""
        who = _who(fields)
        if who is None:
            return True  # older ones say no more than where to
        told = self._logged_in(said, service, fields)
        if who[3]:
            if len(self._proxied) == PROXIED_MAX:
                self._sessions.discard(self._proxied[0])
            self._proxied.append(who[3])
            self._sessions.add(who[3])
        return told

    def _failed(self, said: Saying, service: str, told: tuple[str, int, Why]) -> bool:
        fields, count, why = told
        who = _who(fields)
        if who is None:
            return False
        account, address, mechanism, _ = who
        self._whispers.failed(said, Attempt(service, account, address, mechanism, count, why))
        return True

    def _auth(self, said: Saying, inside: str, text: str) -> bool:
        match = _AUTH.match(text)
        if match is not None:
            _, user, where, session, reason = match.groups()
        elif (match := _AUTH_24.fullmatch(inside)) is not None:
            user, where, session = match.groups()
            reason = text
        else:
            return self._pam(said, text) or True
        address = ip_address(where)
        why = _why(reason)
        if address and why:
            account = printable(normal(user))
            self._whispers.heard(said, account, address, ((session or "").strip("<>"), why))
        return True

    def _pam(self, said: Saying, text: str) -> bool:
        match = _PAM_UNIX.search(text)
        if match is None:
            return False
        address = ip_address(match[2])
        if address:
            self._whispers.heard(said, printable(normal(match[1])), address, ("", "password"))
        return True


def _who(fields: str) -> tuple[str, str, str, str] | None:
    """Account, address, mechanism and session. The name ends where what follows is well-formed and has only
    one `rip=`."""
    match = _WHO.match(fields) if len(fields) <= FIELDS_MAX else None
    address = ip_address(match[2]) if match is not None else ""
    if match is None or not address:
        return None
    known = fields[match.end(1) + 1 :] if match[1] is not None else fields
    method, session = _METHOD.search(known), _SESSION.search(known)
    return (
        printable(normal(match[1] or "")), address,
        method[1] if method else "", session[1] if session else "",
    )  # fmt: skip


def _why(reason: str) -> Why:
    said = _GIVEN.sub("", reason)
    return next((why for words, why in _WHYS if words.search(said)), "")


def _other(text: str) -> bool:
    """Dovecot's own words about itself, and those of programs called after it."""
    return text.startswith(("dovecot-", "master: ", "Dovecot ", "pam_")) or re.match(_LEVEL, text) is not None
