"""What we did to somebody else's queue, and copies of what was taken out of it: the ground of every undo.

    STATE/hands/NAME/actions/ACTION.json   what an action wanted and what it changed
    STATE/hands/NAME/kept/ID.ACTION        a letter: one line of JSON, then its parts as they stood in theirs

Only when its copy is on the disk may a letter go.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from sekisho.integrations.foreign import ForeignLetter
from sekisho.model.selector import Selector
from sekisho.world import Disk, Unavailable

_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")
TOGETHER = 16
"""Copies that are written at the same time."""

LINE_BYTES = 16 * 1024
HEAD_BYTES = 4 * 1024 * 1024
"""More than what is known of a letter of ten thousand recipients."""

FORGET_S = 90 * 86400
"""An action whose letters are all gone is remembered this long."""
SECOND = 1_000_000


Record = TypeVar("Record", bound=Struct)


class Deed(Struct, frozen=True):
    """`ids`: all that it meant; `changed`: what was not so before, `count` recipients in all. `over`: taken
    back, or nothing to take back. `done` False: cut short. `order`: what comes and matches is held too.
    """

    action: str
    verb: str
    at: int
    ids: tuple[str, ...]
    changed: tuple[str, ...] = ()
    on_the_wire: int = 0
    count: int = 0
    done: bool = False
    over: bool = False
    order: Selector | None = None
    v: int = 1


class Kept(Struct, frozen=True):
    """A letter that was purged, and the sizes of the parts in which it is kept."""

    letter: ForeignLetter
    action: str
    at: int
    sizes: tuple[int, ...]
    v: int = 1


class Taken:
    """One folder for each foreign queue. Whoever changes something holds `lock`."""

    def __init__(self, disk: Disk, folder: str) -> None:
        self._disk = disk
        self._actions, self._kept = os.path.join(folder, "actions"), os.path.join(folder, "kept")
        self._lock = os.path.join(folder, "lock")
        for name in (self._actions, self._kept):
            disk.make_folders(name)

    def lock(self) -> Callable[[], None]:
        """Returns how to give it up. Raises Unavailable while somebody else has it."""
        return self._disk.lock(self._lock)

    def deed(self, action: str) -> Deed | None:
        path = os.path.join(self._actions, f"{_safe(action)}.json")
        return self._read(path, Deed) if self._disk.exists(path) else None

    def deeds(self) -> Iterator[Deed]:
        for name in sorted(self._disk.list(self._actions)):
            found = self._read(os.path.join(self._actions, name), Deed) if name.endswith(".json") else None
            if found is not None:
                yield found

    def write(self, deed: Deed) -> None:
        self._replace(self._actions, f"{_safe(deed.action)}.json", msgspec.json.encode(deed))

    def keep(self, copies: Sequence[tuple[Kept, Sequence[bytes]]]) -> None:
        """Durable when it returns. Several at once: a disk syncs many files in hardly more time than one."""
        with ThreadPoolExecutor(TOGETHER) as pool:
            list(pool.map(self._keep_one, copies))
        self._disk.sync_folder(self._kept)

    def _keep_one(self, copy: tuple[Kept, Sequence[bytes]]) -> None:
        path = self._path(copy[0])
        self._afresh(f"{path}.new", (msgspec.json.encode(copy[0]), b"\n", *copy[1]))
        self._disk.rename(f"{path}.new", path)

    def kept(self) -> list[Kept]:
        """Oldest first."""
        found = []
        for name in self._disk.list(self._kept):
            if not name.endswith(".new"):
                found.append(_decoded(self._first_line(os.path.join(self._kept, name)), Kept))
        return sorted((kept for kept in found if kept is not None), key=lambda kept: kept.at)

    def _first_line(self, path: str) -> bytes:
        line, end, _ = self._disk.read_part(path, 0, LINE_BYTES).partition(b"\n")
        return line if end else self._disk.read_part(path, 0, HEAD_BYTES).partition(b"\n")[0]

    def parts(self, kept: Kept) -> tuple[bytes, ...]:
        text = self._disk.read(self._path(kept)).partition(b"\n")[2]
        ends = tuple(accumulate(kept.sizes))
        return tuple(text[end - size : end] for end, size in zip(ends, kept.sizes, strict=True))

    def forget(self, kept: Kept) -> None:
        self._disk.unlink(self._path(kept))

    def tidy(self, now: int, longest_s: int, most_bytes: int) -> None:
        """Copies older than that, and the oldest of too many bytes, go; so do actions long over."""
        left = most_bytes
        for kept in reversed(self.kept()):
            left -= sum(kept.sizes)
            if left < 0 or kept.at < now - longest_s * SECOND:
                self.forget(kept)
        for deed in list(self.deeds()):
            if deed.over and deed.at < now - FORGET_S * SECOND:
                self._disk.unlink(os.path.join(self._actions, f"{_safe(deed.action)}.json"))

    def disown(self, ids: Iterable[str]) -> None:
        """Letters that an operator let go belong to no action any more."""
        gone = set(ids)
        for deed in list(self.deeds()):
            left = tuple(name for name in deed.ids if name not in gone)
            if not deed.over and len(left) < len(deed.ids):
                self.write(replace(deed, ids=left, over=not left))

    def _path(self, kept: Kept) -> str:
        return os.path.join(self._kept, f"{_safe(kept.letter.id)}.{_safe(kept.action)}")

    def _read(self, path: str, kind: type[Record]) -> Record | None:
        return _decoded(self._disk.read(path), kind)

    def _replace(self, folder: str, name: str, data: bytes) -> None:
        path = os.path.join(folder, name)
        self._afresh(f"{path}.new", (data,))
        self._disk.rename(f"{path}.new", path)
        self._disk.sync_folder(folder)

    def _afresh(self, path: str, parts: Sequence[bytes]) -> None:
        """A new file; what a crash left of one is no hindrance."""
        if self._disk.exists(path):
            self._disk.unlink(path)
        self._disk.write_new(path, parts)


def _decoded(data: bytes, kind: type[Record]) -> Record | None:
    """None for what was written by nobody of ours: it is left where it is."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, ValueError):
        return None


def _safe(name: str) -> str:
    """A name that is one, and no path. Raises Unavailable."""
    if _NAME.fullmatch(name) is None:
        raise Unavailable("the folder of what was taken", "that is no name of a letter or an action")
    return name
