"""A disk that forgets: what was not synced when the power went may be there, or not, or in part.

Each file has what is durable and the writes since. Each folder has its durable names and the changes since.
A crash keeps any part of the writes and any part of the changes, as file systems may. `database` opens
SQLite on this disk, so that a spool's rows and its body files crash together. Journals of all operations
can be kept and replayed for enumerating every state in which a power cut may leave a disk.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from types import TracebackType
from typing import Any, Self

from sekisho.world import Buffer, Folder, Unavailable

SECTOR = 512
"""Writes are torn at this grain."""

Write = tuple[int, bytes]
"""Offset and data. A pending change that is a bare number cuts the file to that size."""


class PowerCut(BaseException):
    """The machine is off: no code runs any more, so nothing may catch this."""


class Inode:
    def __init__(self, data: bytes = b"") -> None:
        self.durable = bytearray(data)
        self.data = bytearray(data)
        self.pending: list[Write | int] = []
        self.fixed = 0
        """The size of a file that never grows; 0 for any other."""

    def write(self, offset: int, data: bytes) -> None:
        _apply(self.data, (offset, data))
        self.pending.append((offset, data))

    def cut(self, size: int) -> None:
        _apply(self.data, size)
        self.pending.append(size)

    def sync(self) -> None:
        for change in self.pending:
            _apply(self.durable, change)
        self.pending = []

    def after(self, kept: Sequence[Write | int]) -> "Inode":
        """This file as a crash leaves it, when of the pending changes these were written."""
        left = Inode(bytes(self.durable))
        left.fixed = self.fixed
        for change in kept:
            _apply(left.durable, change)
        left.data = bytearray(left.durable)
        return left


def _apply(data: bytearray, change: Write | int) -> None:
    if isinstance(change, int):
        del data[change:]
        return
    offset, part = change
    if len(data) < offset:
        data.extend(bytes(offset - len(data)))
    data[offset : offset + len(part)] = part


Rename = tuple[str, str | None, Inode | None]
"""`(name, old, inode)`: `name` now means `inode` (None: nothing), and `old`, if given, is gone in the same
step."""


class FakeDisk:
    def __init__(self, free: int = 1 << 40) -> None:
        self.names: dict[str, Inode] = {}
        self.durable: dict[str, Inode] = {}
        self.pending: list[Rename] = []
        self.folders: set[str] = {"/"}
        self.free = free
        self.off = False
        self.changed: dict[str, int] = {}
        """When files were changed, where a test wants it to be long ago."""
        self.before: Callable[[str, str], None] = lambda operation, path: None
        """Called before each operation that changes something: may raise Unavailable or PowerCut."""
        self._locks: set[str] = set()
        self.vfs: Any = None
        self.at_end: list[Callable[[], None]] = []

    # The Disk door.

    def write_new(self, path: str, parts: Sequence[bytes]) -> None:
        with self.create(path) as file:
            for part in parts:
                file.write(part)
            file.finish()

    def create(self, path: str) -> "FakeFile":
        if path in self.names:
            raise FileExistsError(path)
        return FakeFile(self, path, self.make(path))

    def fixed(self, path: str, size: int) -> "FakeFixed":
        """Its zeros are imagined: what lies behind the last write reads as nothing."""
        inode = self.names.get(path)
        if inode is None or inode.fixed != size:
            if inode is not None:
                self.unlink(path)
            inode = self.make(path)
            self.sync(path, inode)
            inode.fixed = size
        return FakeFixed(self, path, inode)

    def sync_folder(self, path: str) -> None:
        self._operate("sync_folder", path)
        done = [change for change in self.pending if path in (_folder(change[0]), _folder(change[1] or ""))]
        self._make_durable(done)

    def rename(self, old: str, new: str) -> None:
        self._operate("rename", new)
        inode = self._find(old)
        del self.names[old]
        self.names[new] = inode
        self.pending.append((new, old, inode))

    def link(self, old: str, new: str) -> None:
        self._operate("link", new)
        if new in self.names:
            raise FileExistsError(new)
        self.names[new] = self._find(old)
        self.pending.append((new, None, self.names[new]))

    def unlink(self, path: str) -> None:
        self._operate("unlink", path)
        self._find(path)
        del self.names[path]
        self.pending.append((path, None, None))

    def folder(self, path: str) -> Folder:
        from sekisho.testing.disk_folder import FakeFolder

        if path not in self.folders:
            raise FileNotFoundError(path)
        return FakeFolder(self, path)

    def read(self, path: str) -> bytes:
        return bytes(self._find(path).data)

    def read_part(self, path: str, offset: int, size: int) -> bytes:
        return bytes(self._find(path).data[offset : offset + size])

    def lock(self, path: str) -> Callable[[], None]:
        if path in self._locks:
            raise Unavailable(path, "another process owns it")
        self._locks.add(path)
        return lambda: self._locks.discard(path)

    def exists(self, path: str) -> bool:
        return path in self.names or path in self.folders

    def list(self, path: str) -> Sequence[str]:
        return sorted(name.rpartition("/")[2] for name in self.names if _folder(name) == path)

    def make_folders(self, path: str) -> None:
        """Durable at once, as the door promises."""
        while path and path not in self.folders:
            self.folders.add(path)
            path = _folder(path)

    def free_bytes(self, path: str) -> int:
        return self.free

    def database(self, path: str) -> Any:
        """Opens SQLite on this disk: one connection, for reading and writing."""
        from sekisho.testing.disk_vfs import connect

        return connect(self, path)

    # What happens to a disk.

    def make(self, path: str) -> Inode:
        """A new, empty file. Its name is not durable."""
        self._operate("create", path)
        inode = Inode()
        self.names[path] = inode
        self.pending.append((path, None, inode))
        return inode

    def write_at(self, path: str, inode: Inode, offset: int, data: bytes) -> None:
        self._operate("write", path)
        inode.write(offset, data)

    def cut(self, path: str, inode: Inode, size: int) -> None:
        self._operate("cut", path)
        inode.cut(size)

    def sync(self, path: str, inode: Inode) -> None:
        self._operate("sync", path)
        inode.sync()

    def make_name_durable(self, path: str) -> None:
        """As SQLite does for a log that it has made: the folder is synced with the file."""
        self._make_durable([change for change in self.pending if change[0] == path])

    def end(self) -> None:
        """The machine is off, and nobody will use this disk again."""
        self.off = True
        for forget in self.at_end:
            forget()
        self.at_end = []

    def restart(self) -> "FakeDisk":
        """The disk after kill -9: whatever was written is there, synced or not, and nobody holds a lock."""
        self.end()
        left = FakeDisk(self.free)
        left.names, left.durable = self.names, self.durable
        left.pending, left.folders = self.pending, self.folders
        return left

    def crash(self, random: Random) -> "FakeDisk":
        """The disk as the next boot finds it. Of what was not synced, chance decides."""
        self.end()
        names = _kept(self.pending, random)
        files = {id(inode): _torn(_kept(inode.pending, random), random) for inode in self._inodes()}
        left = self.after(names, files)
        self.names, self.durable, self.pending = {}, {}, []
        return left

    def states(self, limit: int) -> Iterator["FakeDisk"]:
        """Disks that a power cut now could leave: every combination of the parts below, up to `limit`.

        Of the changes of names and of each file's writes: none, all, each beginning, all but one, only one.
        """
        files = [inode for inode in self._inodes() if inode.pending]
        choices = [_parts(self.pending)] + [_parts(inode.pending) for inode in files]
        for kept in itertools.islice(itertools.product(*choices), limit):
            yield self.after(kept[0], {id(inode): part for inode, part in zip(files, kept[1:], strict=True)})

    def after(self, names: Sequence[Rename], files: Mapping[int, Sequence[Write | int]]) -> "FakeDisk":
        """This disk after a crash that kept these changes."""
        left = FakeDisk(self.free)
        left.folders = set(self.folders)
        kept = dict(self.durable)
        for change in names:
            _change(kept, change)
        new = {id(inode): inode.after(files.get(id(inode), ())) for inode in kept.values()}
        left.names = {name: new[id(inode)] for name, inode in kept.items()}
        left.durable = dict(left.names)
        return left

    def _inodes(self) -> Sequence[Inode]:
        found = {id(inode): inode for inode in (*self.names.values(), *self.durable.values())}
        return list(found.values())

    def _find(self, path: str) -> Inode:
        if path not in self.names:
            raise FileNotFoundError(path)
        return self.names[path]

    def _operate(self, operation: str, path: str) -> None:
        if self.off:
            raise PowerCut
        self.before(operation, path)

    def _make_durable(self, done: Sequence[Rename]) -> None:
        for change in done:
            _change(self.durable, change)
        self.pending = [change for change in self.pending if change not in done]


class FakeFile:
    def __init__(self, disk: FakeDisk, path: str, inode: Inode) -> None:
        self._disk = disk
        self._path = path
        self._inode = inode
        self._finished = False

    def write(self, data: bytes) -> None:
        self._disk.write_at(self._path, self._inode, len(self._inode.data), bytes(data))

    def finish(self) -> None:
        self._disk.sync(self._path, self._inode)
        self._finished = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._finished and not isinstance(error, PowerCut):
            self._disk.unlink(self._path)


class FakeFixed:
    """Each page of a write may reach the disk without the others."""

    PAGE = 4096

    def __init__(self, disk: FakeDisk, path: str, inode: Inode) -> None:
        self._disk = disk
        self._path = path
        self._inode = inode

    def write(self, offset: int, data: Buffer) -> None:
        assert offset + len(data) <= self._inode.fixed, "it never grows"
        whole = bytes(data)
        for start in range(0, len(whole), self.PAGE):
            page = whole[start : start + self.PAGE]
            self._disk.write_at(self._path, self._inode, offset + start, page)

    def sync(self) -> None:
        self._disk.sync(self._path, self._inode)

    def read(self, offset: int, size: int) -> bytes:
        part = bytes(self._inode.data[offset : offset + size])
        return part + bytes(max(0, min(size, self._inode.fixed - offset) - len(part)))

    def close(self) -> None:
        """Nothing is held open."""


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _change(names: dict[str, Inode], change: Rename) -> None:
    name, old, inode = change
    if old is not None:
        names.pop(old, None)
    if inode is None:
        names.pop(name, None)
    else:
        names[name] = inode


def _kept(pending: Sequence[Any], random: Random) -> list[Any]:
    """None, all, a beginning, or any of them."""
    match random.randrange(4):
        case 0:
            return []
        case 1:
            return list(pending)
        case 2:
            return list(pending[: random.randrange(len(pending) + 1)])
    return [change for change in pending if random.random() < 0.5]


def _torn(writes: list[Write | int], random: Random) -> list[Write | int]:
    """The last write may have been cut off in the middle."""
    if not writes or isinstance(writes[-1], int) or random.random() < 0.5:
        return writes
    offset, data = writes[-1]
    sectors = random.randrange(len(data) // SECTOR + 1)
    return [*writes[:-1], (offset, data[: sectors * SECTOR])]


def _parts(pending: Sequence[Any]) -> list[list[Any]]:
    found: dict[tuple[int, ...], None] = {}
    everything = range(len(pending))
    for size in range(len(pending) + 1):
        found[tuple(everything[:size])] = None
    for one in everything:
        found[(one,)] = None
        found[tuple(each for each in everything if each != one)] = None
    return [[pending[index] for index in part] for part in found]
