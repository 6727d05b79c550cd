"""Runs one program with a letter on its standard input: limited in time, memory, output, and never a shell.

It is the head of a process group of its own, which is killed as a whole when its time is over, when we are
stopped, or when the letter cannot be read to its end: half a letter must not look like a letter.
"""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process, SubprocessStreamProtocol
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import cast

from msgspec import Struct

LAUNCHER = str(Path(__file__).with_name("launch.py"))
OUTPUT_BYTES = 4096
"""Most of what a program says that is kept; the rest is read and forgotten."""

LAST_WORDS_S = 1.0
"""How long the output of a program that has ended is waited for: its children may hold the pipe."""


class Limits(Struct, frozen=True):
    """`uid` and `gid` count when we are root. `seconds` of time on the wall, and of the processor."""

    seconds: int
    memory_bytes: int
    file_bytes: int
    uid: int
    gid: int


class Order(Struct, frozen=True):
    """`words`: the program's absolute path and its arguments. `environment` is all that it gets."""

    words: Sequence[str]
    environment: dict[str, str]
    folder: str
    limits: Limits


class Ended(Struct, frozen=True):
    """`code` negative: the signal that ended it. `late`: it was killed because its time was over."""

    code: int
    output: bytes
    late: bool = False


async def run(order: Order, letter: AsyncIterator[bytes]) -> Ended:
    """Raises what `letter` raises; the program has been killed by then."""
    process, ending, transport = await _start(order)
    output = bytearray()
    reading = asyncio.create_task(_hear(process, output))
    feeding = asyncio.create_task(_feed(process, letter))
    try:
        await _over(feeding, ending, order.limits.seconds)
        late = not ending.done()
        if late:
            _kill(process)
        if feeding.done():
            feeding.result()  # a letter that could not be read
        code = await ending
        await asyncio.wait((reading,), timeout=LAST_WORDS_S)
        return Ended(code, bytes(output), late)
    finally:
        if process.returncode is None:
            _kill(process)
        else:
            transport.close()  # the ends of pipes that children of its hold
        for task in (reading, feeding, ending):
            task.cancel()


class _Watched(SubprocessStreamProtocol):
    """Says when the program itself has ended: asyncio's own `wait` waits for its children's pipes too."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=OUTPUT_BYTES, loop=loop)
        self.transport: asyncio.SubprocessTransport | None = None
        self.ended: asyncio.Future[int] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport = cast("asyncio.SubprocessTransport", transport)

    def process_exited(self) -> None:
        super().process_exited()
        code = self.transport.get_returncode() if self.transport is not None else None
        if code is not None and not self.ended.done():
            self.ended.set_result(code)


async def _start(order: Order) -> "tuple[Process, asyncio.Future[int], asyncio.SubprocessTransport]":
    loop = asyncio.get_running_loop()
    transport, watched = await loop.subprocess_exec(
        lambda: _Watched(loop), sys.executable, "-I", "-S", LAUNCHER, *_arguments(order),
        stdin=PIPE, stdout=PIPE, stderr=STDOUT, env=order.environment, cwd="/", start_new_session=True,
    )  # fmt: skip
    return Process(transport, watched, loop), watched.ended, transport


async def _over(feeding: "asyncio.Task[None]", ending: "asyncio.Future[int]", seconds: float) -> None:
    """The program has ended, or its time has, or the letter cannot be read."""
    both, loop = (feeding, ending), asyncio.get_running_loop()
    end = loop.time() + seconds
    await asyncio.wait(both, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    if ending.done():  # a child of its may hold the letter's pipe and never read it
        await asyncio.wait((feeding,), timeout=LAST_WORDS_S)
    else:
        await asyncio.wait(both, timeout=end - loop.time(), return_when=asyncio.FIRST_EXCEPTION)


def _arguments(order: Order) -> list[str]:
    limits = order.limits
    numbers = (limits.seconds, limits.memory_bytes, limits.file_bytes, limits.uid, limits.gid)
    return [*(str(number) for number in numbers), order.folder, *order.words]


async def _feed(process: Process, letter: AsyncIterator[bytes]) -> None:
    stdin = process.stdin
    assert stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has read what it wanted
        async for part in letter:
            if process.returncode is not None:  # uvloop has closed the pipe by then
                return
            stdin.write(part)
            await stdin.drain()
        stdin.close()


async def _hear(process: Process, output: bytearray) -> None:
    assert process.stdout is not None
    while part := await process.stdout.read(OUTPUT_BYTES):
        output += part[: OUTPUT_BYTES - len(output)]


def _kill(process: Process) -> None:
    """The whole group. Only while its head has not been waited for: the number is still its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


