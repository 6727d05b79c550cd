"""Reads blocks of a Postfix and Dovecot log: one regular expression a block,
for the lines that most lines are.

What it knows it hands to the same queue, sessions and doors that hear single lines; what it does not know,
or finds in an unusual shape, is read again by itself. Lines that say nothing are passed over where they
stand.
"""

import re
from collections.abc import Callable

from msgspec import Struct

from sekisho.logs import dovecot, postfix
from sekisho.logs.postfix_queue import Delivery
from sekisho.logs.saying import Saying
from sekisho.logs.stamp import SECOND, Calendar

CLASSIC = rb"[A-Z][a-z][a-z] [ \d]\d \d\d:\d\d:\d\d(?:\.\d{6})?"
ISO = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:?\d\d)"
_TAIL = (
    rb"([^ \n\[<{:]++) "
    rb"(?:(postfix[^ \n\[:]*+)\[(\d{1,9}+)\]: (?:"
    rb"([0-9A-Za-z]{5,40}+): (?:((?:client=|from=<|to=<|removed$)[^\n]*+)|message-id=[^\n]*+)"
    rb"|(disconnect) from [^ \n]++(?= (?:[^\n]*? )?auth=|\n|\Z)[^\n]*+|(?:dis)?connect from [^\n]*+"
    rb"|(?:NOQUEUE: (?:reject|milter-reject|filter)|lost connection after|(?:Anonymous|Trusted|Untrusted"
    rb"|Verified)"
    rb" TLS conn)[^\n]*+|([^\n]++))"
    rb"|dovecot(?:\[(\d{0,9}+)\])?: (?:"
    rb"((?:imap|pop3|submission|managesieve)-login): (?:Login|Logged in): ([^\n]*+)"
    rb"|(?:imap|pop3|lmtp|managesieve)(?:\([^()\n]*+\)|<[^<>\n]*+>)*+: [^\n]*+|([^\n]++)))"
)


def _lane(stamp: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"\n(?:(" + stamp + rb") " + _TAIL + rb"(?=\n|\Z)|([^\n]*+))", re.MULTILINE)


LANES = (_lane(CLASSIC), _lane(ISO))
"""Groups: stamp, host, Postfix's program, process id, queue id, text, disconnect, what else Postfix says;
Dovecot's process id, door, what it says of a login, what else Dovecot says; other."""

REST_MAX = 4096
"""Longer texts are read again by themselves, where it is known what is too long."""

_STRANGER = re.compile(rb"client=[^\s\[\],]*+\[([0-9A-Fa-f.:]++)\]")
_QUEUED = re.compile(rb"from=<([^<>]*+)>, size=(\d{1,18}+), nrcpt=(\d{1,9}+) \(queue active\)")
_TRIED = re.compile(
    rb"to=<([^<>\"]*+)>, (?:orig_to=<([^<>\"]*+)>, )?relay=([^,]*+), (?:conn_use=\d++, )?delay=[\d.]++,"
    rb" delays=[\d./]++, "
    rb"(?:tls=[^,]*+, )?dsn=(\d\.\d{1,3}\.\d{1,3}), status=(\w++) \((.*+)", re.DOTALL,
)  # fmt: skip
_ISO_LENGTHS = (25, 32)
"""`2013-07-22T18:52:46+09:00`, and with microseconds as rsyslog writes them."""

SMTPD, QMGR, AGENT, MAILBOX, OTHER = range(5)

Rows = list[tuple[bytes, ...]]
Again = Callable[[bytes, int], None]


class Passed(Struct, frozen=True):
    """How far a block went: its last line's number, how many lines were each program's, how many were read
    again."""

    line: int
    postfix: int
    dovecot: int
    misses: int


class Express:
    def __init__(self, mail: postfix.Postfix, doors: dovecot.Dovecot) -> None:
        self._mail = mail
        self._doors = doors
        self._programs: dict[bytes, tuple[int, str]] = {}
        self._iso: dict[bytes, int] = {}

    def feed(self, block: bytes, rows: Rows, said: Saying, calendar: Calendar, again: Again) -> Passed:
        """`said` tells the file and the last line before the block; `again` reads a line by itself."""
        mail, line, mails, doors, misses = self._mail, said.line, 0, 0, 0
        minutes = calendar.minutes
        last, programs, handlers = b"", self._programs, (self._smtpd, self._qmgr, self._agent, self._mailbox)
        mail.tells_sessions = mail.tells_sessions or b": connect from " in block
        for stamp, host, program, pid, ident, text, word, rest, number, door, fields, more, other in rows:
            line += 1
            if other:
                misses += 1
                again(other, line)
            elif text or fields or rest or more:
                if stamp != last:
                    start = minutes.get(stamp[:12]) if len(stamp) == 15 else None
                    at = self._at(stamp, calendar) if start is None else (start + int(stamp[13:])) * SECOND
                    last = stamp if at is not None else b""
                    said.at = at or 0
                said.line, said.host = line, host
                if not last:
                    heard = False
                elif text:
                    kind, said.program = programs.get(program) or self._kind(program)
                    said.pid = int(pid)
                    heard = kind != OTHER and handlers[kind](said, ident, text)
                    mails += heard
                elif rest:
                    said.program, said.pid = (programs.get(program) or self._kind(program))[1], int(pid)
                    heard = _hears(mail, said, rest)
                    mails += heard
                elif more:
                    said.program, said.pid = "dovecot", int(number or 0)
                    heard = _hears(self._doors, said, more)
                    doors += heard
                else:
                    said.pid = int(number or 0)
                    heard = self._doors.entered(said, door, fields)
                    doors += heard
                if not heard:
                    parts = (stamp, host, program, pid, ident, text, rest, number, door, fields, more)
                    again(_whole(parts), line)
            elif program:
                mails += 1
                if word:
                    mail.parted((host, (programs.get(program) or self._kind(program))[1], int(pid)))
            elif stamp:
                doors += 1
        return Passed(line, mails, doors, misses)

    def _at(self, stamp: bytes, calendar: Calendar) -> int | None:
        """The minute is asked for once; within it, seconds are counted."""
        if stamp[0] > 0x40:  # a letter
            return calendar.at(stamp)
        if len(stamp) not in _ISO_LENGTHS:
            return calendar.at(stamp)
        minute = stamp[:17] + stamp[-6:]
        start = self._iso.get(minute)
        if start is None:
            start = calendar.at(stamp[:17] + b"00" + stamp[-6:])
            if start is None or stamp[-6:-5] not in b"+-":
                return calendar.at(stamp)
            self._iso.clear()
            self._iso[minute] = start
        fraction = int(stamp[20:26]) if len(stamp) == 32 else 0
        return start + min(int(stamp[17:19]), 60) * 1_000_000 + fraction

    def _kind(self, program: bytes) -> tuple[int, str]:
        name = program.decode("utf-8", "replace")
        daemon = name.rpartition("/")[2]
        kind = OTHER
        if "/" in name:
            agent = MAILBOX if name.endswith(postfix.LOCAL) else AGENT if daemon in postfix.AGENTS else OTHER
            kind = {"smtpd": SMTPD, "qmgr": QMGR}.get(daemon, agent)
        if len(self._programs) > 1000:
            self._programs.clear()
        self._programs[program] = kind, name
        return kind, name

    def _smtpd(self, said: Saying, ident: bytes, text: bytes) -> bool:
        match = _STRANGER.fullmatch(text)
        if match is not None:
            self._mail.came_in(said, ident, match[1].decode())
            return True
        return self._mail.client(
            said, f"{ident.decode()}: {text.decode('utf-8', 'surrogateescape')}".rstrip()
        )

    def _qmgr(self, said: Saying, ident: bytes, text: bytes) -> bool:
        if text == b"removed":
            self._mail.queue.removed(said, ident)
            return True
        match = _QUEUED.fullmatch(text)
        if match is None:
            return False
        sender, size, recipients = match.groups()
        self._mail.queue.queued(said, ident, sender, (size, recipients))
        return True

    def _agent(self, said: Saying, ident: bytes, text: bytes) -> bool:
        match = _TRIED.fullmatch(text)
        if match is None:
            return False
        to, orig, relay, status, result, reply = match.groups()
        self._mail.queue.tried(said, ident, Delivery(to, orig or b"", relay, False, result, status, reply))
        return True

    def _mailbox(self, said: Saying, ident: bytes, text: bytes) -> bool:
        match = _TRIED.fullmatch(text)
        if match is None:
            return False
        to, orig, relay, status, result, reply = match.groups()
        self._mail.queue.tried(said, ident, Delivery(to, orig or b"", relay, True, result, status, reply))
        return True


def _whole(row: tuple[bytes, ...]) -> bytes:
    """The line as it stood, but for which word of success a door used."""
    stamp, host, program, pid, ident, text, rest, number, door, fields, more = row
    if program:
        return b"%s %s %s[%s]: %s" % (stamp, host, program, pid, rest or ident + b": " + text)
    tag = b"dovecot[%s]: " % number if number else b"dovecot: "
    return b"%s %s %s%s" % (stamp, host, tag, more or door + b": Login: " + fields)


def _hears(dialect: postfix.Postfix | dovecot.Dovecot, said: Saying, rest: bytes) -> bool:
    """What is said seldom, by the way of single lines."""
    said.text = rest.decode("utf-8", "surrogateescape").rstrip("\r\n ")
    return len(rest) <= REST_MAX and dialect.hear(said)
