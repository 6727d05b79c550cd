"""How roles talk: typed messages, in one process by a call, between processes over a unix socket.

Both channels pass the same values: under test the local one encodes and decodes too. A role that is gone
raises Unavailable in whoever asks it; what is told to it meanwhile is dropped, because the teller's own
state is the truth.
"""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar, cast

from msgspec import Struct

from sekisho.service.boundary import Record, boundary
from sekisho.service.frames import BrokenFrame, Codec, Frames, Kind, decode_answer, frame
from sekisho.service.messages import Problem, Request
from sekisho.world import Unavailable

Answered = TypeVar("Answered", bound=Struct)
Handler = Callable[[Request], Awaitable[Struct | None]]
"""Performs one request. Raises Unavailable or NotDone; any other exception is our bug and is answered as
such."""

OPEN_MAX = 10_000
"""Most requests under way on one channel; above it a teller's message is dropped and an asker gets
Unavailable."""


class NotDone(Exception):
    """The other role understood the request and refuses it; the text is for the operator."""


class Channel(Protocol):
    async def ask(self, request: Request, answer: type[Answered]) -> Answered:
        """Raises Unavailable when the role does not answer, NotDone when it refuses."""

    def tell(self, request: Request) -> None:
        """Never waits and never fails."""


class LocalChannel:
    """To a role in this process. `encode` sends every message through the codec, as a socket would."""

    def __init__(
        self, handler: Handler, record: Record, *, encode: bool = False, reveal: bool = False
    ) -> None:
        self._handler = handler
        self._record = record
        self._codec = Codec(reveal=reveal) if encode else None
        self._told: set[asyncio.Task[None]] = set()

    async def ask(self, request: Request, answer: type[Answered]) -> Answered:
        if self._codec is not None:
            request = self._codec.request(self._codec.encode(request))
        result = await handled(self._handler, request, self._record)
        if isinstance(result, Problem):
            raise _problem(result)
        if self._codec is not None and result is not None:
            return decode_answer(self._codec.encode(result), answer)  # type: ignore[no-any-return]
        assert isinstance(result, answer), f"{type(result).__name__} where {answer.__name__} was due"
        return result

    def tell(self, request: Request) -> None:
        if len(self._told) < OPEN_MAX:
            task = asyncio.get_running_loop().create_task(self._hear(request))
            self._told.add(task)
            task.add_done_callback(self._told.discard)

    async def _hear(self, request: Request) -> None:
        await handled(self._handler, request, self._record)


class SocketChannel:
    """To a role in another process. Connects when first used, and again after the role was restarted."""

    def __init__(self, name: str, path: str, *, reveal: bool = False) -> None:
        self._name = name
        self._path = path
        self._codec = Codec(reveal=reveal)
        self._line: _AskingLine | None = None
        self._connecting: asyncio.Task[_AskingLine] | None = None

    async def ask(self, request: Request, answer: type[Answered]) -> Answered:
        line = self._line if self._line is not None and not self._line.closed else await self._connect()
        kind, payload = await line.ask(self._codec.encode(request))
        if kind is Kind.PROBLEM:
            raise _problem(decode_answer(payload, Problem))
        return decode_answer(payload, answer)  # type: ignore[no-any-return]

    def tell(self, request: Request) -> None:
        if self._line is not None and not self._line.closed:
            self._line.tell(self._codec.encode(request))
        elif self._connecting is None:
            payload = self._codec.encode(request)
            self._connecting = asyncio.get_running_loop().create_task(self._dial())
            self._connecting.add_done_callback(lambda done: _tell_when_there(done, payload))

    async def _connect(self) -> "_AskingLine":
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.get_running_loop().create_task(self._dial())
        try:
            return await asyncio.shield(self._connecting)
        except OSError as error:
            raise Unavailable(self._name, error.strerror or str(error)) from error

    async def _dial(self) -> "_AskingLine":
        try:
            loop = asyncio.get_running_loop()
            _, self._line = await loop.create_unix_connection(lambda: _AskingLine(self._name), self._path)
            return self._line
        finally:
            self._connecting = None

    def close(self) -> None:
        if self._line is not None:
            self._line.close()


def _tell_when_there(done: "asyncio.Task[_AskingLine]", payload: bytes) -> None:
    if not done.cancelled() and done.exception() is None:
        done.result().tell(payload)


class _AskingLine(asyncio.Protocol):
    """The asking end of one connection: answers are matched to questions by number."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._frames = Frames()
        self._open: dict[int, asyncio.Future[tuple[Kind, bytes]]] = {}
        self._number = 0
        self._transport: asyncio.Transport | None = None
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class

    def data_received(self, data: bytes) -> None:
        try:
            for kind, number, payload in self._frames.receive(data):
                waiting = self._open.pop(number, None)
                if waiting is not None and not waiting.done():
                    waiting.set_result((kind, payload))
        except BrokenFrame:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        for waiting in self._open.values():
            if not waiting.done():
                waiting.set_exception(Unavailable(self._name, "the process behind it has gone"))
        self._open.clear()

    async def ask(self, payload: bytes) -> tuple[Kind, bytes]:
        if len(self._open) >= OPEN_MAX or self.closed or self._transport is None:
            raise Unavailable(self._name, "too many questions open")
        self._number = self._number % 0x7FFFFFFF + 1
        number = self._number
        waiting: asyncio.Future[tuple[Kind, bytes]] = asyncio.get_running_loop().create_future()
        self._open[number] = waiting
        self._transport.write(frame(Kind.ASKED, number, payload))
        try:
            return await waiting
        finally:
            self._open.pop(number, None)

    def tell(self, payload: bytes) -> None:
        if self._transport is not None and self._transport.get_write_buffer_size() < 16 * 1024 * 1024:
            self._transport.write(frame(Kind.TOLD, 0, payload))

    def close(self) -> None:
        self.closed = True
        if self._transport is not None:
            self._transport.close()


class ChannelServer:
    """Answers a role's socket. A peer of another user than ours, root or one of `peers` is not heard; without
    `peers` the file is 0600 besides."""

    def __init__(
        self,
        path: str,
        handler: Handler,
        record: Record,
        *,
        reveal: bool = False,
        peers: frozenset[int] = frozenset(),
    ) -> None:
        self._path = path
        self.heard = peers | {0, os.getuid()}
        self._mask = 0o111 if peers else 0o177
        self.handler = handler
        self.record = record
        self.codec = Codec(reveal=reveal)
        self.lines: set[_AnsweringLine] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(self._mask)
        try:
            listener.bind(self._path)
        except OSError as error:
            listener.close()
            raise Unavailable(self._path, error.strerror or str(error)) from error
        finally:
            os.umask(mask)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _AnsweringLine(self), sock=listener, backlog=256)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            for line in list(self.lines):
                line.close()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)


class _AnsweringLine(asyncio.Protocol):
    """The answering end of one connection: requests run beside each other, answers go out as they come."""

    def __init__(self, server: ChannelServer) -> None:
        self._server = server
        self._frames = Frames()
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        if _uid_of(transport.get_extra_info("socket")) not in self._server.heard:
            self._transport.abort()
            return
        self._server.lines.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.lines.discard(self)

    def data_received(self, data: bytes) -> None:
        with boundary(self._server.record, "channel") as turn:
            for kind, number, payload in self._frames.receive(data):
                if len(self._tasks) < OPEN_MAX:
                    task = asyncio.get_running_loop().create_task(self._answer(kind, number, payload))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
        if turn.failed:
            self.close()

    async def _answer(self, kind: Kind, number: int, payload: bytes) -> None:
        with boundary(self._server.record, "channel"):
            request = self._server.codec.request(payload)
            result = await handled(self._server.handler, request, self._server.record)
            if kind is Kind.ASKED and self._transport is not None and not self._transport.is_closing():
                result = result or Problem("this request has no answer")
                answer = Kind.PROBLEM if isinstance(result, Problem) else Kind.ANSWER
                self._transport.write(frame(answer, number, self._server.codec.encode(result)))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _uid_of(sock: socket.socket) -> int:
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    return int(uid)


async def handled(handler: Handler, request: Request, record: Record) -> Struct | None:
    """The handler's answer; what it raises becomes a Problem, at this one place."""
    result: Struct | None = Problem("internal error; the event log says where", unavailable=True)
    async with boundary(record, "request", type(request).__name__):
        try:
            result = await handler(request)
        except Unavailable as trouble:
            result = Problem(str(trouble), unavailable=True)
        except NotDone as refusal:
            result = Problem(str(refusal))
    return result


def _problem(problem: Problem) -> Exception:
    return Unavailable("sekisho", problem.why) if problem.unavailable else NotDone(problem.why)
