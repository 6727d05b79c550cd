"""A time limit for waits that come one after another in great number, and almost never end by it.

`asyncio.timeout` sets a timer for every wait. Here one timer rings now and then and looks whether the wait
that is under way has lasted too long.
"""

import asyncio
from types import TracebackType
from typing import Self

RING_S = 60.0
"""The timer rings at least this often while somebody waits."""


class Deadline:
    """`with deadline.within(s): await ...` raises TimeoutError like `asyncio.timeout`. One wait at a time."""

    __slots__ = ("_cancelling", "_expired", "_rings_at", "_task", "_timer", "_until")

    def __init__(self) -> None:
        self._until = 0.0
        self._rings_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._expired = False

    def within(self, seconds: float) -> Self:
        loop = asyncio.get_running_loop()
        self._until = loop.time() + seconds
        if self._timer is not None and self._rings_at > self._until:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._set(loop, self._until if seconds < RING_S else self._until - seconds + RING_S)
        return self

    def stop(self) -> None:
        """Nobody will wait any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        self._rings_at = at
        self._timer = loop.call_at(at, self._ring, loop)

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._task is None:
            return
        now = loop.time()
        if now >= self._until:
            self._expired = True
            self._task.cancel()
        else:
            self._set(loop, min(self._until, now + RING_S))

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None and self._task is None
        self._task = task
        self._cancelling = task.cancelling()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        assert task is not None
        if self._expired:
            self._expired = False
            if task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
                raise TimeoutError from error
