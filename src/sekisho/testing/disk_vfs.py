"""SQLite on the disk that forgets: a virtual file system for apsw over `FakeDisk`.

One connection a database, in exclusive mode, since the log's shared memory is not imitated. Like the real
one it syncs the folder with a log that it has made, and promises no more than a power-safe overwrite.
"""

import contextlib
import itertools
import weakref
from functools import partial
from typing import Any

import apsw

from sekisho.testing.disk import FakeDisk, Inode, PowerCut
from sekisho.world import Unavailable

_NUMBERS = itertools.count(1)


def connect(disk: FakeDisk, path: str) -> Any:
    vfs = _vfs_of(disk)
    connection = apsw.Connection(path, vfs=vfs.name)
    connection.pragma("locking_mode", "exclusive")
    disk.at_end.append(partial(_abandon, connection))
    return connection


def _abandon(connection: Any) -> None:
    """Its process is dead. The disk is off, so closing changes nothing there; it frees what SQLite holds."""
    with contextlib.suppress(apsw.Error, PowerCut):
        connection.set_wal_hook(None)
        connection.close()


def _vfs_of(disk: FakeDisk) -> "DiskVfs":
    if disk.vfs is None:
        disk.vfs = DiskVfs(disk)
        weakref.finalize(disk, disk.vfs.unregister)
    vfs = disk.vfs
    assert isinstance(vfs, DiskVfs)
    return vfs


class DiskVfs(apsw.VFS):
    def __init__(self, disk: FakeDisk) -> None:
        self.name = f"forgetful-{next(_NUMBERS)}"
        self._weak = weakref.ref(disk)  # apsw keeps this object until it is unregistered
        super().__init__(self.name, base="")

    @property
    def _disk(self) -> FakeDisk:
        disk = self._weak()
        assert disk is not None, "a file of this disk is open"
        return disk

    def excepthook(self, kind: Any, error: Any, trace: Any) -> bool:
        """A fault that was played is no news: SQLite has got its code."""
        return True

    def xFullPathname(self, name: str) -> str:
        return name

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        flags[1] = flags[0]
        if name is None:  # SQLite's own scratch paper, which needs no name and survives nothing
            return DiskFile(FakeDisk(), "", Inode(), sync_name=False)
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        made = path not in self._disk.names
        inode = self._disk.make(path) if made else self._disk.names[path]
        log = bool(flags[0] & (apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL))
        return DiskFile(self._disk, path, inode, sync_name=made and log)

    def xDelete(self, name: str, sync_folder: bool) -> None:
        try:
            self._disk.unlink(name)
        except FileNotFoundError as error:
            raise apsw.IOError("no such file") from error
        if sync_folder:
            self._disk.make_name_durable(name)

    def xAccess(self, name: str, flags: int) -> bool:
        return name in self._disk.names

    def xRandomness(self, count: int) -> bytes:
        return bytes(count)

    def xSleep(self, microseconds: int) -> int:
        return microseconds

    def xCurrentTime(self) -> float:
        return 2456495.9

    def xGetLastError(self) -> tuple[int, str]:
        return (0, "")


class DiskFile:
    def __init__(self, disk: FakeDisk, path: str, inode: Inode, *, sync_name: bool) -> None:
        self._disk = disk
        self._path = path
        self._inode = inode
        self._sync_name = sync_name
        self._lock = 0

    def excepthook(self, kind: Any, error: Any, trace: Any) -> bool:
        """A fault that was played is no news: SQLite has got its code."""
        return True

    def xRead(self, amount: int, offset: int) -> bytes:
        return bytes(self._inode.data[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        try:
            self._disk.write_at(self._path, self._inode, offset, bytes(data))
        except Unavailable as error:
            raise apsw.FullError(error.why) if "space" in error.why else apsw.IOError(error.why) from error

    def xTruncate(self, size: int) -> None:
        try:
            self._disk.cut(self._path, self._inode, size)
        except Unavailable as error:
            raise apsw.IOError(error.why) from error

    def xSync(self, flags: int) -> None:
        try:
            self._disk.sync(self._path, self._inode)
        except Unavailable as error:
            raise apsw.IOError(error.why) from error
        if self._sync_name:
            self._disk.make_name_durable(self._path)
            self._sync_name = False

    def xFileSize(self) -> int:
        return len(self._inode.data)

    def xLock(self, level: int) -> None:
        self._lock = level

    def xUnlock(self, level: int) -> None:
        self._lock = level

    def xCheckReservedLock(self) -> bool:
        return self._lock >= apsw.SQLITE_LOCK_RESERVED

    def xFileControl(self, operation: int, pointer: int) -> bool:
        return False

    def xSectorSize(self) -> int:
        return 4096

    def xDeviceCharacteristics(self) -> int:
        return int(apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE)

    def xClose(self) -> None:
        return None
