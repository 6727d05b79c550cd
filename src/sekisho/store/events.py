"""The event archive: JSON lines, one file per writing role and day, `events/DATE.ROLE.jsonl`.

Lines are buffered by the caller's rhythm and written with one system call; they are not fsynced (what must
survive a power cut is in a database). A finished day is compressed with zstd. A line cut by a crash is
skipped and counted.
"""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import zstandard

from sekisho.model.event import Event
from sekisho.world import Unavailable

_NAME = re.compile(r"(\d{4}-\d\d-\d\d)\.([a-z0-9-]+)\.jsonl(\.zst)?")
_DAY_US = 86_400_000_000
BUFFER_LINES_MAX = 100_000
"""Above this many unwritten lines (a full disk) the newest are dropped, and counted in `dropped`."""


class EventLog:
    """Writes one role's events. Not thread-safe: the role's loop is its only user."""

    def __init__(self, folder: str, role: str) -> None:
        self._folder = folder
        self._role = role
        self._encoder = msgspec.json.Encoder()
        self._lines: list[bytes] = []
        self._day = ""
        self._handle = -1
        self.dropped = 0
        os.makedirs(folder, mode=0o700, exist_ok=True)

    def append(self, event: Event) -> None:
        if len(self._lines) >= BUFFER_LINES_MAX:
            self.dropped += 1
            return
        self._lines.append(self._encoder.encode(event))

    def flush(self, now: int) -> bool:
        """Writes what was appended; True when a new day's file was begun. Raises Unavailable, and keeps
        the lines."""
        if not self._lines:
            return False
        try:
            turned = self._turn_to(day_of(now))
            _write(self._handle, b"\n".join(self._lines) + b"\n")
        except OSError as error:
            raise Unavailable("the event archive", error.strerror or str(error)) from error
        self._lines.clear()
        return turned

    def _turn_to(self, day: str) -> bool:
        if day == self._day:
            return False
        self.close()
        path = os.path.join(self._folder, f"{day}.{self._role}.jsonl")
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._day = day
        return True

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
            self._day = ""


def tidy(folder: str, role: str, now: int, keep_days: int) -> None:
    """Compresses this role's finished days and removes those older than `keep_days`. Blocks: call it in a
    thread."""
    today = day_of(now)
    oldest = day_of(now - keep_days * _DAY_US)
    for name in sorted(os.listdir(folder)):
        match = _NAME.fullmatch(name)
        if match is None or match[2] != role or match[1] == today:
            continue
        path = os.path.join(folder, name)
        if match[1] < oldest:
            os.unlink(path)
        elif match[3] is None:
            _compress(path)


def read_events(folder: str, since: int = 0, until: int = 2**62) -> Iterator[Event]:
    """All roles' events with since <= at < until, in order of time within each day."""
    decoder = msgspec.json.Decoder(Event)
    for day, paths in _days(folder, since, until):
        events = [event for path in paths for event in _events_of(path, decoder) if since <= event.at < until]
        events.sort(key=lambda event: (event.at, event.id))
        yield from events
        del day


def _days(folder: str, since: int, until: int) -> Iterator[tuple[str, list[str]]]:
    first = day_of(max(since - _DAY_US, 0))
    last = day_of(min(until + _DAY_US, 250_000_000_000_000_000))
    days: dict[str, list[str]] = {}
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        match = _NAME.fullmatch(name)
        if match and first <= match[1] <= last:
            days.setdefault(match[1], []).append(os.path.join(folder, name))
    yield from sorted(days.items())


def _events_of(path: str, decoder: "msgspec.json.Decoder[Event]") -> Iterator[Event]:
    try:
        with open(path, "rb") as file:
            stream = zstandard.ZstdDecompressor().stream_reader(file) if path.endswith(".zst") else file
            yield from _decoded(_lines(stream), decoder)
    except (OSError, zstandard.ZstdError) as error:
        raise Unavailable(path, str(error)) from error


def _lines(stream: object) -> Iterator[bytes]:
    rest = b""
    while data := stream.read(1 << 20):  # type: ignore[attr-defined]
        *lines, rest = (rest + data).split(b"\n")
        yield from lines
    if rest:
        yield rest


def _decoded(lines: Iterator[bytes], decoder: "msgspec.json.Decoder[Event]") -> Iterator[Event]:
    for line in lines:
        try:
            yield decoder.decode(line)
        except (msgspec.DecodeError, RecursionError):
            continue  # a line cut by a crash, damaged on the disk, or of a newer version


def day_of(at: int) -> str:
    """The UTC day of a time in microseconds, as in "2026-01-31"."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).strftime("%Y-%m-%d")


def _write(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _compress(path: str) -> None:
    """The day's file becomes .zst; a crash in between leaves the original, and the next turn does it
    again."""
    half = path + ".zst.part"
    with open(path, "rb") as source, open(half, "wb") as target:
        zstandard.ZstdCompressor(level=6).copy_stream(source, target)
        target.flush()
        os.fsync(target.fileno())
    os.rename(half, path + ".zst")
    os.unlink(path)
