"""Runs one program with a letter on its standard input: limited in time, memory, output, and never a shell.

It is the head of a process group of its own, which is killed as a whole when its time is over, when we are
stopped, or when the letter cannot be read to its end: half a letter must not look like a letter.
"""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

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
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", LAUNCHER, *_arguments(order),
        stdin=PIPE, stdout=PIPE, stderr=STDOUT, env=order.environment, cwd="/", start_new_session=True,
    )  # fmt: skip
    output = bytearray()
    reading = asyncio.create_task(_hear(process, output))
    feeding = asyncio.create_task(_feed(process, letter))
    ending = asyncio.create_task(process.wait())
    try:
        await asyncio.wait(
            (feeding, ending), timeout=order.limits.seconds, return_when=asyncio.FIRST_EXCEPTION
        )
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
        for task in (reading, feeding, ending):
            task.cancel()


def _arguments(order: Order) -> list[str]:
    limits = order.limits
    numbers = (limits.seconds, limits.memory_bytes, limits.file_bytes, limits.uid, limits.gid)
    return [*(str(number) for number in numbers), order.folder, *order.words]


async def _feed(process: Process, letter: AsyncIterator[bytes]) -> None:
    stdin = process.stdin
    assert stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has read what it wanted
        async for part in letter:
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


