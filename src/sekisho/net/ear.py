"""Hears syslog from other machines and programs: datagrams (RFC 5426, unix sockets) and streams (RFC 6587).

What was heard waits here until it is read. Who sends faster than we read loses lines, and they are counted:
a log is not worth our memory.
"""

import asyncio
import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

from sekisho.net import listen
from sekisho.net.listen import UNIX, unix_path
from sekisho.wire.syslog import MESSAGE_MAX, Messages, one_line
from sekisho.world import Unavailable

WAITING_MAX = 50_000
"""Messages that wait to be read."""
WAITING_BYTES_MAX = 32 * 1024 * 1024
SENDERS_MAX = 1000
"""Streams at once."""
RECEIVE_BUFFER = 4 * 1024 * 1024
"""What the kernel keeps of datagrams while we read; it may give less."""


class Heard:
    """Messages in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self.dropped = 0

    def put(self, message: bytes) -> None:
        if len(self._waiting) >= WAITING_MAX or self._bytes >= WAITING_BYTES_MAX:
            self.dropped += 1
            return
        self._waiting.append(message)
        self._bytes += len(message)

    def take(self, most: int) -> list[bytes]:
        found = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        self._bytes -= sum(map(len, found))
        return found


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, heard: Heard, hears: Callable[[str], bool]) -> None:
        self._heard = heard
        self._hears = hears

    def datagram_received(self, data: bytes, addr: Any) -> None:
        address = str(addr[0]).partition("%")[0].removeprefix("::ffff:") if isinstance(addr, tuple) else ""
        if self._hears(address) and (message := one_line(data[:MESSAGE_MAX])):
            self._heard.put(message)


class _Stream(asyncio.Protocol):
    def __init__(self, heard: Heard, hears: Callable[[str], bool], open_now: set["_Stream"]) -> None:
        self._heard = heard
        self._hears = hears
        self._open_now = open_now
        self._messages = Messages()
        self.transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        if len(self._open_now) >= SENDERS_MAX or not self._hears(listen.peer_of(transport)):
            transport.close()
            return
        self._open_now.add(self)

    def data_received(self, data: bytes) -> None:
        if self not in self._open_now:
            return
        for message in self._messages.receive(data):
            self._heard.put(message)
        if self._messages.broken and self.transport is not None:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._open_now.discard(self)


class Ear:
    """Both kinds at one address; at a unix socket datagrams only, as syslog(3) sends them. `hears` says of a
    sender's address, "" for a unix socket, whether it is listened to."""

    def __init__(self, address: str, folder: str, hears: Callable[[str], bool]) -> None:
        self.address = address
        self._folder = folder
        self._hears = hears
        self.datagrams = Heard()
        self.streams = Heard()
        self._transports: list[asyncio.BaseTransport] = []
        self._server: asyncio.AbstractServer | None = None
        self._open_now: set[_Stream] = set()
        self._path = ""

    async def open(self) -> str:
        """Where it listens. Raises Unavailable."""
        loop = asyncio.get_running_loop()
        try:
            opened = self._bind_unix() if self.address.startswith(UNIX) else await self._listen()
        except (OSError, ValueError, OverflowError) as error:
            raise Unavailable(self.address, getattr(error, "strerror", "") or str(error)) from error
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self.datagrams, self._hears), sock=opened
        )
        self._transports.append(transport)
        return (self._path and UNIX + self._path) or listen.bound_name(opened)

    async def _listen(self) -> socket.socket:
        """The stream first: the datagrams' port is the one that it got."""
        stream = listen.bind(self.address, self._folder)
        host, port = stream.getsockname()[:2]
        self._server = await listen.serve(stream, lambda: _Stream(self.streams, self._hears, self._open_now))
        opened = socket.socket(stream.family, socket.SOCK_DGRAM)
        with contextlib.suppress(OSError):
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        opened.setblocking(False)
        opened.bind((host, port))
        return opened

    def _bind_unix(self) -> socket.socket:
        """Our group may write: whoever writes here is believed."""
        self._path = unix_path(self.address, self._folder)
        listen.remove_stale(self._path, socket.SOCK_DGRAM)
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        opened.setblocking(False)
        opened.bind(self._path)
        os.chmod(self._path, 0o660)
        return opened

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for stream in list(self._open_now):
            if stream.transport is not None:
                stream.transport.close()
        for transport in self._transports:
            transport.close()
        if self._path:
            with contextlib.suppress(OSError):
                os.unlink(self._path)
