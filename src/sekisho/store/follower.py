"""Follows one growing log file: through rotation, truncation and our own restarts, whole lines only.

The place reached is always the beginning of a line, told together with the file's first bytes, by which the
file is known again under whatever name rotation gave it, packed or not. All calls block.
"""

import contextlib
import hashlib
import os
import select
import stat
from collections.abc import Iterator

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
        self._looked_s = 0.0
        self._since_s = since_s
        self._began = position
        self._left: Position | None = position
        """How far the file before this one was read."""
        self._older: Iterator[Piece] | None = self._left_behind(position)

    @property
    def position(self) -> Position | None:
        """Where a restart goes on; while older files are still being read, where this run began. A file of
        which nothing was read could not be known again: then it is the one before."""
        if self._older is not None:
            return self._began
        return self._here() if self._head else self._left

    @property
    def settled(self) -> bool:
        """Older files have been read."""
        return self._older is None

    def read(self, now_s: float) -> Piece:
        """The next lines, none if there are none yet. Never raises for what a file is or does."""
        try:
            if self._older is not None and (piece := next(self._older, None)) is not None:
                return piece
            self._older = None
            return self._next(now_s)
        except OSError:
            self._older = None
            self._leave()
        return Piece([])

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _here(self) -> Position:
        return Position(self._offset, len(self._head), _hash(self._head))

    def _next(self, now_s: float) -> Piece:
        if self._handle < 0 and not self._open():
            return Piece(self._came_and_went(now_s))
        state = os.fstat(self._handle)
        if state.st_size < self._offset or os.pread(self._handle, len(self._head), 0) != self._head:
            return Piece(self._start_over())
        if not self._head:
            self._keep_head()
            if missed := self._catch_up() if self._head else self._came_and_went(now_s):
                return Piece(missed)
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

    def _came_and_went(self, now_s: float) -> list[bytes]:
        """While there is no such file, or an empty one: what was rotated away before we saw it."""
        if now_s - self._looked_s < GRACE_S:
            return []
        self._looked_s = now_s
        return self._catch_up()

    def _open(self) -> bool:
        self._handle = opened(self.path)
        return self._handle >= 0

    def _leave(self) -> None:
        """This file is done with; the next that has the name begins at its beginning."""
        if self._head:
            self._left = self._here()
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
        """Another file has the name by now, or none."""
        try:
            there = os.stat(self.path)
        except OSError:
            return True
        return (there.st_dev, there.st_ino) != (state.st_dev, state.st_ino)

    def _start_over(self) -> list[bytes]:
        """Truncated under us. What was written before and not yet read may stand in the copy."""
        self._leave()
        return self._catch_up()

    def _go_on(self, unfinished: bytes) -> list[bytes]:
        """To the file that has the name now; what was rotated in between comes first."""
        whole = bool(unfinished) and not self._passing
        self._leave()
        self.close()
        here = self._left
        return self._catch_up() or ([unfinished] if whole and self._left == here else [])

    def _catch_up(self) -> list[bytes]:
        """What rotated files hold beyond the place where we left."""
        pieces = self._history() if self._left is None else self._rest_of_copy(self._left)
        return [line for piece in pieces for line in piece.lines if not piece.known]

    def _history(self) -> Iterator[Piece]:
        for sibling in siblings(self.path):
            if sibling.modified(0) >= self._since_s * 1_000_000:
                yield from self._whole(sibling, 0)

    def _left_behind(self, position: Position | None) -> Iterator[Piece]:
        """What must be read before the file itself: history, or what came while we were away."""
        if position is None:
            yield from self._history()
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
        yield from self._rest_of_copy(position)

    def _rest_of_copy(self, position: Position) -> Iterator[Piece]:
        """The rest of the file that was read to `position`, then what rotation has put between it and now."""
        rotated = siblings(self.path)
        heads = [_hash(file.sample(position.length)[1 : position.length + 1]) for file in rotated]
        if position.length and position.head in heads:
            place = heads.index(position.head)
            yield from self._whole(rotated[place], position.offset)
            for later, head in zip(rotated[place + 1 :], heads[place + 1 :], strict=True):
                if head != position.head:  # the same, being packed at this moment
                    yield from self._whole(later, 0)

    def _whole(self, file: LogFile, offset: int) -> Iterator[Piece]:
        """A rotated file from `offset` on, with the last lines before it as known."""
        kept, carry, done, head = b"", b"", 0, b""
        for data in file.text():
            head = (head + data)[:HEAD_MAX]
            before = data[: max(0, offset - done)]
            kept = (kept + before)[-REREAD:]
            done += len(data)
            if len(before) == len(data):
                continue
            if kept:
                yield Piece(_after_cut(kept, offset - len(kept)).split(b"\n"), known=True)
                kept = b""
            *lines, carry = (carry + data[len(before) :]).split(b"\n")
            carry = carry[: LINE_MAX + 1]
            yield Piece([line for line in lines if len(line) <= LINE_MAX])
        if carry and len(carry) <= LINE_MAX:
            yield Piece([carry])
        if head:
            self._left = Position(done, len(head), _hash(head))


def opened(path: str) -> int:
    """A handle of a plain file, -1 if there is none; pipes and devices would make us wait."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        return -1
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    return -1


def siblings(path: str) -> list[LogFile]:
    """What rotation has left of this file, the oldest first."""
    folder = os.path.dirname(path) or "."
    try:
        names = [os.path.join(os.path.dirname(path), name) for name in os.listdir(folder)]
    except OSError:
        return []
    same = [name for name in names if name != path and logfiles.age(name)[0] == path]
    rotated = [name for name in same if os.path.isfile(name) and os.access(name, os.R_OK)]
    return [LogFile(name) for name in sorted(rotated, key=lambda name: logfiles.age(name)[1])]


def _after_cut(data: bytes, start: int) -> bytes:
    """Without the line that was cut, where the data does not begin at the file's beginning."""
    return data if not start else data[data.find(b"\n") + 1 :]


def _hash(head: bytes) -> str:
    return hashlib.blake2b(head, digest_size=16).hexdigest()


class Stdin:
    """Standard input, read as it comes: `journalctl -f | sekisho watch -`."""

    path = logfiles.STDIN
    position = None

    def __init__(self, handle: int = 0) -> None:
        self._handle = handle
        self._carry = b""
        self.settled = False
        """Its end has been read."""

    def read(self, now_s: float) -> Piece:
        data = b""
        with contextlib.suppress(OSError, ValueError):
            if not select.select([self._handle], [], [], 0)[0]:
                return Piece([])
            data = os.read(self._handle, CHUNK)
        if not data:
            self.settled = True
        *lines, carry = (self._carry + data).split(b"\n")
        if self.settled and carry:
            lines, carry = [*lines, carry], b""
        self._carry = carry[: LINE_MAX + 1]
        return Piece([line for line in lines if len(line) <= LINE_MAX])

    def close(self) -> None:
        """It is not ours to close."""
