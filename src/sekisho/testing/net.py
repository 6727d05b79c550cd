"""Connections without sockets: a peer is an object that is given bytes and says what it answers.

A peer may also go silent, reset or hang up at a chosen point, which real peers do at every point there is.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from sekisho.mail.tlsa import Pins
from sekisho.world import NoTls, Stream, Unavailable

VALID = b"valid"

Place = tuple[str, int]


class HungUp(Exception):
    """Raised by a peer: the connection is reset."""


class Peer(Protocol):
    """The other end. What it returns is sent back; b"" says nothing. `greeting` is sent at once."""

    def greeting(self) -> bytes: ...

    def receive(self, data: bytes) -> bytes: ...


class FakeStream:
    def __init__(
        self, peer: Peer, latency: Callable[[], float], shows: Callable[[str], bytes] = lambda _: VALID
    ) -> None:
        self._shows = shows
        self._peer = peer
        self._latency = latency
        self._arrived: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._closed = False
        self.tls = ""
        self._say(peer.greeting)

    async def read(self) -> bytes:
        data = await self._arrived.get()
        if data is None:
            self._arrived.put_nowait(None)
            raise Unavailable("net", "connection reset by peer")
        return data

    async def write(self, data: bytes) -> None:
        if self._closed:
            raise Unavailable("net", "connection is closed")
        self._say(lambda: self._peer.receive(data))
        await asyncio.sleep(0)

    async def start_tls(self, name: str, verify: bool, pins: Pins | None = None) -> str:
        self.tls = name
        await asyncio.sleep(self._latency())
        shown = self._shows(name)
        if pins is not None and not any(record.data == shown for record in pins.records):
            raise NoTls("net", "DANE: no TLSA record fits the certificate", "validation-failure")
        if verify and pins is None and shown != VALID:
            raise NoTls("net", "TLS: CERTIFICATE_VERIFY_FAILED", "certificate-not-trusted")
        return "TLSv1.3 TLS_FAKE"

    def close(self) -> None:
        self._closed = True

    def _say(self, speak: Callable[[], bytes]) -> None:
        """The peer acts at once; its answer arrives later."""
        try:
            answer: bytes | None = speak()
        except HungUp:
            answer = None
        if answer != b"":
            asyncio.get_running_loop().call_later(self._latency(), self._arrived.put_nowait, answer)


class FakeNet:
    """`peers` by (address, port) make a peer for each connection; nobody else answers.

    `certificates` by address: what a TLSA record of that host must hold; `VALID` is believed under any name.
    """

    def __init__(
        self,
        peers: Mapping[Place, Callable[[], Peer]] | None = None,
        latency: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.peers = dict(peers or {})
        self.certificates: dict[str, bytes] = {}
        self.dialled: list[Place] = []
        self.sources: list[str] = []
        self.down: set[str] = set()
        self._latency = latency

    async def dial(self, address: str, port: int, timeout_s: float, source: str = "") -> Stream:
        self.dialled.append((address, port))
        self.sources.append(source)
        await asyncio.sleep(self._latency())
        make = self.peers.get((address, port))
        if make is None or address in self.down:
            raise Unavailable("net", "connection refused")
        return FakeStream(make(), self._latency, lambda _: self.certificates.get(address, VALID))


class Silent:
    """Takes everything and never answers."""

    def greeting(self) -> bytes:
        return b""

    def receive(self, data: bytes) -> bytes:
        return b""
