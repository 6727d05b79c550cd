"""Connections that we open: what arrives, what breaks, and what encryption hides."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable

import pytest
import trustme

from sekisho.net.dial import AHEAD_BYTES, Dialer, leads_home
from sekisho.world import Stream, Unavailable

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Use = Callable[[Stream], Awaitable[None]]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def talk(serve: Serve, use: Use, dialer: Dialer | None = None) -> None:
    """Dials a server on loopback and lets `use` have the connection."""

    async def run() -> None:
        async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await serve(reader, writer)
            except (ConnectionError, ssl.SSLError):
                pass
            finally:
                writer.transport.abort()

        server = await asyncio.start_server(guarded, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with asyncio.timeout(10):
            stream = await (dialer or Dialer()).dial("127.0.0.1", port, 5)
            await use(stream)
        stream.close()
        server.close()

    asyncio.run(run())


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


def encrypting(authority: trustme.CA, name: str) -> Serve:
    """Waits for a line, says "go", then echoes under TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"go\n")
        await writer.start_tls(context)
        await echo(reader, writer)

    return serve


async def collect(stream: Stream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += await stream.read()
    return data


def test_megabytes_there_and_back() -> None:
    """More than any buffer holds goes through in both directions at once."""
    letter = bytes(range(256)) * 16384

    async def use(stream: Stream) -> None:
        back = asyncio.create_task(collect(stream, len(letter)))
        for start in range(0, len(letter), 65536):
            await stream.write(letter[start : start + 65536])
        assert letter == await back

    talk(echo, use)


def test_reads_ahead_only_so_far() -> None:
    """A peer that talks without end fills a bounded buffer."""

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async def use(stream: Stream) -> None:
        await asyncio.sleep(0.2)
        assert len(await stream.read()) < 4 * AHEAD_BYTES
        assert await stream.read()

    talk(flood, use)


def test_end_and_reset() -> None:
    """The end of a stream is b"", a reset is Unavailable; what had arrived before comes first."""

    async def farewell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"bye")
        await writer.drain()
        writer.close()

    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"no")
        await writer.drain()
        await reader.readline()
        writer.get_extra_info("socket").setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER 0

    async def read_to_end(stream: Stream) -> None:
        assert b"bye" == await stream.read()
        assert b"" == await stream.read()
        with pytest.raises(Unavailable):
            await stream.write(b"hello?")

    async def read_to_reset(stream: Stream) -> None:
        await stream.write(b"hello\n")
        assert b"no" == await stream.read()
        with pytest.raises(Unavailable):
            while True:
                await stream.read()

    talk(farewell, read_to_end)
    talk(reset, read_to_reset)


def test_nobody_there() -> None:
    """A closed port is Unavailable."""

    async def run() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        with pytest.raises(Unavailable):
            await Dialer().dial("127.0.0.1", port, 1)

    asyncio.run(run())


def test_calls_from_the_address_it_is_told() -> None:
    """The source address is the one the server sees."""

    async def say_peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(writer.get_extra_info("peername")[0].encode())
        await writer.drain()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(say_peer, "127.0.0.1", 0)
        stream = await Dialer().dial("127.0.0.1", server.sockets[0].getsockname()[1], 5, "127.0.0.9")
        assert b"127.0.0.9" == await stream.read()
        stream.close()
        server.close()

    asyncio.run(run())


def test_encrypts_with_any_certificate(authority: trustme.CA) -> None:
    """Opportunistic: the certificate is not examined, what follows is encrypted."""

    async def use(stream: Stream) -> None:
        await stream.write(b"please\n")
        assert b"go\n" == await stream.read()
        assert (await stream.start_tls("other.example", False)).startswith("TLSv1.3 ")
        letter = b"y" * 300_000
        back = asyncio.create_task(collect(stream, len(letter)))
        await stream.write(letter)
        assert letter == await back

    talk(encrypting(authority, "mx.example"), use)


@pytest.mark.parametrize(("name", "fits"), [("mx.example", True), ("other.example", False)])
def test_verifies_the_name(authority: trustme.CA, name: str, fits: bool) -> None:
    """Under verify only a certificate of a known authority for this name is good."""

    async def use(stream: Stream) -> None:
        await stream.write(b"please\n")
        await stream.read()
        if fits:
            assert await stream.start_tls(name, True)
        else:
            with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
                await stream.start_tls(name, True)

    with authority.cert_pem.tempfile() as pem:
        talk(encrypting(authority, "mx.example"), use, Dialer(pem))


def test_an_unknown_authority_is_not_believed(authority: trustme.CA) -> None:
    """Under verify a private authority is nobody."""

    async def use(stream: Stream) -> None:
        await stream.write(b"please\n")
        await stream.read()
        with pytest.raises(Unavailable):
            await stream.start_tls("mx.example", True)

    talk(encrypting(authority, "mx.example"), use)


@pytest.mark.parametrize("answer", [b"", b"500 what?\r\n", b"\x15\x03\x01\x00\x02\x02\x28"])
def test_a_handshake_that_fails(answer: bytes) -> None:
    """Silence and close, plain text, an alert: Unavailable each time."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        await writer.drain()
        writer.close()

    async def use(stream: Stream) -> None:
        with pytest.raises(Unavailable):
            await stream.start_tls("mx.example", False)

    talk(serve, use)


def test_words_before_the_handshake_are_not_words_behind_it() -> None:
    """Plain bytes that arrived before start_tls make it fail, they are never read as if encrypted."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"250 injected\r\n")
        await reader.read()

    async def use(stream: Stream) -> None:
        await asyncio.sleep(0.05)
        with pytest.raises(Unavailable):
            await stream.start_tls("mx.example", False)

    talk(serve, use)


@pytest.mark.parametrize("name", [".mx.example", "a" * 70 + ".example"])
def test_a_name_that_is_none(name: str) -> None:
    """A hostile name from the DNS fails the handshake, not the process."""

    async def use(stream: Stream) -> None:
        with pytest.raises(Unavailable):
            await stream.start_tls(name, False)

    talk(echo, use)


def test_knows_its_own_addresses() -> None:
    """An interface's own address leads home, a documentation address does not."""
    assert leads_home("127.0.0.1")
    assert not leads_home("192.0.2.1")
    assert not leads_home("not an address")
