"""Reads blocks of lines into the ledger: one regular expression a block, each distinct login parsed once.

A block begins with a newline and ends without one, so that every line stands behind exactly one newline. Most files
have one kind of header; a strict expression for that kind reads them fast, and the lines it does not know are read
again with the full grammar. What a line means does not depend on the way.
"""

from collections import Counter

from msgspec import Struct

from sekisho.logs import grammar, own, qmail, spamd, vpopmail
from sekisho.logs.ledger import Ledger
from sekisho.logs.mailroom import Mailroom
from sekisho.logs.own_events import OwnEvents
from sekisho.logs.shapes import Shapes
from sekisho.logs.stamp import Calendar

TEXTS_KEPT = 300_000
"""Distinct login texts whose meaning is remembered; failures with passwords in them could be without number."""

_SILENT = (b"status: ", b"new msg ")
"""Lines of qmail-send that say nothing about a letter which another line does not say too."""


class Place(Struct):
    """The file that is being read: its number, its name for letters without a host, its calendar."""

    file: int
    stream: bytes
    calendar: Calendar


class Reader:
    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.own = OwnEvents(ledger)
        self.shapes = Shapes()
        self.dialects: Counter[str] = Counter()
        self.lines = 0
        self.line = 0
        self._place: Place | None = None
        self._fast = grammar.FAST[0]
        self._texts: dict[bytes, int] = {}
        self._rooms: dict[bytes, Mailroom] = {}
        self._tied = b""

    def begin(self, place: Place) -> None:
        """Blocks that follow are from this file, beginning at its first line."""
        self.ledger.begin_file()
        self._place = place
        self.line = 0
        self._tied = b""
        for room in self._rooms.values():
            room.file = place.file

    def feed(self, block: bytes) -> None:
        assert self._place is not None
        calendar, texts, add = self._place.calendar, self._texts, self.ledger.add
        rows = self._fast.findall(block)
        line, last, at, auths, silent, misses = self.line, b"", None, 0, 0, 0
        turns = calendar.turns
        for stamp, host, pid, auth, epoch, send, spam, other in rows:
            line += 1
            if auth:
                auths += 1
                if stamp != last:
                    last, at = stamp, calendar.at(stamp)
                key = texts.get(auth)
                if key is None:
                    key = self._learn(auth)
                if at is not None and key >= 0:
                    add(at, key, line, int(pid or 0))
                else:
                    self.shapes.add(auth)
            elif send or epoch:
                if send.startswith(_SILENT):
                    silent += 1
                    continue
                self._send((stamp, host, epoch, send), line)
                if turns != calendar.turns:
                    turns, last = calendar.turns, b""
            elif spam:
                self.dialects[spamd.NAME] += 1
            elif other:
                misses += 1
                self._slow(other, line)
        self.dialects[vpopmail.NAME] += auths
        self.dialects[qmail.NAME] += silent
        self._finish(line, misses, block)

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

    def _collect(self) -> None:
        for room in self._rooms.values():
            if room.begun:
                self.ledger.take(room.begun)
                room.begun = []

    def _slow(self, line: bytes, number: int) -> None:
        assert self._place is not None
        row = grammar.understood(line)
        if row is None:
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
            self._send((stamp, host, epoch, send), number)

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
        place = self._place
        assert place is not None
        self.dialects[qmail.NAME] += 1
        at: int | None
        if epoch:
            at = int(epoch.replace(b".", b""))
            if stamp[:12] != self._tied and stamp[:1].isalpha():
                self._tied = stamp[:12]
                place.calendar.tie(stamp, epoch)
        else:
            at = place.calendar.at(stamp)
        if not send or send.startswith(_SILENT):
            return
        fact = qmail.parse(send)
        if fact is None or at is None:
            self.shapes.add(send)
        else:
            self._room(host or place.stream).take(at, number, fact)

    def _room(self, name: bytes) -> Mailroom:
        room = self._rooms.get(name)
        if room is None:
            room = self._rooms[name] = Mailroom()
            assert self._place is not None
            room.file = self._place.file
        return room


def fastest(block: bytes) -> "grammar.Pattern":
    """The strict expression that leaves the fewest lines of this block to the full grammar."""
    sample = block[:65_536]
    return min(grammar.FAST, key=lambda strict: sum(1 for row in strict.findall(sample) if row[-1]))
