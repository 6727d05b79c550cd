"""The bytes of a session: TLS, PROXY, unix sockets, deadlines, and peers that do not keep up."""

import asyncio
import gc
import os
import socket
import ssl
import stat
import tracemalloc
from pathlib import Path

import pytest
from reception_stage import LISTEN, Client, Stage, play, play_patiently, until

from sekisho.model.config import Limits, Listen, Protocol
from sekisho.model.event import Accepted, Connected, Refused
from sekisho.service.connection import Connection
from sekisho.wire.proxy import make_proxy_v1
from sekisho.world import Unavailable


def listening(folder: Path, listen: Listen, **more: object) -> Stage:
    """With one more listener, named `door`."""
    return Stage(folder, listen=LISTEN | {"door": listen}, **more)


def behind_proxy(
    folder: Path, *, allowed: tuple[str, ...] = ("unix",), protocol: Protocol = "smtp", **more: object
) -> Stage:
    listen = Listen(address="unix:door", protocol=protocol, requires_proxy=True, proxy_from=allowed)
    return listening(folder, listen, **more)


HEADER = make_proxy_v1("198.51.100.7", 4711, "192.0.2.1", 25)


# TLS.


@pytest.mark.parametrize("glued", [b"EHLO injected\r\n", b"MAIL FROM:<evil@far.example>\r\n", b"E"])
def test_nothing_said_before_tls_is_heard_under_tls(tmp_path: Path, glued: bytes) -> None:
    """Glued behind STARTTLS in one segment: refused and closed (CVE-2011-0411)."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted("submission")
        assert (await client.raw(b"STARTTLS\r\n" + glued)).startswith("501 5.5.1 ")
        assert await client.closed()

    play(Stage(tmp_path), scene)


def test_plain_text_after_the_220_of_starttls_is_no_tls(tmp_path: Path) -> None:
    """It goes into the handshake and breaks it; no command comes of it."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted("submission")
        assert (await client.say("STARTTLS")).startswith("220")
        client.writer.write(b"EHLO injected\r\nMAIL FROM:<a@b.example>\r\n")
        rest = await asyncio.wait_for(client.reader.read(), 10)
        assert not rest or rest[:1] == b"\x15"  # nothing, or a TLS alert

    play(Stage(tmp_path), scene)


def test_after_tls_the_session_begins_anew(tmp_path: Path) -> None:
    """EHLO, MAIL and RCPT from before are forgotten (RFC 3207 4.2)."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        assert (await client.say("MAIL FROM:<>", "RSET")).startswith("250")
        await client.start_tls()
        assert (await client.say("RCPT TO:<bob@example.com>")).startswith("503")
        assert (await client.say("MAIL FROM:<>")).startswith("503")
        assert "STARTTLS" not in await client.say("EHLO again.example")
        assert (await client.letter("", "bob@example.com")).startswith("250")
        head = stage.spool.kept[0].draft.head.decode()
        assert "from again.example" in head and "with ESMTPS id" in head

    play(Stage(tmp_path), scene)


def test_old_tls_is_refused(tmp_path: Path) -> None:
    """TLS 1.2 at least (RFC 8996), and no renegotiation."""

    async def scene(stage: Stage) -> None:
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        with pytest.warns(DeprecationWarning):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        host, _, port = stage.bound["submissions"].rpartition(":")
        with pytest.raises(OSError):
            await asyncio.open_connection(host, int(port), ssl=old)

    play(Stage(tmp_path), scene)


def test_tickets_of_one_listener_are_worth_nothing_at_another(tmp_path: Path) -> None:
    """Each listener has keys of its own (ALPACA)."""

    async def scene(stage: Stage) -> None:
        resumed = {}
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        session = await asyncio.to_thread(connect, stage.bound["submissions"], context, None)
        for name in ("submissions", "door"):
            again = await asyncio.to_thread(connect, stage.bound[name], context, session[0])
            resumed[name] = again[1]
        assert {"submissions": True, "door": False} == resumed

    play(listening(tmp_path, Listen(address="127.0.0.1:0", protocol="submissions")), scene)


def connect(
    address: str, context: ssl.SSLContext, session: ssl.SSLSession | None
) -> tuple[ssl.SSLSession | None, bool]:
    host, _, port = address.rpartition(":")
    plain = socket.create_connection((host, int(port)))
    with context.wrap_socket(plain, session=session) as stream:
        assert stream.recv(1000).startswith(b"220 ")
        return stream.session, bool(stream.session_reused)


def test_a_submissions_listener_needs_a_certificate(tmp_path: Path) -> None:
    """Said at the start, and nothing is left listening; a mail exchanger goes without."""

    async def scene() -> None:
        stage = Stage(tmp_path, certificate="keys/none.pem")
        with pytest.raises(Unavailable, match=r"none\.pem"):
            await stage.start()
        await stage.spawn.stop()

    asyncio.run(scene())

    async def plain(stage: Stage) -> None:
        client = await stage.greeted()
        assert "STARTTLS" not in await client.say("EHLO x.example")

    play(Stage(tmp_path, certificate="keys/none.pem", listen={"mx": LISTEN["mx"]}), plain)


# PROXY and unix sockets.


def test_behind_proxy_the_client_is_who_the_header_says(tmp_path: Path) -> None:
    """Its address stands in events, Received and origin; who really connected stands in `via`."""

    async def scene(stage: Stage) -> None:
        client = await stage.client("door")
        client.writer.write(HEADER)
        assert (await client.reply()).startswith("220 ")
        await client.say("EHLO client.example")
        assert (await client.letter("", "bob@example.com")).startswith("250")
        (kept,) = stage.spool.kept
        assert ("198.51.100.7", "unix") == (
            kept.draft.envelope.origin.address,
            kept.draft.envelope.origin.via,
        )
        assert b"([198.51.100.7])" in kept.draft.head
        connected = stage.of(Connected)[0]
        assert ("198.51.100.7", "unix", "door") == (connected.address, connected.via, connected.listener)
        assert "198.51.100.7" == stage.of(Accepted)[0].address

    play(behind_proxy(tmp_path), scene)


def test_the_header_may_come_in_pieces_and_before_tls(tmp_path: Path) -> None:
    """Byte by byte, in the clear; the handshake follows."""

    async def scene(stage: Stage) -> None:
        client = await stage.client("door")
        for byte in HEADER:
            client.writer.write(bytes((byte,)))
            await client.writer.drain()
            await asyncio.sleep(0)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        await client.writer.start_tls(context, server_hostname="mx.example.com")
        assert (await client.reply()).startswith("220 ")
        await client.say("EHLO client.example")
        assert (await client.login()).startswith("235")
        assert {"198.51.100.7"} == {event.address for event in stage.judged}

    play(behind_proxy(tmp_path, protocol="submissions"), scene)


def test_a_health_check_speaks_for_itself(tmp_path: Path) -> None:
    """LOCAL and UNKNOWN: the peer's own address counts."""

    async def scene(stage: Stage) -> None:
        client = await stage.client("door")
        client.writer.write(b"PROXY UNKNOWN\r\n")
        assert (await client.reply()).startswith("220 ")
        assert [("", "")] == [(event.address, event.via) for event in stage.of(Connected)]

    play(behind_proxy(tmp_path), scene)


@pytest.mark.parametrize(
    "start", [b"EHLO client.example\r\n", b"PROXY TCP4 1.2.3.4\r\n", b"PROXY " + b"x" * 200]
)
def test_without_a_proper_header_the_connection_is_closed_in_silence(tmp_path: Path, start: bytes) -> None:
    """A listener that requires PROXY never talks to anybody who does not know it."""

    async def scene(stage: Stage) -> None:
        client = await stage.client("door")
        client.writer.write(start)
        assert b"" == await client.reader.read()
        assert not stage.events

    play(behind_proxy(tmp_path), scene)


def test_who_is_not_on_the_list_may_not_speak_proxy(tmp_path: Path) -> None:
    """The list is empty by default, and loopback is not implied."""

    async def scene(stage: Stage) -> None:
        client = await stage.client("door")
        client.writer.write(HEADER)
        with pytest.raises(ConnectionError):
            if not await client.reader.read():
                raise ConnectionError
        assert not stage.events

    play(behind_proxy(tmp_path, allowed=()), scene)
    play(behind_proxy(tmp_path, allowed=("10.0.0.0/8",)), scene)


def test_other_listeners_refuse_the_header(tmp_path: Path) -> None:
    """A client cannot choose its own address."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        answer = await client.raw(HEADER)
        assert answer.startswith("550 5.7.1 ") and await client.closed()
        assert "127.0.0.1" == stage.of(Refused)[0].address

    play(Stage(tmp_path), scene)


def test_behind_proxy_each_client_has_its_own_share_of_sessions(tmp_path: Path) -> None:
    """All come from one peer; the limit is of the addresses behind it, IPv6 by /64."""

    async def come(stage: Stage, address: str) -> str:
        client = await stage.client("door")
        client.writer.write(make_proxy_v1(address, 1, "::1" if ":" in address else "192.0.2.1", 25))
        return (await client.reply())[:3]

    async def scene(stage: Stage) -> None:
        assert ["220", "220", "421"] == [await come(stage, f"198.51.100.{n}") for n in (1, 2, 1)]
        assert ["220", "421", "220"] == [await come(stage, f"2001:db8::{n}") for n in ("1", "2", "1:0:0:0:3")]

    play(behind_proxy(tmp_path, limits=Limits(sessions_per_address=1)), scene)


def test_a_unix_socket_is_for_its_owner_and_survives_a_kill(tmp_path: Path) -> None:
    """0600; a socket left behind is replaced, one in use is not; gone after a stop."""
    listen = Listen(address="unix:door", protocol="smtp")
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "door"))
    left.close()

    async def scene(stage: Stage) -> None:
        mode = os.stat(tmp_path / "door").st_mode
        assert stat.S_ISSOCK(mode) and 0o600 == stat.S_IMODE(mode)
        client = await stage.greeted("door")
        assert (await client.letter("", "bob@example.com")).startswith("250")
        assert b"from client.example\r\n" in stage.spool.kept[0].draft.head
        second = listening(tmp_path, listen)
        with pytest.raises(Unavailable):
            await second.start()
        await second.spawn.stop()

    play(listening(tmp_path, listen), scene)
    assert not (tmp_path / "door").exists()


# Deadlines, in virtual time.


def test_silence_ends_a_session(tmp_path: Path) -> None:
    """300 s between commands, 180 s in the middle of a letter (RFC 5321 4.5.3.2): 421 4.4.2."""

    async def scene(stage: Stage) -> None:
        loop = asyncio.get_running_loop()
        for lines, limit_s in (((), 300), (("MAIL FROM:<>", "RCPT TO:<bob@example.com>", "DATA"), 180)):
            client = await stage.greeted("door")
            client.patience_s = 1000
            for line in lines:
                await client.say(line)
            begun = loop.time()
            assert (await client.reply()).startswith("421 4.4.2 ")
            assert limit_s <= loop.time() - begun <= limit_s + 11
            assert await client.closed()

    limits = Limits(data_min_rate=0)
    play_patiently(listening(tmp_path, Listen(address="unix:door", protocol="smtp"), limits=limits), scene)


def test_a_letter_that_drips_is_not_waited_for(tmp_path: Path) -> None:
    """One byte in ten seconds keeps the silence short, and the session two minutes at most."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted("door")
        await client.say("MAIL FROM:<>", "RCPT TO:<bob@example.com>", "DATA")
        client.patience_s = 1000
        reply = asyncio.ensure_future(client.reply())
        begun = asyncio.get_running_loop().time()
        while not reply.done():
            client.writer.write(b"x")
            await asyncio.sleep(5)
            assert asyncio.get_running_loop().time() - begun < 120
        assert (await reply).startswith("421 4.4.2 ")

    play_patiently(listening(tmp_path, Listen(address="unix:door", protocol="smtp")), scene)


def test_a_slow_but_honest_line_is_waited_for(tmp_path: Path) -> None:
    """Above the minimum rate a letter may take long."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted("door")
        await client.say("MAIL FROM:<>", "RCPT TO:<bob@example.com>", "DATA")
        for _ in range(60):
            client.writer.write(b"x" * 998 + b"\r\n")
            await asyncio.sleep(8)
        assert (await client.raw(b".\r\n")).startswith("250")

    play_patiently(listening(tmp_path, Listen(address="unix:door", protocol="smtp")), scene)


@pytest.mark.parametrize("protocol", ["smtp", "submissions"])
def test_a_header_or_handshake_that_does_not_come_is_not_waited_for(
    tmp_path: Path, protocol: Protocol
) -> None:
    """Half a PROXY header; a TLS port that is told nothing; STARTTLS without a handshake."""

    async def scene(stage: Stage) -> None:
        loop = asyncio.get_running_loop()
        client = await stage.client("door")
        client.writer.write(HEADER if protocol == "submissions" else HEADER[:10])
        assert b"" == await reading(client)
        assert loop.time() <= 11
        client = await stage.greeted("plain")
        await client.say("STARTTLS")
        begun = loop.time()
        assert b"" == await reading(client)
        assert loop.time() - begun <= 21

    stage = behind_proxy(tmp_path, protocol=protocol)
    stage.config.listen["plain"] = Listen(address="unix:plain", protocol="smtp")
    play_patiently(stage, scene)


async def reading(client: Client) -> bytes:
    try:
        return await client.reader.read()
    except ConnectionError:
        return b""


# Peers that do not keep up.


def test_a_client_far_ahead_is_not_read_on(tmp_path: Path) -> None:
    """While a reply is owed at most a few hundred KB are taken from it, and all is answered in the end."""

    async def scene(stage: Stage) -> None:
        stage.spool.gate = asyncio.Event()
        client = await stage.greeted()
        await client.say("MAIL FROM:<>", "RCPT TO:<bob@example.com>", "DATA")
        client.writer.write(b"a: b\r\n\r\n.\r\n" + b"NOOP\r\n" * 200_000)
        (connection,) = stage.reception._connections()
        await until(lambda: connection._paused)
        await asyncio.sleep(0.3)
        assert connection.talk is not None and connection.talk.machine.unread <= 512 * 1024
        assert connection._paused
        stage.spool.gate.set()
        replies = asyncio.create_task(client.reader.readexactly(len("250 2.0.0 OK\r\n") * 200_000))
        await client.writer.drain()
        await replies

    play(Stage(tmp_path), scene)


def test_a_client_that_does_not_listen_is_not_talked_to(tmp_path: Path) -> None:
    """Replies that nobody reads do not pile up: we stop reading too."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        client.writer.transport.pause_reading()
        for _ in range(40):
            client.writer.write(b"HELP\r\n" * 20_000)
            await asyncio.sleep(0.01)
        (connection,) = stage.reception._connections()
        assert connection._transport is not None
        await until(lambda: connection._paused)
        assert connection._transport.get_write_buffer_size() < 2 * 1024 * 1024

    play(Stage(tmp_path), scene)


def test_a_large_letter_is_taken_no_faster_than_its_file_is_written(tmp_path: Path) -> None:
    """Memory is bounded while the disk stands still."""

    async def scene(stage: Stage) -> None:
        gate = asyncio.Event()
        thread = stage.spawn.thread

        async def slow(work: object) -> object:
            await gate.wait()
            return await thread(work)  # type: ignore[arg-type]

        stage.spawn.thread = slow  # type: ignore[method-assign, assignment]
        client = await stage.greeted()
        await client.say("MAIL FROM:<>", "RCPT TO:<bob@example.com>", "DATA")
        content = b"a: b\r\n\r\n" + (b"y" * 998 + b"\r\n") * 20_000
        client.writer.write(content + b".\r\n")
        (connection,) = stage.reception._connections()
        await until(lambda: connection._paused)
        await asyncio.sleep(0.1)
        assert stage.reception._front.arriving_bytes < 3 * 1024 * 1024
        gate.set()
        assert (await client.reply()).startswith("250")
        assert content == stage.spool.kept[0].content

    play(Stage(tmp_path), scene)


def test_words_of_farewell_arrive_though_the_client_is_still_talking(tmp_path: Path) -> None:
    """A line without end is refused in the middle; the reply is not lost in a reset."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        client.writer.write(b"x" * 3_000_000)
        assert (await client.reply()).startswith("500 5.5.6 ")

    play(Stage(tmp_path), scene)


class Nowhere(asyncio.Transport):
    """A transport that swallows everything."""

    def write(self, data: bytes | bytearray | memoryview) -> None: ...

    def is_closing(self) -> bool:
        return False


IDLE_BYTES = 4096
"""What one waiting session may cost us, its transport apart: ten thousand of them are 40 MB."""


def test_an_idle_session_costs_little(tmp_path: Path) -> None:
    """Greeted and introduced, between two letters: a budget per connection."""

    async def scene(stage: Stage) -> None:
        listener = stage.reception._listeners["mx"]

        def idle() -> Connection:
            connection = Connection(listener)
            connection.connection_made(Nowhere())
            connection._greet()
            connection.data_received(b"EHLO client.example\r\n")
            return connection

        kept = [idle() for _ in range(20)]
        gc.collect()
        tracemalloc.start()
        kept += [idle() for _ in range(200)]
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        stage.events.clear()
        assert taken / 200 < IDLE_BYTES
        for connection in kept:
            connection.connection_lost(None)
        assert 0 == stage.reception.sessions

    play(Stage(tmp_path, limits=Limits(sessions_per_address=1000)), scene)


def test_a_flood_of_commands_does_not_keep_others_waiting(tmp_path: Path) -> None:
    """Everybody has a turn: another client is served while the flood is still being answered."""

    async def scene(stage: Stage) -> None:
        flood, other = await stage.greeted(), await stage.greeted()
        flood.writer.write(b"NOOP\r\n" * 30_000)
        answer = asyncio.create_task(other.say("NOOP"))
        talks = [each.talk for each in stage.reception._connections() if each.talk is not None]
        await until(lambda: any(talk.more for talk in talks))
        assert (await answer).startswith("250")
        assert any(talk.more for talk in talks)
        wanted = b"250 2.0.0 OK\r\n" * 30_000
        assert wanted == await flood.reader.readexactly(len(wanted))
        assert not any(talk.more for talk in talks)

    play(Stage(tmp_path), scene)


def test_a_proxy_on_the_network_is_known_by_its_address(tmp_path: Path) -> None:
    """Over TCP too, from the networks on the list; `via` is the proxy's own address."""

    async def scene(stage: Stage) -> None:
        client = await stage.client("door")
        client.writer.write(make_proxy_v1("2001:db8::7", 4711, "2001:db8::1", 25))
        assert (await client.reply()).startswith("220 ")
        assert [("2001:db8::7", "127.0.0.1")] == [(event.address, event.via) for event in stage.of(Connected)]

    listen = Listen(
        address="127.0.0.1:0", protocol="smtp", requires_proxy=True, proxy_from=("10.0.0.0/8", "127.0.0.0/8")
    )
    play(listening(tmp_path, listen), scene)
