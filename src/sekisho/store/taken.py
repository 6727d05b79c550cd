"""What we did to somebody else's queue, and copies of what was taken out of it: the ground of every undo.

    STATE/hands/NAME/actions/ACTION.json   what an action wanted and what it changed
    STATE/hands/NAME/kept/ID.ACTION/       a letter as it stood in their queue: parts, then letter.json

A copy counts once its letter.json is there, which is written last; only then may the letter go.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from sekisho.integrations.foreign import ForeignLetter
from sekisho.model.selector import Selector
from sekisho.world import Disk, Unavailable

_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")
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
    """A letter that was purged, and in how many parts it is kept."""

    letter: ForeignLetter
    action: str
    at: int
    parts: int
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

    def keep(self, kept: Kept, parts: Sequence[bytes]) -> None:
        """Durable when it returns."""
        folder = self._folder(kept)
        self._disk.make_folders(folder)
        for number, part in enumerate(parts):
            self._replace(folder, str(number), part)
        self._replace(folder, "letter.json", msgspec.json.encode(kept))

    def kept(self) -> Iterator[Kept]:
        """Oldest first."""
        found = []
        for name in self._disk.list(self._kept):
            path = os.path.join(self._kept, name, "letter.json")
            if self._disk.exists(path) and (kept := self._read(path, Kept)) is not None:
                found.append(kept)
        yield from sorted(found, key=lambda kept: kept.at)

    def parts(self, kept: Kept) -> tuple[bytes, ...]:
        folder = self._folder(kept)
        return tuple(self._disk.read(os.path.join(folder, str(number))) for number in range(kept.parts))

    def forget(self, kept: Kept) -> None:
        """letter.json first: half a copy is none."""
        folder = self._folder(kept)
        for name in ("letter.json", *(str(number) for number in range(kept.parts))):
            path = os.path.join(folder, name)
            if self._disk.exists(path):
                self._disk.unlink(path)
        os.rmdir(folder)

    def tidy(self, now: int, longest_s: int, most_bytes: int) -> None:
        """Copies older than that, and the oldest of too many bytes, go; so do actions long over."""
        left = most_bytes
        for kept in reversed(list(self.kept())):
            left -= kept.letter.size
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

    def _folder(self, kept: Kept) -> str:
        return os.path.join(self._kept, f"{_safe(kept.letter.id)}.{_safe(kept.action)}")

    def _read(self, path: str, kind: type[Record]) -> Record | None:
        """None for what was written by nobody of ours: it is left where it is."""
        try:
            return msgspec.json.decode(self._disk.read(path), type=kind)
        except (msgspec.MsgspecError, ValueError):
            return None

    def _replace(self, folder: str, name: str, data: bytes) -> None:
        path, new = os.path.join(folder, name), os.path.join(folder, f"{name}.new")
        if self._disk.exists(new):
            self._disk.unlink(new)
        self._disk.write_new(new, (data,))
        self._disk.rename(new, path)
        self._disk.sync_folder(folder)


def _safe(name: str) -> str:
    """A name that is one, and no path. Raises Unavailable."""
    if _NAME.fullmatch(name) is None:
        raise Unavailable("the folder of what was taken", "that is no name of a letter or an action")
    return name
