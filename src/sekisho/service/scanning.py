"""Reads anybody's mail logs: files -> one ledger of who logged in and what was sent, ready to be judged.

No database, no loop. What was assumed about year and zone, what was not understood and what was wrong with a
file are kept for the report (`scan_judging`).
"""

import gc
import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Protocol

from msgspec import Struct, structs

from sekisho.guard.networks import NetworkTable
from sekisho.logs import alignment, detect, journal
from sekisho.logs.detect import Assumed, Circumstances, Sighting
from sekisho.logs.ledger import Ledger
from sekisho.logs.reading import Place, Reader
from sekisho.logs.stamp import SECOND, Calendar, fixed_zone, rfc3339
from sekisho.model.envelope import Network
from sekisho.model.phrase import phrase
from sekisho.service.scan_report import FileRead
from sekisho.store import logfiles
from sekisho.store.logfiles import LogFile

HINT_SAMPLE = 16 * 1024 * 1024
"""So far into a file a line is looked for that tells year and zone."""

NEIGHBOURS_MAX = 50
NEIGHBOUR_SAMPLE = 256 * 1024
ADDRESSES_KEPT = 1 << 18


class Wanted(Struct, frozen=True):
    """What the user asked for. `since` and `until` in microseconds; `formats` empty for all."""

    account: str = ""
    since: int = 0
    until: int = 2**62
    what_if: bool = False
    formats: frozenset[str] = frozenset()


class Reading(Struct):
    """All files, read. `show` writes a time as the log's own clock showed it; `find` says whose an address
    is."""

    ledger: Ledger
    reader: Reader
    files: tuple[FileRead, ...]
    assumed: Assumed | None
    show: Callable[[int], str]
    find: Callable[[str], Network]


class Watcher(Protocol):
    """Told how far the reading is: the file's name, and bytes of text read from it."""

    def __call__(self, name: str, done: int) -> None: ...


class Around(Protocol):
    """What is known of a file from outside."""

    def __call__(self, file: LogFile) -> Circumstances: ...


class _Source(Struct):
    """A file before it is read."""

    file: LogFile
    sighting: Sighting
    print: bytes
    kind: journal.Kind = ""
    calendar: Calendar | None = None
    assumed: Assumed | None = None


def read(
    files: Sequence[LogFile], around: Around, wanted: Wanted, table: NetworkTable, watcher: Watcher
) -> Reading:
    sources = [_source(file) for file in files]
    _set_calendars(sources, around)
    reader = Reader(Ledger(wanted.since, wanted.until), wanted.formats)
    with without_collections():
        told = tuple(_read(reader, number, sources, watcher) for number in range(len(sources)))
    reader.settle()
    _align(reader.ledger, sources)
    assumed = next((source.assumed for source in sources if source.sighting.classic), None)
    ordered = sorted(sources, key=lambda source: not source.sighting.classic)
    calendars = [source.calendar for source in ordered if source.calendar is not None]
    return Reading(
        reader.ledger, reader, told, assumed or (sources[0].assumed if sources else None), _clock(calendars),
        _finder(reader.own.networks, table),
    )  # fmt: skip


def _align(ledger: Ledger, sources: Sequence[_Source]) -> None:
    """Where only the computer's zone was to be had, let the messages tell the logins' zone."""
    untold = {number for number, source in enumerate(sources) if source.assumed and not source.assumed.told}
    true = {number for number, source in enumerate(sources) if source.sighting.hint is not None}
    shift = alignment.shift_of(ledger, untold, true) if untold and true else 0
    if not shift:
        return
    ledger.shift(untold, untold - true, shift)
    for source in (sources[number] for number in untold):
        assert source.calendar is not None
        hint = next(sources[number].sighting.hint for number in sorted(true))
        assert hint is not None
        source.calendar.offset_s = source.calendar.offset_at(hint.at) - shift // SECOND
        how = phrase("zone from messages that follow their sign-ins")
        source.assumed = detect.assumed_of(source.sighting, source.calendar, hint.at, how, told=True)


def _source(file: LogFile) -> _Source:
    sample = file.sample()
    print_ = hashlib.blake2b(sample).digest()
    kind = journal.kind_of(sample)
    if kind:
        sample = b"".join(journal.as_lines(kind, (sample,)))
    sighting = detect.look(file.name, sample)
    if sighting.hint is None and sighting.classic and len(sample) >= logfiles.SAMPLE and file.path != "-":
        sighting = detect.look(file.name, file.sample(HINT_SAMPLE))
    return _Source(file, sighting, print_, kind)


def _set_calendars(sources: Sequence[_Source], around: Around) -> None:
    hints = [source.sighting.hint for source in sources if source.sighting.hint is not None]
    lost = any(source.sighting.classic for source in sources) and not hints
    beside = _neighbours([source.file for source in sources]) if lost else []
    began: dict[str, int] = {}
    for source in sources:
        rotated = logfiles.age(source.file.path)[0]
        circumstances = structs.replace(around(source.file), after=began.get(rotated, 0))
        source.calendar, source.assumed = detect.calendar_for(source.sighting, hints, beside, circumstances)
        began[rotated] = source.assumed.first


def _neighbours(files: Sequence[LogFile]) -> list[detect.Hint]:
    """What other files in the same folders tell of time. They are looked into for nothing else."""
    found = (
        detect.look(file.path.rpartition("/")[2], file.sample(NEIGHBOUR_SAMPLE)).hint
        for file in logfiles.neighbours(files)[:NEIGHBOURS_MAX]
    )
    return [hint for hint in found if hint is not None]


def _read(reader: Reader, number: int, sources: Sequence[_Source], watcher: Watcher) -> FileRead:
    source = sources[number]
    assert source.calendar is not None
    reader.begin(Place(number, logfiles.age(source.file.path)[0].encode(errors="replace"), source.calendar))
    twin = _twin(source, sources[:number])
    if twin is not None:
        return FileRead(source.file.name, 0, (phrase("the same text as {file}; read once", file=twin.name),))
    done = 0
    for block in journal.as_lines(source.kind, source.file.blocks()):
        reader.feed(block)
        done += len(block)
        watcher(source.file.name, done)
    return FileRead(source.file.name, reader.line, tuple(source.file.notes))


def _twin(source: _Source, earlier: Sequence[_Source]) -> LogFile | None:
    """An earlier file with the same text, perhaps packed otherwise."""
    alike = [other.file for other in earlier if other.print == source.print and other.file.path != "-"]
    if not alike or source.file.path == "-":
        return None
    text = source.file.digest()
    return next((file for file in alike if file.digest() == text), None)


@contextmanager
def without_collections() -> Iterator[None]:
    """The ledger makes millions of objects and no cycles: looking for cycles would take a fifth of the
    time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _finder(known: dict[str, Network], table: NetworkTable) -> Callable[[str], Network]:
    """The network as our own events recorded it then, else as the table knows it now."""

    @lru_cache(ADDRESSES_KEPT)
    def find(address: str) -> Network:
        return known.get(address) or table.find(address)

    return find


def _clock(calendars: Sequence[Calendar]) -> Callable[[int], str]:
    """Writes times with the offset that the logs told for then, else by the first calendar's rules."""
    told = sorted(moment for calendar in calendars for moment in calendar.told)
    starts = [second for second, _ in told]

    def show(at: int) -> str:
        if told and not calendars[0].fixed:
            offset = told[max(0, bisect_right(starts, at // SECOND) - 1)][1]
        else:
            offset = calendars[0].offset_at(at) if calendars else 0
        return rfc3339(at, fixed_zone(offset))

    return show
