"""The real clock, chance, disk and spawn."""

import asyncio
import os
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sekisho.world import Unavailable


class HostClock:
    def now(self) -> int:
        return time.time_ns() // 1000

    def ticks(self) -> int:
        return time.monotonic_ns() // 1000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class HostChance:
    def __init__(self) -> None:
        self._random = random.SystemRandom()

    def bits(self, count: int) -> int:
        return self._random.getrandbits(count)

    def data(self, count: int) -> bytes:
        return os.urandom(count)

    def between(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)


class HostDisk:
    """Real files. OSError becomes Unavailable, which names the path."""

    def write_new(self, path: str, parts: Sequence[bytes]) -> None:
        with _door(path):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                for part in parts:
                    view = memoryview(part)
                    while view:
                        view = view[os.write(handle, view) :]
                os.fsync(handle)
            finally:
                os.close(handle)

    def sync_folder(self, path: str) -> None:
        with _door(path):
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def rename(self, old: str, new: str) -> None:
        with _door(new):
            os.rename(old, new)

    def link(self, old: str, new: str) -> None:
        with _door(new):
            os.link(old, new, follow_symlinks=False)

    def unlink(self, path: str) -> None:
        with _door(path):
            os.unlink(path)

    def read(self, path: str) -> bytes:
        with _door(path), open(path, "rb") as file:
            return file.read()

    def exists(self, path: str) -> bool:
        return os.path.lexists(path)

    def list(self, path: str) -> Sequence[str]:
        with _door(path):
            return sorted(os.listdir(path))

    def make_folders(self, path: str) -> None:
        with _door(path):
            os.makedirs(path, mode=0o700, exist_ok=True)

    def free_bytes(self, path: str) -> int:
        with _door(path):
            state = os.statvfs(path)
            return state.f_bavail * state.f_frsize


class _door:
    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, FileNotFoundError | FileExistsError):
            return  # the caller knows what these mean
        if isinstance(error, OSError):
            raise Unavailable(self.path, error.strerror or str(error)) from error


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

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._pool.shutdown(wait=True)
