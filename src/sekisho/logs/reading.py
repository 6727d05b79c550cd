"""Reads blocks of lines into the ledger: one regular expression a block, each distinct login parsed once.

A block begins with a newline and ends without one, so that every line stands behind exactly one newline.
Most files have one kind of header; a strict expression for that kind reads them fast, and the lines it does
not know are read again with the full grammar. What a line means does not depend on the way.
"""

from collections import Counter

from msgspec import Struct

from sekisho.logs import dovecot, express, grammar, own, postfix, qmail, spamd, voices, vpopmail
from sekisho.logs.books import Books
from sekisho.logs.ledger import Ledger
from sekisho.logs.mailroom import Mailroom
from sekisho.logs.own_events import OwnEvents
from sekisho.logs.saying import Saying
from sekisho.logs.shapes import Shapes
from sekisho.logs.stamp import SECOND, Calendar
from sekisho.logs.voices import Dialect, Voices

FORMATS = (qmail.NAME, vpopmail.NAME, spamd.NAME, *voices.NAMES, own.NAME)
"""Every dialect by its name."""

TEXTS_KEPT = 300_000
"""Distinct login texts whose meaning is remembered; failures with passwords in them could be without
number."""

_SILENT = (b"status: ", b"new msg ")
"""Lines of qmail-send that say nothing about a letter which another line does not say too."""


class Place(Struct):
    """The file that is being read: its number, its name for letters without a host, its calendar."""

    file: int
    stream: bytes
    calendar: Calendar


class Reader:
    """`only` names the dialects to take, all if it is empty; lines of others then count as not understood."""

    def __init__(self, ledger: Ledger, only: frozenset[str] = frozenset()) -> None:
        self.ledger = ledger
        self._only = only
        self.own = OwnEvents(ledger)
        self._voices = Voices(Books(ledger), only)
        self.shapes = Shapes()
        self.dialects: Counter[str] = Counter()
        self.lines = 0
        self.line = 0
        self._place: Place | None = None
        self._fast = grammar.FAST[0]
        self._texts: dict[bytes, int] = {}
        self._rooms: dict[bytes, Mailroom] = {}
        self._tied = b""
        self._host: bytes | None = None
        self._room = Mailroom()

    def begin(self, place: Place) -> None:
        """Blocks that follow are from this file, beginning at its first line."""
        self._voices.turn()
        self.ledger.begin_file()
        self._place = place
        self.line = 0
        self._tied = b""
        self._host = None

    def forget(self) -> None:
        """What texts meant: for a ledger that numbers its logins anew."""
        self._texts.clear()

    def forget_rooms(self, most: int) -> None:
        """Queues of hosts, where there are more than so many: somebody makes their names up."""
        if len(self._rooms) > most:
            self._rooms.clear()
            self._host = None

    def feed(self, block: bytes) -> None:
        """The lines of one block. What most lines are is done here and not in a function: calls cost."""
        assert self._place is not None
        if self._only or self._fast in express.LANES:
            (self._feed_slowly if self._only else self._feed_express)(block)
            return
        calendar, texts, ledger = self._place.calendar, self._texts, self.ledger
        minutes, since, until = calendar.minutes, ledger.since, ledger.until
        put_at, put_key, put_line, put_pid = ledger.columns
        line, last, at, auths, sends, spams, misses = self.line, b"", None, 0, 0, 0, 0
        turns, parse = calendar.turns, qmail.parse
        rows = self._fast.findall(block)
        for stamp, host, pid, auth, epoch, send, spam, other in rows:
            line += 1
            if auth:
                auths += 1
                if stamp != last:
                    last, start = stamp, minutes.get(stamp[:12])
                    at = calendar.at(stamp) if start is None else (start + int(stamp[13:15])) * SECOND
                key = texts.get(auth)
                if key is None:
                    key = self._learn(auth)
                if at is None or key < 0:
                    self.shapes.add(auth)
                elif since <= at < until:
                    put_at(at)
                    put_key(key)
                    put_line(line)
                    put_pid(int(pid or 0))
            elif send:
                sends += 1
                if send.startswith(_SILENT):
                    continue
                if epoch and host == self._host and stamp[:12] == self._tied:
                    fact = parse(send)
                    if fact is not None:
                        self._room.take(int(epoch.replace(b".", b"")), line, fact)
                    else:
                        self._beside(host, int(epoch.replace(b".", b"")), send, line)
                else:
                    self._send((stamp, host, epoch, send), line)
                    if turns != calendar.turns:
                        turns, last = calendar.turns, b""
            elif spam:
                spams += 1
            elif other:
                misses += 1
                self._slow(other, line)
        self.dialects.update({vpopmail.NAME: auths, qmail.NAME: sends, spamd.NAME: spams})
        self._finish(line, misses, block)

    def _feed_express(self, block: bytes) -> None:
        assert self._place is not None
        said = Saying(b"", b"", "", 0, "", 0, self._place.file, self.line)
        rows = self._fast.findall(block)
        passed = self._voices.express.feed(block, rows, said, self._place.calendar, self._slow)
        self.dialects.update({postfix.NAME: passed.postfix, dovecot.NAME: passed.dovecot})
        self._finish(passed.line, passed.misses, block)

    def _feed_slowly(self, block: bytes) -> None:
        for line in block.split(b"\n")[1:]:
            self.read_line(line)

    def read_line(self, line: bytes) -> None:
        """The same for one line: what a follower of a growing log calls."""
        self.line += 1
        self.lines += 1
        if line:
            self._slow(line, self.line)
        self._collect()

    def _finish(self, line: int, misses: int, block: bytes) -> None:
        read = line - self.line
        self.lines += read
        self.line = line
        self._collect()
        if misses * 2 > read:
            self._fast = fastest(block)

    @property
    def failures(self) -> Counter[str]:
        """Tries that failed or must wait, by kind (`refusals`)."""
        return sum((room.kinds for room in self._rooms.values()), Counter(self._voices.failures))

    @property
    def verdicts(self) -> Counter[str]:
        """What qmail-smtpd and its patches decided, by kind."""
        return self._voices.smtpd.verdicts

    def settle(self) -> None:
        """All files have been read: what could be known only at the end is known now."""
        self._voices.settle()
        self.ledger.settle()

    def _collect(self) -> None:
        for room in self._rooms.values():
            if room.begun:
                self.ledger.take(room.begun)
                room.begun = []

    def _slow(self, line: bytes, number: int) -> None:
        assert self._place is not None
        whose = self._voices.whose(line)
        if whose is not None:
            self._hear(*whose, line, number)
            return
        row = grammar.understood(line)
        if row is None or (self._only and dialect_of(row) not in self._only):
            self.shapes.add(line)
            return
        stamp, host, pid, auth, epoch, send, spam, json = row
        if auth:
            self.dialects[vpopmail.NAME] += 1
            key, at = self._texts.get(auth), self._place.calendar.at(stamp)
            key = self._learn(auth) if key is None else key
            if at is not None and key >= 0:
                self.ledger.add(at, key, number, int(pid or 0))
            else:
                self.shapes.add(auth)
        elif json:
            self._json(json, number)
        elif spam:
            self.dialects[spamd.NAME] += 1
        else:
            self.dialects[qmail.NAME] += 1
            self._send((stamp, host, epoch, send), number)

    def _hear(self, dialect: Dialect, said: Saying, line: bytes, number: int) -> None:
        assert self._place is not None
        self.dialects[dialect.name] += 1
        at = self._place.calendar.at(said.stamp)
        if at is None:
            self.shapes.add(line)
            return
        said.at, said.file, said.line = at, self._place.file, number
        if not said.host:
            said.host = self._place.stream
        if not dialect.hear(said):
            self.shapes.add(line)

    def _json(self, json: bytes, number: int) -> None:
        assert self._place is not None
        self.dialects[own.NAME] += 1
        event = own.parse(json)
        if event is None:
            self.shapes.add(json)
        else:
            self.own.take(event, self._place.file, number)

    def _learn(self, text: bytes) -> int:
        """The key of a login text that was not seen before; negative if it is none."""
        login = vpopmail.parse(text)
        key = -1 if login is None else self.ledger.key(login)
        if len(self._texts) >= TEXTS_KEPT:
            self._texts.clear()
        self._texts[text] = key
        return key

    def _send(self, row: tuple[bytes, bytes, bytes, bytes], number: int) -> None:
        stamp, host, epoch, send = row
        assert self._place is not None
        calendar = self._place.calendar
        if epoch and stamp[:1].isalpha():
            self._tied = stamp[:12]
            calendar.tie(stamp, epoch)
        at = int(epoch.replace(b".", b"")) if epoch else calendar.at(stamp)
        if send and not send.startswith(_SILENT):
            self._fact(host, at, send, number)

    def _fact(self, host: bytes, at: int | None, send: bytes, number: int) -> None:
        fact = qmail.parse(send)
        if fact is None or at is None:
            self._beside(host, at, send, number)
            return
        if host != self._host:
            self._host, self._room = host, self._room_of(host)
        self._room.take(at, number, fact)

    def _beside(self, host: bytes, at: int | None, text: bytes, number: int) -> None:
        """What splogger's `qmail` says is not always qmail-send's: qmail-smtpd may write there too."""
        assert self._place is not None
        beside = self._voices.smtpd
        said = Saying(b"", host or self._place.stream, qmail.NAME, 0, text.decode("utf-8", "surrogateescape"))
        if at is None or (self._only and beside.name not in self._only) or not beside.claims(said.text):
            self.shapes.add(text)
            return
        said.at, said.file, said.line = at, self._place.file, number
        self.dialects[qmail.NAME] -= 1
        self.dialects[beside.name] += 1
        if not beside.hear(said):
            self.shapes.add(text)

    def _room_of(self, host: bytes) -> Mailroom:
        """The queue that a line is about: that of its host; without a host, that of its file's name."""
        assert self._place is not None
        room = self._rooms.setdefault(host or self._place.stream, Mailroom())
        room.file = self._place.file
        return room


def dialect_of(row: grammar.Row) -> str:
    for text, name in ((row[3], vpopmail.NAME), (row[7], own.NAME), (row[6], spamd.NAME)):
        if text:
            return name
    return qmail.NAME


def fastest(block: bytes) -> "grammar.Pattern":
    """The strict expression that leaves the fewest lines of this block to the full grammar."""
    sample = block[:65_536]
    lanes = (*grammar.FAST, *express.LANES)
    return min(lanes, key=lambda strict: sum(1 for row in strict.findall(sample) if row[-1]))
