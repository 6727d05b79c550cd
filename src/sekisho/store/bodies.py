"""Bodies too large for the database: one file each, durable before the row that names it.

Create exclusively, write while receiving, fsync, fsync the folder, *then* the row. The row is deleted first
and the file after that commit, so at every instant a row has its file; a file without a row is what a crash
left behind.
"""

from collections.abc import Iterator
from typing import Protocol

from sekisho.model.letter import Letter
from sekisho.world import Disk, NewFile, Spawn, Unavailable

IN_DATABASE_MAX = 256 * 1024
"""Bodies up to this many bytes are kept in the database (`docs/queue.md` says why)."""

PART_BYTES = 256 * 1024
"""How much of a file is in memory at once while a letter is read."""


class Doors(Protocol):
    """The part of a World that bodies need."""

    @property
    def disk(self) -> Disk: ...

    @property
    def spawn(self) -> Spawn: ...


class BigBody:
    """A body that is being received into its file. Every call runs off the loop; one at a time."""

    def __init__(self, folder: str, message: str, doors: Doors) -> None:
        self.message = message
        self.path = f"{folder}/{message}"
        self.finished = False
        self._folder = folder
        self._doors = doors
        self._file: NewFile | None = None

    async def write(self, part: bytes) -> None:
        await self._doors.spawn.thread(lambda: self._write(part))

    async def finish(self) -> None:
        """When it returns, file and name survive a power cut."""
        await self._doors.spawn.thread(self._finish)
        self.finished = True

    async def drop(self) -> None:
        """The message was not taken after all."""
        await self._doors.spawn.thread(self._drop)

    def _write(self, part: bytes) -> None:
        if self._file is None:
            self._file = self._create()
        self._file.write(part)

    def _create(self) -> NewFile:
        try:
            return self._doors.disk.create(self.path)
        except FileExistsError as error:
            raise Unavailable(self.path, "a body of this name exists already") from error

    def _finish(self) -> None:
        if self._file is None:
            self._file = self._create()
        with self._file as file:
            self._file = None
            file.finish()
        self._doors.disk.sync_folder(self._folder)

    def _drop(self) -> None:
        if self._file is not None:
            self._file.__exit__(None, None, None)  # unfinished, so it is removed
            self._file = None
        elif self.finished:
            remove(self._doors.disk, self.path)


def remove(disk: Disk, path: str) -> None:
    """A file that cannot be removed now is removed at the next start: nothing names it any more."""
    try:
        disk.unlink(path)
    except (Unavailable, FileNotFoundError):
        return


def parts_of(letter: Letter, disk: Disk) -> Iterator[bytes]:
    """The body in wire form, part by part. Reads block: for a thread, or for one part at a time."""
    if not letter.path:
        yield from letter.body
        return
    offset = 0
    while part := disk.read_part(letter.path, offset, PART_BYTES):
        yield part
        offset += len(part)
