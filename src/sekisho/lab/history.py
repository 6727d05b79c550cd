"""The demo's past: 30 days of events in a file, read as `scan` reads our own archive, and told to watch."""

import os
from collections.abc import Awaitable, Callable, Iterator

import msgspec

from sekisho.lab.cast import Script
from sekisho.lab.places import Find
from sekisho.lab.play import events
from sekisho.logs import own
from sekisho.model.event import Event
from sekisho.service.messages import Observe
from sekisho.store.logfiles import LogFile

FILE = "history.jsonl"
BATCH = 500
"""Events told to watch in one message."""


def write_history(folder: str, script: Script, find: Find) -> tuple[str, int]:
    """The file, and how many events are in it. Logs know no fingerprints of clients, so there are none."""
    path = os.path.join(folder, FILE)
    visits = (msgspec.structs.replace(visit, fingerprint="") for visit in script.history)
    count = 0
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        for event in events(visits, find, source="history"):
            if event.at < script.day:
                file.write(msgspec.json.encode(event) + b"\n")
                count += 1
    return path, count


def read_history(path: str) -> Iterator[tuple[Event, ...]]:
    """In batches: opened, cut into lines and parsed by what `scan` uses for our own event archive."""
    for block in LogFile(path).blocks():
        events = [event for line in block.split(b"\n") if line and (event := own.parse(line))]
        for first in range(0, len(events), BATCH):
            yield tuple(events[first : first + BATCH])


async def tell(path: str, watch: Callable[[Observe], Awaitable[object]]) -> int:
    """Everything in the file, to watch; how many events it was."""
    count = 0
    for batch in read_history(path):
        await watch(Observe(batch))
        count += len(batch)
    return count
