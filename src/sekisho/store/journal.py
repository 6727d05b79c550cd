"""The journal in front of the spool's table: one file of fixed size, written round and round.

A batch is one frame: a header and what `spool_young.Batch` says, padded to whole pages, so that no page of an
acknowledged frame is ever written again. The file's blocks stood on the disk before it was used, so to sync a
frame is to sync data and nothing else. A frame is written only after the one before it was synced, hence none
that counts lies behind one that does not.

A frame is known by the salt of this start of the spool, which no stranger can guess, so that a letter whose
text looks like a frame is none; by its number, one more than that of the frame before; and by its sum.
"""

import struct
import zlib
from collections import deque
from collections.abc import Iterator

from sekisho.world import Disk, FixedFile

PAGE = 4096
SIZE_BYTES = 64 * 1024 * 1024
"""Also about the most that letters which the table does not hold yet take in memory."""

PARTS = 8
"""A frame takes at most one of so many parts of the file."""

SALT_BYTES = 16

_MAGIC = b"sekisho1"
_HEADER = struct.Struct(f"<8s{SALT_BYTES}sQII")
"""Magic, salt, number, length of what follows, and the sum of all this with zero in the place of the sum."""


class Journal:
    """Used by the writer's thread alone. `number` is that of the last frame that was tried."""

    def __init__(self, folder: str, disk: Disk, size: int = SIZE_BYTES) -> None:
        assert size % (PARTS * PAGE) == 0
        self._folder = folder
        self._disk = disk
        self._size = size
        self._file: FixedFile | None = None
        self._salt = b""
        self._frames: deque[tuple[int, int, int]] = deque()
        self._head = 0
        self.used = 0
        self.number = 0
        self.suspect = False

    @property
    def path(self) -> str:
        return f"{self._folder}/journal"

    @property
    def frame_max(self) -> int:
        return self._size // PARTS

    @property
    def half_full(self) -> bool:
        return 2 * self.used > self._size

    def frames(self, salt: bytes, after: int) -> Iterator[tuple[int, memoryview]]:
        """What stands in the file now: the frames of this salt with numbers above `after`, by number."""
        data = memoryview(self._disk.read(self.path) if self._disk.exists(self.path) else b"")
        found: dict[int, memoryview] = {}
        offset = 0
        while offset + _HEADER.size <= len(data):
            frame = _frame_at(data, offset, salt)
            if frame is None:
                offset += PAGE
            else:
                number, payload = frame
                found[number] = payload
                offset += _padded(_HEADER.size + len(payload))
        yield from ((number, found[number]) for number in sorted(found) if number > after)

    def begin(self, salt: bytes, number: int) -> None:
        """Whatever stands in the file is of the past from here on; the next frame has the next number."""
        self._salt, self.number = salt, number
        self.free(number)
        self._file = self._disk.fixed(self.path, self._size)
        self._disk.sync_folder(self._folder)

    def renew(self) -> None:
        """After a write or sync that failed: its pages are never tried again, others take their place."""
        self.close()
        if self._disk.exists(self.path):
            self._disk.unlink(self.path)
        self.begin(self._salt, self.number)
        self.suspect = False

    def frame(self, payload: bytearray) -> bytearray:
        """`payload` has room for a header in front; it becomes the next frame. Nothing is written yet."""
        length = len(payload) - _HEADER.size
        payload.extend(bytes(_padded(len(payload)) - len(payload)))
        _seal(payload, self._salt, self.number + 1, length)
        return payload

    def holds(self, size: int) -> bool:
        """Is there room for a frame of this size, without what is still needed being overwritten?"""
        return self._place(size) is not None

    def write(self, frame: bytearray) -> int:
        """When it returns, the frame is durable. Returns its number. Raises Unavailable: then `renew`."""
        start = self._place(len(frame))
        assert start is not None and self._file is not None, "there must be room"
        self.number += 1
        self.suspect = True
        self._file.write(start, frame)
        self._file.sync()
        self.suspect = False
        self._head = start + len(frame)
        self._frames.append((self.number, start, len(frame)))
        self.used += len(frame)
        return self.number

    def free(self, upto: int) -> None:
        """What these frames say is in the table, or ended."""
        while self._frames and self._frames[0][0] <= upto:
            self.used -= self._frames.popleft()[2]
        if not self._frames:
            self._head = self.used = 0

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _place(self, size: int) -> int | None:
        if not self._frames:
            return 0 if size <= self._size else None
        tail, head = self._frames[0][1], self._head
        if head <= tail:  # the frames go round the end
            return head if head + size <= tail else None
        if head + size <= self._size:
            return head
        return 0 if size <= tail else None


HEADER_BYTES = _HEADER.size


def _padded(size: int) -> int:
    return -(-size // PAGE) * PAGE


def _seal(frame: bytearray, salt: bytes, number: int, length: int) -> None:
    _HEADER.pack_into(frame, 0, _MAGIC, salt, number, length, 0)
    total = zlib.crc32(memoryview(frame)[: _HEADER.size + length])
    _HEADER.pack_into(frame, 0, _MAGIC, salt, number, length, total)


def _frame_at(data: memoryview, offset: int, salt: bytes) -> tuple[int, memoryview] | None:
    magic, its_salt, number, length, total = _HEADER.unpack_from(data, offset)
    end = offset + _HEADER.size + length
    if magic != _MAGIC or its_salt != salt or end > len(data):
        return None
    payload = data[offset + _HEADER.size : end]
    empty = _HEADER.pack(_MAGIC, salt, number, length, 0)
    return (number, payload) if zlib.crc32(payload, zlib.crc32(empty)) == total else None
