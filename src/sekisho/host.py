"""The real clock, chance, disk and spawn."""

import asyncio
import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from sekisho.hostfiles import HostFile, HostFixed, HostFolder, door
from sekisho.world import Unavailable


class HostClock:
    def now(self) -> int:
        return time.time_ns() // 1000

    def ticks(self) -> int:
        return time.monotonic_ns() // 1000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


FRACTION_BITS = 48
"""Of a number between two others: whole bytes, and finer than a microsecond in a year."""


class HostChance:
    """From the kernel, fetched in blocks: a message needs several ids, and each fetch is a system call."""

    BLOCK_BYTES = 4096

    def __init__(self) -> None:
        self._block = b""
        self._used = 0

    def bits(self, count: int) -> int:
        """For ids: on the loop's thread only."""
        size = (count + 7) // 8
        if size > len(self._block) - self._used:
            self._block, self._used = os.urandom(max(size, self.BLOCK_BYTES)), 0
        start = self._used
        self._used = start + size
        return int.from_bytes(self._block[start : self._used]) >> (-count % 8)

    def data(self, count: int) -> bytes:
        """For keys: never from a block that lies about in memory."""
        return os.urandom(count)

    def between(self, low: float, high: float) -> float:
        """For waits: on the loop's thread only."""
        return low + (high - low) * self.bits(FRACTION_BITS) / (1 << FRACTION_BITS)


class HostDisk:
    """Real files. OSError becomes Unavailable, which names the path."""

    def __init__(self, mode: int = 0o600) -> None:
        self._mode = mode

    def write_new(self, path: str, parts: Sequence[bytes]) -> None:
        with self.create(path) as file:
            for part in parts:
                file.write(part)
            file.finish()

    def create(self, path: str) -> "HostFile":
        with door(path):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            return HostFile(path, os.open(path, flags, self._mode))

    def fixed(self, path: str, size: int) -> "HostFixed":
        with door(path):
            try:
                handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
                if os.fstat(handle).st_size == size:
                    return HostFixed(path, handle)
                os.close(handle)
                os.unlink(path)
            except FileNotFoundError:
                pass
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            file = HostFixed(path, os.open(path, flags, 0o600))
        try:
            file.fill(size)
        except Unavailable:
            file.close()
            self.unlink(path)
            raise
        return file

    def sync_folder(self, path: str) -> None:
        with door(path):
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def rename(self, old: str, new: str) -> None:
        with door(new):
            os.rename(old, new)

    def link(self, old: str, new: str) -> None:
        with door(new):
            os.link(old, new, follow_symlinks=False)

    def unlink(self, path: str) -> None:
        with door(path):
            os.unlink(path)

    def folder(self, path: str) -> HostFolder:
        with door(path):
            return HostFolder(path, os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), self._mode)

    def read(self, path: str) -> bytes:
        with door(path), open(path, "rb") as file:
            return file.read()

    def read_part(self, path: str, offset: int, size: int) -> bytes:
        with door(path), open(path, "rb") as file:
            return os.pread(file.fileno(), size, offset)

    def lock(self, path: str) -> Callable[[], None]:
        with door(path):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise Unavailable(path, "another process owns it") from error
        return partial(os.close, handle)

    def exists(self, path: str) -> bool:
        return os.path.lexists(path)

    def list(self, path: str) -> Sequence[str]:
        with door(path):
            return sorted(os.listdir(path))

    def make_folders(self, path: str) -> None:
        with door(path):
            absent = []
            while not os.path.isdir(path):
                absent.append(path)
                path = os.path.dirname(path) or "."
            for folder in reversed(absent):
                try:
                    os.mkdir(folder, 0o700)
                except FileExistsError:
                    pass  # another thread was faster
                except FileNotFoundError as error:  # as below /proc: no folder can be there
                    raise Unavailable(folder, "it cannot be made") from error
                self.sync_folder(os.path.dirname(folder) or ".")

    def free_bytes(self, path: str) -> int:
        with door(path):
            state = os.statvfs(path)
            return state.f_bavail * state.f_frsize


class HostSpawn:
    """Tasks are kept until they end, so that none is lost to the garbage collector; threads are a bounded
    pool."""

    def __init__(self, threads: int = 8) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="sekisho")

    def task(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def thread(self, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def bell(self) -> "HostBell":
        return HostBell(asyncio.get_running_loop())

    def worker(self, name: str, turn: Callable[[], float]) -> "HostWorker":
        return HostWorker(name, turn, asyncio.get_running_loop())

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._pool.shutdown(wait=True)


class HostBell:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def promise(self) -> asyncio.Future[Any]:
        return self._loop.create_future()

    def ring(self, call: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody is left to be told
            self._loop.call_soon_threadsafe(call)


class HostWorker:
    """A thread that waits on one lock: the cheapest hand-over there is, and idle it costs nothing.

    It is woken when the loop has done what it has in hand. Sooner it could not run: it would only wait a
    second time, for the interpreter's lock, which the loop still has.
    """

    def __init__(self, name: str, turn: Callable[[], float], loop: asyncio.AbstractEventLoop) -> None:
        self._turn = turn
        self._loop = loop
        self._wanted = threading.Lock()
        self._wanted.acquire()
        self._poked = False
        self._stopping = False
        self._ended = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def poke(self) -> None:
        if self._ended:
            raise Unavailable(self._thread.name, "its thread has ended")
        if not self._poked:
            self._poked = True
            self._loop.call_soon(self._wake)

    def stop(self) -> None:
        self._stopping = True
        self._wake()
        self._thread.join()

    def _wake(self) -> None:
        """On the loop's thread, which alone gives the lock away: twice is once."""
        if self._wanted.locked():
            self._wanted.release()

    def _run(self) -> None:
        wait_s = 0.0
        try:
            while not self._stopping:
                if self._wanted.acquire(timeout=wait_s or -1):
                    self._poked = False
                wait_s = self._turn()
            self._turn()  # what was put in line while the last turn was ending
        finally:
            self._ended = True
