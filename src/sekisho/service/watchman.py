"""Follows logs and reports what they tell: the loop behind `sekisho watch`.

Each turn reads what was written since the last, makes events of it and reports them; only when the guard has
them on its disk the place reached is written down. So a kill at any moment loses nothing: what was reported
and not written down is read again, and changes nothing, for its events have the same ids.
"""

import glob
import os
from collections.abc import Iterable, Sequence
from datetime import tzinfo
from functools import partial
from typing import Protocol

from msgspec import Struct

from sekisho.logs import detect
from sekisho.logs.detect import Circumstances
from sekisho.logs.live import LiveDesk, Origin, Stream
from sekisho.logs.stamp import DAY_S, SECOND, Calendar
from sekisho.model.event import Event, Trust
from sekisho.model.text import printable
from sekisho.service.boundary import Record, boundary
from sekisho.service.channel import Channel, NotDone
from sekisho.service.messages import Kept, Report
from sekisho.store import follower, logfiles
from sekisho.store.follower import Follower, Piece, Position, Stdin
from sekisho.store.logfiles import LogFile
from sekisho.store.positions import Positions
from sekisho.world import Unavailable, World

RHYTHM_S = 0.5
LOOK_AROUND_S = 5.0
"""New files are looked for this often."""
PIECES = 16
"""Pieces of one turn; then what they tell is reported."""
EVENTS_MAX = 2000
"""Events of one report."""
LEARN_S = 60 * DAY_S
"""Older rotated logs teach nothing any more: networks count as the account's own for 60 days."""
AHEAD = DAY_S * SECOND
"""A stamp that far in the future is no time."""
NO_BACKLOG = 2**62
SAMPLE = 256 * 1024
FOLLOWED_MAX = 1000


class Reads(Protocol):
    """Somewhere lines come from."""

    path: str

    @property
    def position(self) -> Position | None: ...

    @property
    def settled(self) -> bool: ...

    def read(self, now_s: float) -> Piece: ...

    def close(self) -> None: ...


class Source(Struct):
    reads: Reads
    stream: Stream


class Watchman:
    def __init__(
        self, world: World, places: Sequence[str], positions: Positions, zone: tzinfo, watch: Channel
    ) -> None:
        self._world = world
        self._places = places
        self._positions = positions
        self._zone = zone
        self._watch = watch
        self._desk = LiveDesk()
        self._ears = False
        self._sources: dict[str, Source] = {}
        self._looked_s = -LOOK_AROUND_S
        self._unreported: list[Event] = []
        self.lines = 0
        self.events = 0
        self.dropped = 0
        self.stopped = False

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(self._sources)

    def unparsed(self) -> int:
        return sum(source.stream.reader.shapes.count for source in self._sources.values())

    async def run(self, trouble: Record) -> None:
        """Until `stopped`, or the end of standard input if there is nothing else to follow."""
        while not self.stopped and not self._is_over():
            async with boundary(trouble, "watch"):
                if await self.turn():
                    continue
            await self._world.clock.sleep(RHYTHM_S)

    async def run_once(self, trouble: Record) -> None:
        """What there is, to its end."""
        quiet = 0
        while quiet < 2 and not self.stopped:
            async with boundary(trouble, "watch"):
                quiet = 0 if await self.turn() or not self._are_settled() else quiet + 1

    def hear(self, reads: Reads, trust: Trust) -> None:
        """Besides the places, what is sent to us."""
        self._ears = True
        calendar = Calendar(self._zone, self._world.clock.now())
        self._sources[reads.path] = Source(reads, self._desk.stream(Origin(reads.path, trust), calendar))

    def _is_over(self) -> bool:
        """Standard input has ended, and there is nothing else."""
        only_stdin = all(place == logfiles.STDIN for place in self._places)
        return only_stdin and not self._ears and self._are_settled()

    def _are_settled(self) -> bool:
        return bool(self._sources) and all(source.reads.settled for source in self._sources.values())

    async def turn(self) -> bool:
        """True when there may be more to read at once."""
        now_s = self._world.clock.ticks() / SECOND
        if now_s - self._looked_s >= LOOK_AROUND_S:
            self._looked_s = now_s
            await self._look_around()
        behind = await self._read_all(now_s)
        self._unreported += self._timely(self._desk.events(min(behind, default=NO_BACKLOG)))
        await self._report()
        return bool(behind)

    async def _read_all(self, now_s: float) -> list[int]:
        """A piece of whichever source is furthest behind in the time that its lines tell, again and again:
        where there is a past to be read, all files come through it together. Returns how far those are that
        have more to be read."""
        waiting, pieces = dict(self._sources), 0
        while waiting and pieces < PIECES:
            path = min(waiting, key=lambda name: waiting[name].stream.at)
            source = waiting[path]
            piece = await self._world.spawn.thread(partial(source.reads.read, now_s))
            if not piece.lines:
                del waiting[path]
                continue
            source.stream.read(piece.lines, known=piece.known)
            self.lines += 0 if piece.known else len(piece.lines)
            pieces += 1
        return [source.stream.at for source in waiting.values()]

    def _timely(self, events: Iterable[Event]) -> list[Event]:
        latest = self._world.clock.now() + AHEAD
        found = list(events)
        timely = [event for event in found if event.at <= latest]
        self.dropped += len(found) - len(timely)
        return timely

    async def _report(self) -> None:
        """In the order of time, then the places. Without an answer the events wait, and are reported
        again."""
        try:
            while self._unreported:
                part = self._unreported[:EVENTS_MAX]
                await self._watch.ask(Report(tuple(part)), Kept)
                del self._unreported[: len(part)]
                self.events += len(part)
            places = {path: source.reads.position for path, source in self._sources.items()}
            reached = {path: place for path, place in places.items() if place is not None}
            await self._world.spawn.thread(partial(self._positions.save, reached))
        except (Unavailable, NotDone):
            return  # the next turn tries again

    def look_around(self) -> None:
        """With the next turn."""
        self._looked_s = -LOOK_AROUND_S

    async def _look_around(self) -> None:
        for path in await self._world.spawn.thread(partial(found_at, self._places)):
            if path not in self._sources and len(self._sources) < FOLLOWED_MAX:
                self._sources[path] = await self._world.spawn.thread(partial(self._begin, path))

    def _begin(self, path: str) -> Source:
        now = self._world.clock.now()
        name = "log:" + ("stdin" if path == logfiles.STDIN else printable(os.path.basename(path), 60))
        calendar = calendar_of(path, now, self._zone)
        reads: Reads = Stdin()
        if path != logfiles.STDIN:
            reads = Follower(path, self._positions.of(path), now / SECOND - LEARN_S)
        return Source(reads, self._desk.stream(Origin(name), calendar))

    async def stop(self) -> None:
        self.stopped = True
        for source in self._sources.values():
            source.reads.close()


def found_at(places: Sequence[str]) -> list[str]:
    """The living files that are meant: of a rotated set its newest, of a folder every log in it. One that is
    named is meant even before it is there."""
    found: dict[str, None] = {}
    for place in places:
        if place == logfiles.STDIN:
            found[place] = None
        elif os.path.isdir(place):
            found |= dict.fromkeys(_living(logfiles.find([place])))
        elif glob.has_magic(place) and not os.path.lexists(place):
            found |= dict.fromkeys(_living(LogFile(path) for path in sorted(glob.glob(place))))
        else:
            found[logfiles.age(place)[0]] = None
    return list(found)


def _living(files: Iterable[LogFile]) -> list[str]:
    return [path for path in {logfiles.age(file.path)[0]: None for file in files} if _is_text(path)]


def _is_text(path: str) -> bool:
    """Not the journal's own files, nor lastlog: logs have no zero bytes."""
    handle = follower.opened(path)
    if handle < 0:
        return False
    try:
        return b"\0" not in os.pread(handle, 512, 0)
    except OSError:
        return False
    finally:
        os.close(handle)


def calendar_of(path: str, now: int, zone: tzinfo) -> Calendar:
    """By what the oldest of its rotated set tells of year and zone; for what comes only now, by our clock."""
    for file in (*follower.siblings(path), LogFile(path)) if path != logfiles.STDIN else ():
        try:
            sighting = detect.look(file.name, file.sample(SAMPLE))
            around = Circumstances(0, None, zone, file.modified(now))
        except OSError:
            continue
        if sighting.classic or sighting.hint:
            hints = [sighting.hint] if sighting.hint else []
            return detect.calendar_for(sighting, hints, [], around)[0]
    return Calendar(zone, now)
