"""Files and folders of the real disk, held open. OSError becomes Unavailable, which names the path."""

import errno
import os
import stat
from collections.abc import Sequence
from io import FileIO
from types import TracebackType
from typing import Self

from sekisho.world import Buffer, Folder, Unavailable


class HostFile:
    """`folder` is the descriptor of the folder that it is in, where one is held."""

    def __init__(self, path: str, handle: int, folder: int | None = None) -> None:
        self._path = path
        self._handle = handle
        self._folder = folder
        self._finished = False

    def write(self, data: bytes) -> None:
        with door(self._path):
            view = memoryview(data)
            while view:
                view = view[os.write(self._handle, view) :]

    def finish(self) -> None:
        with door(self._path):
            os.fsync(self._handle)
        self._finished = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._handle)
        if not self._finished:
            with door(self._path):
                name = self._path if self._folder is None else os.path.basename(self._path)
                os.unlink(name, dir_fd=self._folder)


class HostFixed:
    """Zeros are written, not left as a hole: blocks that are there need no journal of the file system."""

    FILL = bytes(1024 * 1024)

    def __init__(self, path: str, handle: int) -> None:
        self._path = path
        self._handle = handle

    def fill(self, size: int) -> None:
        for offset in range(0, size, len(self.FILL)):
            self.write(offset, memoryview(self.FILL)[: size - offset])
        with door(self._path):
            os.fsync(self._handle)

    def write(self, offset: int, data: Buffer) -> None:
        with door(self._path):
            left = memoryview(data)
            while left:
                done = os.pwrite(self._handle, left, offset)
                left, offset = left[done:], offset + done

    def sync(self) -> None:
        with door(self._path):
            os.fdatasync(self._handle)

    def read(self, offset: int, size: int) -> bytes:
        with door(self._path):
            return os.pread(self._handle, size, offset)

    def close(self) -> None:
        with door(self._path):
            os.close(self._handle)


class HostFolder:
    """Every call goes through the open descriptor: what somebody puts in place of the folder, or of a name in
    it, leads nowhere else.
    """

    def __init__(self, path: str, handle: int, mode: int) -> None:
        self._path = path
        self._handle = handle
        self._mode = mode

    def enter(self, name: str) -> "HostFolder":
        path = self._at(name)
        with door(path):
            try:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
                return HostFolder(path, os.open(name, flags, dir_fd=self._handle), self._mode)
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.ENOTDIR) and stat.S_ISLNK(self._state(name).st_mode):
                    raise Unavailable(path, f"{name} is a symbolic link, not followed here") from error
                raise

    def make(self, name: str) -> None:
        with door(self._at(name)):
            try:
                os.mkdir(name, 0o700, dir_fd=self._handle)
            except FileExistsError:
                return  # another delivery was faster
            os.fsync(self._handle)

    def create(self, name: str) -> HostFile:
        path = self._at(name)
        with door(path):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            return HostFile(path, os.open(name, flags, self._mode, dir_fd=self._handle), self._handle)

    def move(self, name: str, to: Folder, new: str) -> None:
        assert isinstance(to, HostFolder), "both are on this disk"
        with door(to._at(new)):
            os.rename(name, new, src_dir_fd=self._handle, dst_dir_fd=to._handle)

    def unlink(self, name: str) -> None:
        with door(self._at(name)):
            os.unlink(name, dir_fd=self._handle)

    def names(self) -> Sequence[str]:
        with door(self._path):
            return sorted(os.listdir(self._handle))

    def start(self, name: str, size: int) -> bytes:
        path = self._at(name)
        with door(path):
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            try:
                handle = os.open(name, flags, dir_fd=self._handle)
            except OSError as error:
                if error.errno == errno.ELOOP:
                    return b""
                raise
            try:
                return os.pread(handle, size, 0) if stat.S_ISREG(os.fstat(handle).st_mode) else b""
            finally:
                os.close(handle)

    def size(self, name: str) -> int:
        with door(self._at(name)):
            return self._state(name).st_size

    def read(self, name: str, most: int) -> bytes:
        with self._plain(name, os.O_RDONLY) as handle, door(self._at(name)):
            return os.pread(handle.fileno(), most, 0)

    def append(self, name: str, data: bytes) -> None:
        with self._plain(name, os.O_WRONLY | os.O_APPEND) as handle, door(self._at(name)):
            os.write(handle.fileno(), data)

    def changed_at(self, name: str) -> int:
        with door(self._at(name)):
            return self._state(name).st_ctime_ns // 1000

    def sync(self) -> None:
        with door(self._path):
            os.fsync(self._handle)

    def close(self) -> None:
        os.close(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _at(self, name: str) -> str:
        return f"{self._path}/{name}"

    def _plain(self, name: str, flags: int) -> FileIO:
        """What is neither a link, a pipe, a folder nor somebody else's file under a second name."""
        path = self._at(name)
        with door(path):
            flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            handle = FileIO(os.open(name, flags, dir_fd=self._handle), "r+" if flags & os.O_WRONLY else "r")
        state = os.fstat(handle.fileno())
        if not stat.S_ISREG(state.st_mode) or state.st_nlink != 1:
            handle.close()
            raise Unavailable(path, f"{name} is not a plain file of its own")
        return handle

    def _state(self, name: str) -> os.stat_result:
        return os.stat(name, dir_fd=self._handle, follow_symlinks=False)


class door:
    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, FileNotFoundError | FileExistsError):
            return  # the caller knows what these mean
        if isinstance(error, OSError):
            raise Unavailable(self.path, error.strerror or str(error)) from error
