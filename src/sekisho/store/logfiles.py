"""Log files as they lie about: rotated, compressed, in folders, on standard input; read as blocks of whole
lines.

The kind of compression is seen from the first bytes, not from the name. A cut or damaged archive gives what
it holds, and a note. Nothing here is ever held in memory as a whole.
"""

import bz2
import gzip
import hashlib
import lzma
import os
import re
import stat
import sys
import zlib
from collections.abc import Iterable, Iterator
from io import BufferedReader

import zstandard

from sekisho.model.phrase import Phrase, phrase
from sekisho.world import Unavailable

CHUNK = 256 * 1024
"""Bytes read at once: what fits the processor's cache reads fastest."""

LINE_MAX = 4 * 1024 * 1024
"""Longer lines are cut here, and counted."""

ZSTD_PIECE = 8 * 1024
SAMPLE = 1024 * 1024
FILES_MAX = 10_000
DEPTH_MAX = 4
STDIN = "-"

_NOT_LOGS = frozenset({"lock", "state", "status"})
"""What multilog and svlogd keep beside their logs."""

_ARCHIVE = r"(?:\.(?:gz|zst|bz2|xz|Z))?"
_ROTATED = re.compile(
    rf"(?P<base>.+?)(?:[.-](?P<date>\d{{8}}(?:[-.]?\d{{2,6}})?)|\.(?P<number>\d{{1,4}}))?{_ARCHIVE}"
)
_TAI_NAME = re.compile(rf"@[0-9a-f]{{24}}\.[a-z]{_ARCHIVE}")


class LogFile:
    """One file, or standard input. `notes` tells what was wrong with it, after reading."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.name = "standard input" if path == STDIN else path
        self.notes: list[Phrase] = []
        self._peeked: list[bytes] = []
        self._open: Iterator[bytes] | None = None

    @property
    def size(self) -> int:
        return 0 if self.path == STDIN else os.stat(self.path).st_size

    def modified(self, now: int) -> int:
        """When it was last written to, in microseconds; standard input: now."""
        return now if self.path == STDIN else os.stat(self.path).st_mtime_ns // 1000

    def sample(self, limit: int = SAMPLE) -> bytes:
        """The first bytes of its text, behind a newline. Of standard input they will be read again."""
        parts, length = [b"\n"], 0
        for part in self._peek() if self.path == STDIN else self._text():
            parts.append(part)
            length += len(part)
            if length >= limit:
                break
        return b"".join(parts)

    def _peek(self) -> Iterator[bytes]:
        yield from self._peeked
        if self._open is None:
            self._open = self._text()
        for part in self._open:
            self._peeked.append(part)
            yield part

    def digest(self) -> bytes:
        """Of the whole text, however it is packed."""
        state = hashlib.sha256()
        for part in self._text():
            state.update(part)
        return state.digest()

    def blocks(self) -> Iterator[bytes]:
        """Blocks of whole lines: each begins with a newline and ends without one."""
        carry, cut = b"\n", 0
        for part in self._peek() if self.path == STDIN else self._text():
            data = carry + part
            end = data.rfind(b"\n")
            if end > 0:
                yield data[:end]
                carry = data[end:]
            elif len(data) > LINE_MAX:
                cut += len(carry) <= LINE_MAX
                carry = data[: LINE_MAX + 1]
            else:
                carry = data
        if len(carry) > 1:
            yield carry
        if cut:
            self.notes.append(
                phrase("{count} lines were longer than {most} bytes and were cut", count=cut, most=LINE_MAX)
            )

    def text(self) -> Iterator[bytes]:
        """The file's text, expanded, in parts that may end anywhere."""
        return self._text()

    def _text(self) -> Iterator[bytes]:
        """The file's text, expanded; trouble becomes a note, and what was read before it counts."""
        self.notes.clear()
        try:
            with self._source() as source:
                yield from expanded(source)
        except OSError as error:
            self.notes.append(
                phrase("it could not be read to its end: {why}", why=error.strerror or str(error))
            )
        except (EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError):
            self.notes.append(phrase("the archive is cut off or damaged; what could be read was read"))

    def _source(self) -> BufferedReader:
        if self.path == STDIN:
            return os.fdopen(os.dup(sys.stdin.fileno()), "rb")
        return open(self.path, "rb")


def expanded(source: BufferedReader) -> Iterator[bytes]:
    """The text of a stream, whatever it is packed with. Raises EOFError and the libraries' errors on
    damage."""
    head = source.peek(6)[:6]
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        yield from _zstd(source)
        return
    file = source
    if head.startswith(b"\x1f\x8b"):
        file = gzip.GzipFile(fileobj=source)  # type: ignore[assignment]
    elif head.startswith(b"BZh"):
        file = bz2.BZ2File(source)  # type: ignore[assignment]
    elif head.startswith(b"\xfd7zXZ\x00"):
        file = lzma.LZMAFile(source)  # type: ignore[assignment]  # noqa: SIM115
    while data := file.read1(CHUNK):
        yield data


def _zstd(source: BufferedReader) -> Iterator[bytes]:
    """Frame after frame. Small pieces go in, because a few bytes may come out as very many."""
    state = zstandard.ZstdDecompressor().decompressobj()
    begun = False
    while data := source.read(ZSTD_PIECE):
        while data:
            if text := state.decompress(data):
                yield text
            begun, data = not state.eof, state.unused_data
            if state.eof:
                state = zstandard.ZstdDecompressor().decompressobj()
    if begun:
        raise EOFError


def find(paths: Iterable[str]) -> list[LogFile]:
    """The files meant by these paths, oldest of each rotated set first. Raises Unavailable for what is not
    there."""
    found: list[str] = []
    for path in paths:
        found.extend(_inside(path))
    unique = list(dict.fromkeys(found))[:FILES_MAX]
    bases = {base: place for place, base in reversed(list(enumerate(age(path)[0] for path in unique)))}
    return [LogFile(path) for path in sorted(unique, key=lambda path: (bases[age(path)[0]], age(path)[1]))]


def _inside(path: str) -> list[str]:
    if path == STDIN:
        return [path]
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        raise Unavailable(path, getattr(error, "strerror", "") or "no such file") from error
    if stat.S_ISDIR(mode):
        return _in_folder(path, 0)
    if not os.access(path, os.R_OK):
        raise Unavailable(path, "no permission to read it")
    return [path]


def _in_folder(folder: str, depth: int) -> list[str]:
    """Regular files that can be read, hidden ones and locks apart."""
    files: list[str] = []
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise Unavailable(folder, error.strerror or str(error)) from error
    for entry in entries:
        if entry.name.startswith(".") or entry.name in _NOT_LOGS:
            continue
        if entry.is_dir(follow_symlinks=False) and depth < DEPTH_MAX:
            files.extend(_in_folder(entry.path, depth + 1))
        elif entry.is_file() and os.access(entry.path, os.R_OK):
            files.append(entry.path)
    return files[:FILES_MAX]


def neighbours(files: Iterable[LogFile]) -> list[LogFile]:
    """Other readable files in the folders of these: they may tell what these do not."""
    paths = [file.path for file in files if file.path != STDIN]
    beside: list[str] = []
    for folder in dict.fromkeys(os.path.dirname(os.path.abspath(path)) for path in paths):
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        beside.extend(os.path.join(folder, name) for name in names if not name.startswith("."))
    own = {os.path.realpath(path) for path in paths}
    found = [path for path in beside if os.path.isfile(path) and os.path.realpath(path) not in own]
    return [LogFile(path) for path in found if os.access(path, os.R_OK)]


Age = tuple[str, tuple[int, str, int]]


def age(path: str) -> Age:
    """The name that a rotated set shares, and a key by which its oldest file comes first.

    `maillog-20130721` before `maillog-20130722.gz` before `maillog.10` before `maillog.2.gz` before
    `maillog`; multilog's `@4000...s` before `current`.
    """
    folder, name = os.path.split(path)
    if _TAI_NAME.fullmatch(name):
        return os.path.join(folder, "current"), (0, name, 0)
    match = _ROTATED.fullmatch(name)
    if match is None:
        return path, (2, "", 0)
    base = os.path.join(folder, match["base"])
    if match["date"]:
        return base, (0, match["date"], 0)
    if match["number"]:
        return base, (1, "", -int(match["number"]))
    return base, (2, "", 0)
