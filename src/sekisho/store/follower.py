"""Follows one growing log file: through rotation, truncation and our own restarts, whole lines only.

The place reached is always the beginning of a line, told together with the file's first bytes, by which the
file is known again under whatever name rotation gave it, packed or not. All calls block.
"""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator

from msgspec import Struct

from sekisho.store import logfiles
from sekisho.store.logfiles import LogFile

CHUNK = 1024 * 1024
"""Bytes read in one turn, so that one busy file does not make the others wait."""
HEAD_MAX = 256
"""Bytes at the beginning of a file by which it is known again: two log lines or more, with their times."""
REREAD = 256 * 1024
"""So far before the place reached a restart reads again, to know the letters and sign-ins under way."""
GRACE_S = 5.0
"""A file that was renamed is left when it has been silent so long: its writer opens the new one late."""
LINE_MAX = 64 * 1024
"""A longer line is no log line: it is passed over to its end."""


class Position(Struct, frozen=True):
    """`head`: hash of the first `length` bytes of the file that `offset` belongs to."""

    offset: int
    length: int = 0
    head: str = ""


class Piece(Struct, frozen=True):
    """Lines in order. `known`: they were read before our restart, and serve only to understand the next."""

    lines: list[bytes]
    known: bool = False


class Follower:
    """`position` None: never followed before; then what rotation has left of it is read first, oldest first,
    if it was written after `since_s`."""

    def __init__(self, path: str, position: Position | None = None, since_s: float = 0.0) -> None:
        self.path = path
        self._handle = -1
        self._offset = 0
        self._head = b""
        self._passing = False
        self._silent_from: float | None = None
        self._kept = position
        self._older: Iterator[Piece] | None = self._left_behind(position, since_s)

    @property
    def position(self) -> Position | None:
        """Where a restart goes on; while older files are still being read, where this run began."""
        return self._kept if self._older is not None else self._here()

    def read(self, now_s: float) -> Piece:
        """The next lines, none if there are none yet. Never raises for what a file is or does."""
        try:
            if self._older is not None:
                return next(self._older)
            return self._next(now_s)
        except StopIteration:
            self._older = None
        except OSError:
            self._older = None
            self._leave()
        return Piece([])

    @property
    def settled(self) -> bool:
        """Older files have been read."""
        return self._older is None

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _here(self) -> Position:
        return Position(self._offset, len(self._head), _hash(self._head))

    def _next(self, now_s: float) -> Piece:
        if self._handle < 0 and not self._open():
            return Piece([])
        state = os.fstat(self._handle)
        if state.st_size < self._offset or os.pread(self._handle, len(self._head), 0) != self._head:
            return Piece(self._start_over())
        data = os.pread(self._handle, CHUNK, self._offset)
        self._keep_head()
        lines = self._whole_lines(data)
        if lines or not self._is_replaced(state):
            self._silent_from = None
            return Piece(lines)
        if self._silent_from is None:
            self._silent_from = now_s
        if now_s - self._silent_from < GRACE_S:
            return Piece([])
        return Piece(self._go_on(data))

    def _open(self) -> bool:
        self._handle = _opened(self.path)
        return self._handle >= 0

    def _leave(self) -> None:
        self.close()
        self._offset, self._head, self._silent_from, self._passing = 0, b"", None, False

    def _keep_head(self) -> None:
        """The first bytes, once they are there; whole lines, until there are enough."""
        if len(self._head) < HEAD_MAX:
            head = os.pread(self._handle, HEAD_MAX, 0)
            self._head = head if len(head) == HEAD_MAX else head[: head.rfind(b"\n") + 1]

    def _whole_lines(self, data: bytes) -> list[bytes]:
        end = data.rfind(b"\n") + 1
        if not end:
            if len(data) > LINE_MAX:
                self._passing = True
                self._offset += len(data)
            return []
        self._offset += end
        lines = data[: end - 1].split(b"\n")
        if self._passing:
            self._passing = False
            del lines[0]
        return [line for line in lines if len(line) <= LINE_MAX]

    def _is_replaced(self, state: os.stat_result) -> bool:
        """Another file has the name by now."""
        try:
            there = os.stat(self.path)
        except OSError:
            return False  # it will come; until then the old one may still be written to
        return (there.st_dev, there.st_ino) != (state.st_dev, state.st_ino)

    def _start_over(self) -> list[bytes]:
        """Truncated under us. What was written before and not yet read may stand in the copy."""
        lines = self._unread() or []
        self._offset, self._head, self._passing = 0, b"", False
        return lines

    def _go_on(self, unfinished: bytes) -> list[bytes]:
        """To the file that has the name now; what was rotated in between comes first."""
        lines = self._unread()
        if lines is None:
            lines = [unfinished] if unfinished and not self._passing else []
        self._leave()
        return lines

    def _unread(self) -> list[bytes] | None:
        """Of the rotated files, from where we are; None when ours is not among them."""
        rest = _rest_of_copy(self.path, self._here())
        if rest is None:
            return None
        return [line for piece in rest for line in piece.lines if not piece.known]

    def _left_behind(self, position: Position | None, since_s: float) -> Iterator[Piece]:
        """What must be read before the file itself: history, or what came while we were away."""
        if position is None:
            for sibling in _siblings(self.path):
                if sibling.modified(0) >= since_s * 1_000_000:
                    yield from _pieces(sibling.text())
            return
        if self._open():
            head = os.pread(self._handle, position.length, 0)
            if _hash(head) == position.head and os.fstat(self._handle).st_size >= position.offset:
                self._offset, self._head = position.offset, head
                start = max(0, position.offset - REREAD)
                data = os.pread(self._handle, position.offset - start, start)
                yield Piece(_after_cut(data, start).split(b"\n"), known=True)
                return
            self.close()
        yield from _rest_of_copy(self.path, position) or ()


def _rest_of_copy(path: str, position: Position) -> Iterator[Piece] | None:
    """The rest of the file that was read to `position`, then what rotation has put between it and now. None
    when it is not to be found."""
    siblings = _siblings(path)
    for place, sibling in enumerate(siblings):
        head = sibling.sample(position.length)[1 : position.length + 1]
        if position.length and _hash(head) == position.head:
            return _from(sibling, position.offset, siblings[place + 1 :])
    return None


def _from(file: LogFile, offset: int, newer: list[LogFile]) -> Iterator[Piece]:
    yield from _rest(file, offset)
    for later in newer:
        yield from _pieces(later.text())


def _opened(path: str) -> int:
    """A handle of a plain file, -1 if there is none; pipes and devices would make us wait."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        return -1
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    return -1


def _siblings(path: str) -> list[LogFile]:
    """What rotation has left of this file, the oldest first."""
    folder = os.path.dirname(path) or "."
    try:
        names = [os.path.join(os.path.dirname(path), name) for name in os.listdir(folder)]
    except OSError:
        return []
    same = [name for name in names if name != path and logfiles.age(name)[0] == path]
    rotated = [name for name in same if os.path.isfile(name) and os.access(name, os.R_OK)]
    return [LogFile(name) for name in sorted(rotated, key=lambda name: logfiles.age(name)[1])]


def _rest(file: LogFile, offset: int) -> Iterator[Piece]:
    """From `offset` on, with the last lines before it as known."""
    kept, done = b"", 0

    def beyond() -> Iterator[bytes]:
        nonlocal kept, done
        for data in file.text():
            before = data[: max(0, offset - done)]
            kept = (kept + before)[-REREAD:]
            done += len(data)
            if len(before) < len(data):
                yield data[len(before) :]

    rest = beyond()
    first = next(rest, b"")
    yield Piece(_after_cut(kept, offset - len(kept)).split(b"\n"), known=True)
    if first:
        yield from _pieces(_chain(first, rest))


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _after_cut(data: bytes, start: int) -> bytes:
    """Without the line that was cut, where the data does not begin at the file's beginning."""
    return data if not start else data[data.find(b"\n") + 1 :]


def _pieces(text: Iterable[bytes]) -> Iterator[Piece]:
    carry = b""
    for data in text:
        lines = (carry + data).split(b"\n")
        carry = lines.pop()[: LINE_MAX + 1]
        yield Piece([line for line in lines if len(line) <= LINE_MAX])
    if carry:
        yield Piece([carry])


def _hash(head: bytes) -> str:
    return hashlib.blake2b(head, digest_size=16).hexdigest()
