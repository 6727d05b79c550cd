"""An event loop in which time passes only when nothing else can happen: days of retries in milliseconds.

`run(main())` plays a coroutine to its end. Sleeping costs nothing; what would wait for ever is an error.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from sekisho.testing.disk import PowerCut

Result = TypeVar("Result")


class Deadlock(Exception):
    """Everything waits and nothing will ever happen."""


class _Selector(selectors.DefaultSelector):
    """Instead of waiting, it moves the clock to when the wait would have ended."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise Deadlock("no timer is set and nothing is ready")
        self.now_s += max(timeout, 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now_s

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """A power cut is no mistake of anybody's: the loop just has nothing more to say."""
        if not isinstance(context.get("exception"), PowerCut):
            super().call_exception_handler(context)


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Like `asyncio.run`, in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
