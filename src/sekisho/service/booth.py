"""A booth: a listener at which another mail server asks what to do with its own logins and letters.

This is the one shell for all of them: bytes in, questions to a clerk, answers out. What a question means is
in the machines of `wire/`, what is answered in the clerks (`booth_policy.py` and its neighbours).
"""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any, Protocol

from sekisho.model.config import Config
from sekisho.net.listen import peer_of
from sekisho.service.boundary import boundary
from sekisho.service.front import Front
from sekisho.service.listener import Networks
from sekisho.world import Unavailable

CONNECTIONS_MOST = 2000
"""Most servers' processes at one booth; each of Postfix's smtpd keeps its own connection."""

IDLE_S = 1200
"""Longest silence: Postfix keeps a connection for 1000 s at most (smtpd_policy_service_max_ttl)."""

FIRST_S = 30
"""Longest silence of who has said nothing yet. Mail servers speak as soon as they have come."""

SENT_S = 30
"""Longest that our answer may wait to be taken."""

READ_OCTETS = 64 * 1024


class Machine(Protocol):
    """Bytes to questions, answers to bytes. Once `closed` it has nothing more to say."""

    closed: bool

    def receive(self, data: bytes) -> Iterator[Any]: ...

    def take(self) -> bytes: ...


class Clerk(Protocol):
    """Answers the questions of one protocol."""

    def configure(self, config: Config) -> None: ...

    def machine(self) -> Machine: ...

    async def answer(self, machine: Any, question: Any) -> None:
        """Tells the machine. Raises Unavailable to hang up without a word."""


class Booth:
    """One listener."""

    def __init__(self, name: str, front: Front, clerk: Clerk) -> None:
        self.name = name
        self._front = front
        self._clerk = clerk
        self._talks: set[asyncio.Task[None]] = set()
        self._silent: dict[asyncio.Task[None], None] = {}
        self._closing = False
        self.configure(front.config)

    def configure(self, config: Config) -> None:
        self._peers = Networks(config.listen[self.name].peers)
        self._clerk.configure(config)

    def protocol(self) -> asyncio.Protocol:
        reader = asyncio.StreamReader(READ_OCTETS)
        return asyncio.StreamReaderProtocol(reader, self._come_in)

    def stop(self) -> None:
        """Questions without an answer stay so: who asked goes by its own default."""
        self._closing = True
        for talk in self._talks:
            talk.cancel()

    def _come_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        full = len(self._talks) >= CONNECTIONS_MOST
        if full and self._silent:
            full = False
            self._send_away(next(iter(self._silent)))
        if self._closing or full or not self._peers.contains(peer_of(writer.transport)):
            writer.transport.abort()
            return
        talk = asyncio.get_running_loop().create_task(self._hear(reader, writer), name=f"booth {self.name}")
        self._talks.add(talk)
        self._silent[talk] = None
        talk.add_done_callback(self._gone)

    def _send_away(self, talk: asyncio.Task[None]) -> None:
        """Who came first and has said nothing makes room; a server that works here is never sent away."""
        self._gone(talk)
        talk.cancel()

    def _gone(self, talk: asyncio.Task[None]) -> None:
        self._talks.discard(talk)
        self._silent.pop(talk, None)

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with boundary(self._front.trouble, "booth", self.name):
                with contextlib.suppress(OSError, TimeoutError, Unavailable):
                    await self._talk(reader, writer)
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        machine = self._clerk.machine()
        await _send(writer, machine.take())
        while not machine.closed:
            talk = asyncio.current_task()
            async with asyncio.timeout(FIRST_S if talk in self._silent else IDLE_S):
                data = await reader.read(READ_OCTETS)
            self._silent.pop(talk, None)  # type: ignore[arg-type]
            if not data:
                return
            for question in machine.receive(data):
                await self._clerk.answer(machine, question)
                await _send(writer, machine.take())
            await _send(writer, machine.take())


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    if data:
        writer.write(data)
        async with asyncio.timeout(SENT_S):
            await writer.drain()
