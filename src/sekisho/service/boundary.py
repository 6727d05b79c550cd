"""The only place that catches every exception: our bug ends one session or one try, never the process.

`async with boundary(record, what, about)` is put around each loop's one turn. The world's failure
(`Unavailable`) is not a bug: it passes through. The event's trace holds file names, lines and functions,
no values: a password on the stack stays there.
"""

import asyncio
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Self

from sekisho.model.text import printable
from sekisho.world import Unavailable

Record = Callable[[str, str, str], None]
"""Called with what failed, about whom, and the trace; makes it a Troubled event."""

FRAMES = 30


class boundary:
    """One may be entered again once it has been left."""

    def __init__(self, record: Record, what: str, about: str = "") -> None:
        self._record = record
        self._what = what
        self._about = about
        self.failed = False

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return error is not None and self._judge(error)

    def __enter__(self) -> Self:
        self.failed = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return error is not None and self._judge(error)

    def _judge(self, error: BaseException) -> bool:
        if isinstance(error, asyncio.CancelledError | Unavailable) or not isinstance(error, Exception):
            return False
        self.failed = True
        self._record(self._what, printable(self._about, 200), trace_of(error))
        return True


def trace_of(error: BaseException) -> str:
    """Where it happened, without what it held: the exception's text may quote a password, so only its type
    stays."""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    path = " < ".join(
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in reversed(frames)
    )
    return printable(f"{type(error).__name__} at {path}", 4000)
