"""The Net door: connections that we open, encrypted on demand, without a thread or a stream reader.

A connection reads ahead only as far as `AHEAD_BYTES`. TLS is a pipe between socket and reader (see
`net/tls.py`) that begins empty, so that nothing said before the handshake can come out behind it.
"""

import asyncio
import errno
import socket
import ssl
import sys
import time
from typing import cast

from sekisho.mail.tlsa import Pins
from sekisho.net.tls import TlsFailed, TlsPipe
from sekisho.world import NoTls, Stream, Unavailable

AHEAD_BYTES = 256 * 1024
DISCARD_PORT = 9


class NoSource(Unavailable):
    """The address to call from is not one of this machine's: nothing is known of the host."""

    def __init__(self, source: str) -> None:
        super().__init__(source, "is no address of this machine to connect from")


class Dialer:
    """`authorities` is a PEM file to believe instead of the system's certificate authorities."""

    def __init__(self, authorities: str = "") -> None:
        self._authorities = authorities or None
        self._any = _any_certificate()
        self._valid: ssl.SSLContext | None = None

    async def dial(self, address: str, port: int, timeout_s: float, source: str = "") -> Stream:
        loop = asyncio.get_running_loop()
        local = (source, 0) if source else None
        is_path = address.startswith("/")
        peer = address if is_path else f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        try:
            async with asyncio.timeout(timeout_s):
                if is_path:
                    _, line = await loop.create_unix_connection(lambda: Line(peer, self), address)
                else:
                    _, line = await loop.create_connection(
                        lambda: Line(peer, self), address, port, local_addr=local
                    )
        except TimeoutError as error:
            raise Unavailable(peer, "no answer") from error
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL and source:
                raise NoSource(source) from error
            raise Unavailable(peer, error.strerror or str(error)) from error
        return line

    def context(self, verify: bool) -> ssl.SSLContext:
        if not verify:
            return self._any
        if self._valid is None:
            self._valid = ssl.create_default_context(cafile=self._authorities)
            self._valid.minimum_version = ssl.TLSVersion.TLSv1_2
        return self._valid


def _any_certificate() -> ssl.SSLContext:
    """For opportunistic TLS (RFC 7435): any certificate is better than none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996
    return context


class ClientPipe(TlsPipe):
    """The client's end: the same pipe around the other half of a handshake, which names the server."""

    __slots__ = ()

    def __init__(self, context: ssl.SSLContext, name: str) -> None:
        self._arriving = ssl.MemoryBIO()
        self._leaving = ssl.MemoryBIO()
        self.established = False
        self.ended = False
        self._tls = context.wrap_bio(self._arriving, self._leaving, server_hostname=name or None)

    def chain(self) -> list[bytes]:
        """What the server showed, in DER, its own certificate first; nobody has judged it yet."""
        if sys.version_info >= (3, 13):
            return list(self._tls.get_unverified_chain())
        certificates = self._tls._sslobj.get_unverified_chain() or ()  # type: ignore[attr-defined]
        return [ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in certificates]


class Line(asyncio.Protocol):
    """One connection, for one reader. Implements `world.Stream`."""

    def __init__(self, peer: str, dialer: Dialer) -> None:
        self._peer = peer
        self._dialer = dialer
        self._arrived = bytearray()
        self._pipe: ClientPipe | None = None
        self._ended = False
        self._broken = ""
        self._result = "validation-failure"
        self._paused = False
        self._reader: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    async def read(self) -> bytes:
        """Also after the connection broke: first what had arrived."""
        while not self._arrived and not self._ended:
            await self._news()
        data = bytes(self._arrived)
        self._arrived.clear()
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        if not data and self._broken:
            raise Unavailable(self._peer, self._broken)
        return data

    async def write(self, data: bytes) -> None:
        if self._ended:
            raise Unavailable(self._peer, self._broken or "the connection was closed")
        if self._pipe is not None:
            self._pipe.send(data)
            data = self._pipe.take()
        self._transport.write(data)
        await self._writable.wait()
        if self._broken:
            raise Unavailable(self._peer, self._broken)

    async def start_tls(self, name: str, verify: bool, pins: Pins | None = None) -> str:
        if self._arrived:
            raise Unavailable(self._peer, "words before the handshake")
        try:
            pipe = self._pipe = ClientPipe(self._dialer.context(verify and pins is None), name)
        except ValueError as error:  # a name that is none
            raise NoTls(self._peer, f"TLS: {error}", "validation-failure") from error
        self._through(b"")
        while not pipe.established and not self._ended:
            await self._news()
        if not pipe.established:
            raise NoTls(self._peer, self._broken or "closed in the handshake", self._result)
        if pins is not None and not _proves(pins, pipe.chain()):
            raise NoTls(self._peer, "DANE: no TLSA record fits the certificate", "validation-failure")
        return pipe.description

    def close(self) -> None:
        if self._pipe is not None and not self._ended:
            self._pipe.end()
            self._transport.write(self._pipe.take())
        self._transport.close()

    async def _news(self) -> None:
        self._reader = asyncio.get_running_loop().create_future()
        try:
            await self._reader
        finally:
            self._reader = None

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _through(self, data: bytes) -> None:
        """Bytes from the peer through the pipe, and what the pipe answers back to the peer."""
        assert self._pipe is not None
        try:
            self._arrived += self._pipe.receive(data)
        except TlsFailed as error:
            self._result = error.result
            self._end(f"TLS: {error}")
        answer = self._pipe.take()
        if answer:
            self._transport.write(answer)
        if self._pipe.ended:
            self._end("")

    def _end(self, why: str) -> None:
        self._ended = True
        self._broken = self._broken or why
        self._writable.set()
        self._wake()

    # What asyncio tells us.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._pipe is not None:
            self._through(data)
        else:
            self._arrived += data
        if len(self._arrived) > AHEAD_BYTES and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._end("")

    def connection_lost(self, error: Exception | None) -> None:
        self._end(_why(error) if error is not None else "")

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()


def _proves(pins: Pins, chain: list[bytes]) -> bool:
    from sekisho.mail.dane import proves  # cryptography's X.509: only who uses DANE pays for it

    return proves(pins, chain, time.time_ns() // 1000)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__


def leads_home(address: str) -> bool:
    """Whether an interface of this machine has the address: talking to it, the system would use it itself."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, DISCARD_PORT))
            return bool(probe.getsockname()[0] == probe.getpeername()[0])
    except OSError:
        return False
