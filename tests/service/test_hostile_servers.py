"""Servers that break, stall, lie and flood, on real sockets: each has a script, and what must become of the
letter.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
import trustme
from hosts import BODY, carry_in_turn, deliveries, letter, mx_route, told
from msgspec import structs

from covers import covers
from sekisho.host import HostClock
from sekisho.lab.sink import Rules, Sink
from sekisho.model.config import Config, Listen, Outbound, Queue
from sekisho.model.delivery import Delivered, Failed, Outcome, Tls
from sekisho.model.event import TlsCounted
from sekisho.model.letter import Letter
from sekisho.model.verdict import Reply
from sekisho.net.dial import Dialer
from sekisho.service.remote import RemoteCarrier
from sekisho.testing.world import FakeDns, Fakes, fakes

Act = Callable[["Wire"], Coroutine[Any, Any, None]]
HI = b"220 mx ESMTP\r\n"
EHLO = b"250-mx\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
TLS_EHLO = b"250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n"
ENVELOPE = b"250 2.1.0 sender ok\r\n250 2.1.5 rcpt ok\r\n354 go\r\n"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


class Wire:
    """The hostile end of one connection: a script is a list of steps, each does something to it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.heard = b""


def say(words: bytes) -> Act:
    async def step(wire: Wire) -> None:
        wire.writer.write(words)
        await wire.writer.drain()

    return step


def hear(words: bytes) -> Act:
    """Reads until the client has said this."""

    async def step(wire: Wire) -> None:
        while words not in wire.heard:
            data = await wire.reader.read(65536)
            if not data:
                raise ConnectionError
            wire.heard += data
        wire.heard = wire.heard.partition(words)[2]

    return step


def drip(words: bytes, pause_s: float) -> Act:
    async def step(wire: Wire) -> None:
        for place in range(len(words)):
            wire.writer.write(words[place : place + 1])
            await wire.writer.drain()
            await asyncio.sleep(pause_s)

    return step


def flood(words: bytes) -> Act:
    """For ever, or until the client has had enough."""

    async def step(wire: Wire) -> None:
        while True:
            wire.writer.write(words)
            await wire.writer.drain()
            await asyncio.sleep(0)  # drain does not wait, and the client is on the same loop

    return step


async def reset(wire: Wire) -> None:
    wire.writer.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    wire.writer.transport.abort()


async def hush(wire: Wire) -> None:
    """Says nothing, reads nothing, stays."""
    await asyncio.sleep(30)


async def listen(wire: Wire) -> None:
    while await wire.reader.read(65536):
        pass


def encrypt(context: ssl.SSLContext) -> Act:
    async def step(wire: Wire) -> None:
        await wire.writer.start_tls(context)

    return step


Script = Sequence[Act]
TO_DATA: Script = [say(HI), hear(b"EHLO"), say(EHLO), hear(b"DATA\r\n")]
TO_DOT: Script = [*TO_DATA, say(ENVELOPE), hear(b"\r\n.\r\n")]
TO_TLS: Script = [say(HI), hear(b"EHLO"), say(TLS_EHLO), hear(b"STARTTLS\r\n")]


def fake_world(dialer: Dialer | None = None) -> Fakes:
    dns = FakeDns({"evil.test": [(10, "mx.evil.test")]}, {"mx.evil.test": ["127.0.0.1"]})
    return fakes(net=dialer or Dialer(), dns=dns)


def settings(port: int, **outbound: Any) -> Config:
    limits: dict[str, Any] = {"reply_s": 1, "final_dot_s": 1, "connect_s": 1} | outbound
    return Config(hostname="me.example", outbound=Outbound(port=port, private_networks=True, **limits))


def against(
    *scripts: Script,
    tls: Tls = Tls.OPPORTUNISTIC,
    sent: Letter | None = None,
    dialer: Dialer | None = None,
    recipients: Sequence[str] = ("b@evil.test",),
) -> dict[str, Outcome]:
    """One try against a server that plays a script for each connection, in order."""

    async def main() -> dict[str, Outcome]:
        left = list(scripts)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            wire = Wire(reader, writer)
            try:
                for step in left.pop(0) if left else []:
                    await step(wire)
            except (OSError, asyncio.CancelledError):
                pass
            finally:
                writer.transport.abort()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        config = settings(server.sockets[0].getsockname()[1])
        carrier = RemoteCarrier(fake_world(dialer).world, config, _no_trouble)
        async with asyncio.timeout(20):
            outcomes = await carrier.carry(
                deliveries(mx_route("evil.test", tls), *recipients), sent or letter()
            )
        await carrier.close()
        server.close()
        assert not left, "a connection was expected and not made"
        return outcomes

    return asyncio.run(main())


def _no_trouble(event: object) -> None:
    assert isinstance(event, TlsCounted), event


BOMB = b"250-" + b"x" * 100 + b"\r\n"
SCRIPTS: dict[str, tuple[Script, tuple[str, int, str], str]] = {
    # name: script; kind, code and cause of the outcome; words of the reply that is kept
    "closes at once": ([], ("deferred", 451, "connect"), "closed"),
    "resets at once": ([reset], ("deferred", 451, "connect"), ""),
    "greets with rubbish": (
        [say(b"\x00\xff\x1b[2J\r\n"), listen],
        ("deferred", 451, "4yz"),
        "does not speak SMTP",
    ),
    "speaks HTTP": (
        [say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), listen],
        ("deferred", 451, "4yz"),
        "HTTP/1.1 400",
    ),
    "greets with 354": ([say(b"354 go\r\n"), listen], ("deferred", 451, "4yz"), "does not speak SMTP"),
    "never greets": ([hush], ("deferred", 451, "timeout"), "did not answer within 1 s"),
    "greets byte by byte": ([drip(HI * 3, 0.2)], ("deferred", 451, "timeout"), "did not answer"),
    "greets without end": ([flood(b"220-welcome\r\n")], ("deferred", 451, "4yz"), "reply without end"),
    "greets in one endless line": ([flood(b"2" * 4096)], ("deferred", 451, "4yz"), "line too long"),
    "goes away after EHLO": (
        [say(HI), hear(b"EHLO"), say(b"421 4.3.2 shutting down\r\n")],
        ("deferred", 421, "4yz"),
        "shutting down",
    ),
    "bombs EHLO": ([say(HI), hear(b"EHLO"), flood(BOMB)], ("deferred", 451, "4yz"), "reply without end"),
    "answers before it is asked": (
        [say(HI + EHLO + ENVELOPE + b"250 taken\r\n"), listen],
        ("deferred", 451, "4yz"),
        "a reply to nothing",
    ),
    "goes away in the middle": (
        [say(HI), hear(b"EHLO"), say(EHLO), hear(b"DATA"), say(b"250 ok\r\n421 4.3.0 enough\r\n")],
        ("deferred", 421, "4yz"),
        "enough",
    ),
    "resets after DATA": (
        [*TO_DATA, reset],
        ("deferred", 451, "connect"),
        "",
    ),
    "resets after the final dot": (
        [*TO_DOT, reset],
        ("deferred", 451, "connect"),
        "may have been taken",
    ),
    "closes after the final dot": (
        [*TO_DOT],
        ("deferred", 451, "connect"),
        "may have been taken",
    ),
    "says nothing after the final dot": (
        [*TO_DOT, hush],
        ("deferred", 451, "timeout"),
        "may have been taken",
    ),
    "answers the dot byte by byte, too late": (
        [
            *TO_DOT,
            drip(b"250 ok ok ok\r\n", 0.2),
        ],
        ("deferred", 451, "timeout"),
        "may have been taken",
    ),
    "answers every byte alone, in time": (
        [
            drip(HI, 0.001),
            hear(b"EHLO"),
            drip(EHLO, 0.001),
            hear(b"DATA\r\n"),
            drip(ENVELOPE, 0.001),
            hear(b"\r\n.\r\n"),
            drip(b"250 2.0.0 taken at last\r\n", 0.001),
        ],
        ("delivered", 250, ""),
        "taken at last",
    ),
    "puts control bytes into a refusal": (
        [
            *TO_DATA,
            say(b"250 ok\r\n550 5.1.1 \x1b[31m\x07\xe2\x80\xae\xff\r\n503 no\r\n"),
        ],
        ("failed", 550, "5yz"),
        "\\x1b[31m\\x07\\u202e\\xff",
    ),
    "contradicts itself": (
        [*TO_DATA, say(b"250-ok\r\n550 no\r\n")],
        ("deferred", 451, "4yz"),
        "two codes",
    ),
    "answers DATA with a yes of another kind": (
        [*TO_DATA, say(b"250 a\r\n250 b\r\n250 c\r\n"), listen],
        ("deferred", 451, "4yz"),
        "does not speak SMTP",
    ),
    "answers the dot with 354": (
        [*TO_DATA, say(ENVELOPE), hear(b"\r\n.\r\n"), say(b"354 more\r\n"), listen],
        ("deferred", 451, "4yz"),
        "does not speak SMTP",
    ),
    "answers with codes that there are not": (
        [*TO_DATA, say(b"199 ok\r\n250 ok\r\n354 go\r\n"), listen],
        ("deferred", 451, "4yz"),
        "does not speak SMTP",
    ),
    "says 421 for the dot and goes on": (
        [*TO_DOT, say(b"421 4.3.2 stopping\r\n250 2.0.0 taken\r\n"), listen],
        ("deferred", 421, "4yz"),
        "stopping",
    ),
    "takes the letter in 150 lines of 500 bytes": (
        [*TO_DOT, say((b"250-" + b"z" * 500 + b"\r\n") * 150 + b"250 taken\r\n"), listen],
        ("delivered", 250, ""),
        "zzz",
    ),
    "takes the letter and never stops saying so": (
        [*TO_DOT, flood(b"250-taken\r\n")],
        ("deferred", 451, "4yz"),
        "reply without end",
    ),
    "offers an extension without end": (
        [say(HI), hear(b"EHLO"), say(b"250-mx\r\n250-LIMITS RCPTMAX=" + b"9" * 3000 + b"\r\n"), listen],
        ("deferred", 451, "4yz"),
        "line too long",
    ),
    "knows no EHLO, pipelines no more": (
        [
            say(HI),
            hear(b"EHLO me.example\r\n"),
            say(b"500 what\r\n"),
            hear(b"HELO me.example\r\n"),
            say(b"250 hello\r\n"),
            hear(b"MAIL FROM:<a@me.example>\r\n"),
            say(b"250 ok\r\n"),
            hear(b"RCPT TO:<b@evil.test>\r\n"),
            say(b"250 ok\r\n"),
            hear(b"DATA\r\n"),
            say(b"354 go\r\n"),
            hear(BODY + b".\r\n"),
            say(b"250 old but good\r\n"),
        ],
        ("delivered", 250, ""),
        "old but good",
    ),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_hostile_server(name: str) -> None:
    """Whatever it does, there is one outcome, in time, with a harmless reply."""
    script, becomes, words = SCRIPTS[name]
    outcomes = against(script)
    assert becomes == told(outcomes)["b@evil.test"]
    reply = outcomes["b@evil.test"].reply
    assert words in reply.text and reply.text.isprintable() and len(reply.text) < 1200


def test_a_server_that_refuses_in_the_middle_of_a_large_letter() -> None:
    """Its 552 is heard although it hung up while we were still writing."""
    large = letter(b"Subject: x\r\n\r\n" + b"y" * 70 + b"\r\n" * 1_000_000)
    script = [
        *TO_DATA, say(ENVELOPE), hear(b"Subject: x"),
        say(b"552 5.3.4 too much of it\r\n"), listen_a_little,
    ]  # fmt: skip
    (end,) = against(script, sent=large).values()
    assert isinstance(end, Failed) and (552, "5.3.4") == (end.reply.code, end.reply.status)


async def listen_a_little(wire: Wire) -> None:
    await wire.reader.read(65536)


def test_a_server_that_stops_reading() -> None:
    """A block that is not taken within its time ends the try; nobody can have the letter."""
    large = letter(b"Subject: x\r\n\r\n" + (b"y" * 70 + b"\r\n") * 300_000)
    script = [*TO_DATA, say(ENVELOPE), hush]
    assert {"b@evil.test": ("deferred", 451, "timeout")} == told(against(script, sent=large))


@pytest.mark.parametrize("tls", [Tls.OPPORTUNISTIC, Tls.REQUIRED, Tls.VERIFY])
@pytest.mark.parametrize("injected", [b"250-mx\r\n250 AUTH PLAIN\r\n", b"250 ok\r\n" * 5, b"2"])
def test_response_injection_behind_starttls(tls: Tls, injected: bytes) -> None:
    """Words in one write with the 220: the session is refused, no plain text follows, no envelope is said."""
    spoken: list[bytes] = []

    async def remember(wire: Wire) -> None:
        spoken.append(wire.heard)
        while data := await wire.reader.read(65536):
            spoken.append(data)

    script = [
        *TO_TLS,
        say(b"220 go\r\n" + injected),
        remember,
    ]
    assert {"b@evil.test": ("deferred", 451, "tls")} == told(against(script, tls=tls))
    assert b"MAIL" not in b"".join(spoken)


def test_late_injection_fails_the_handshake() -> None:
    """Plain words a moment later are no TLS: nothing of them is heard as an answer."""
    script = [
        *TO_TLS,
        say(b"220 go\r\n"),
        hear(b"\x16"),
        say(b"250-mx\r\n250 ok\r\n"),
        listen,
    ]
    assert {"b@evil.test": ("deferred", 451, "tls")} == told(against(script, tls=Tls.REQUIRED))


TAKES: Script = [
    *TO_DOT, say(b"250 taken\r\n"), listen,
]  # fmt: skip


@pytest.mark.parametrize(
    "failure",
    [
        [say(b"500 I meant something else\r\n"), listen],
        [reset],
        [hush],
        [say(b"\x15\x03\x01\x00\x02\x02\x28"), listen],
    ],
)
def test_a_broken_handshake_and_plain_text(failure: Script) -> None:
    """Under may the letter goes in the clear over a second connection; under must it stays here."""
    script = [*TO_TLS, say(b"220 go\r\n"), hear(b"\x16"), *failure]
    assert {"b@evil.test": ("delivered", 250, "")} == told(against(script, TAKES))
    assert {"b@evil.test": ("deferred", 451, "tls")} == told(against(script, tls=Tls.REQUIRED))


@pytest.mark.parametrize("tls", [Tls.REQUIRED, Tls.VERIFY])
@pytest.mark.parametrize(
    "script",
    [
        [say(HI), hear(b"EHLO"), say(EHLO), listen],
        [*TO_TLS, say(b"454 4.7.0 not now\r\n"), listen],
        [say(HI), hear(b"EHLO"), say(b"502 what\r\n"), hear(b"HELO"), say(b"250 mx\r\n"), listen],
    ],
)
def test_no_encryption_where_it_must_be(tls: Tls, script: Script) -> None:
    """STARTTLS stripped, refused, or EHLO itself: deferred, no plain text."""
    (end,) = told(against(script, tls=tls)).values()
    assert ("deferred", "tls") == (end[0], end[2])


@pytest.mark.parametrize(
    ("tls", "name", "known", "delivered"),
    [
        (Tls.OPPORTUNISTIC, "other.test", False, True),
        (Tls.REQUIRED, "other.test", False, True),
        (Tls.VERIFY, "mx.evil.test", True, True),
        (Tls.VERIFY, "other.test", True, False),
        (Tls.VERIFY, "mx.evil.test", False, False),
    ],
)
def test_certificates(authority: trustme.CA, tls: Tls, name: str, known: bool, delivered: bool) -> None:
    """Only verify looks at the certificate, and then name and authority must fit."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    script = [
        *TO_TLS, say(b"220 go\r\n"), encrypt(context), hear(b"EHLO"), say(EHLO), hear(b"DATA\r\n"),
        say(ENVELOPE), hear(b"\r\n.\r\n"), say(b"250 taken\r\n"), listen,
    ]  # fmt: skip
    with authority.cert_pem.tempfile() as pem:
        (end,) = told(against(script, tls=tls, dialer=Dialer(pem) if known else None)).values()
    assert (("delivered", 250, "") if delivered else ("deferred", 451, "tls")) == end


def test_many_recipients_of_a_server_that_answers_in_pieces() -> None:
    """150 recipients, every third refused, replies cut anywhere: each has its own."""
    names = [f"r{number}@evil.test" for number in range(150)]

    async def answer(wire: Wire) -> None:
        await say(HI)(wire)
        await hear(b"EHLO")(wire)
        await say(EHLO)(wire)
        for count in (100, 50):
            await hear(b"MAIL FROM")(wire)
            await hear(b"DATA\r\n")(wire)
            start = 0 if count == 100 else 100
            replies = b"250 ok\r\n" + b"".join(
                b"550 5.1.1 no r%d\r\n" % number if number % 3 == 0 else b"250 ok\r\n"
                for number in range(start, start + count)
            )
            for place in range(0, len(replies), 7):
                await say(replies[place : place + 7])(wire)
            await say(b"354 go\r\n")(wire)
            await hear(b"\r\n.\r\n")(wire)
            await say(b"250 taken\r\n")(wire)
        await listen(wire)

    outcomes = against([answer], recipients=names)
    assert 150 == len(outcomes)
    for number, name in enumerate(names):
        assert isinstance(outcomes[name], Failed if number % 3 == 0 else Delivered)
        if number % 3 == 0:
            assert f"no r{number}" == outcomes[name].reply.text


@covers("Q-20")
def test_three_exchanges_on_real_sockets() -> None:
    """MX10 greets 421, MX20 greets 554, MX30 takes the letter; without MX30 the reply tells of both."""

    async def main() -> None:
        hosts = {f"{name}.test": [f"127.0.0.{place}"] for place, name in enumerate("abcd", 11)}
        exchanges = {"example.net": [(10, "a.test"), (20, "b.test"), (30, "c.test")]}
        dns = FakeDns(exchanges | {"no.test": [(1, "b.test"), (2, "d.test")]}, hosts)
        greetings = {
            "127.0.0.11": Reply(421, "4.3.2", "busy"),
            "127.0.0.12": Reply(554, "5.7.1", "not you"),
            "127.0.0.13": Reply(220, "", "hello"),
            "127.0.0.14": Reply(554, "", "never"),
        }
        sinks = {address: Sink(rules=Rules(greeting=greeting)) for address, greeting in greetings.items()}
        port = 0
        for address, sink in sinks.items():
            port = await sink.start(address, port)
        fake = fakes(net=Dialer(), dns=dns)
        carrier = RemoteCarrier(fake.world, settings(port), _no_trouble)
        (end,) = (
            await carrier.carry(deliveries(mx_route("example.net"), "b@example.net"), letter())
        ).values()
        assert isinstance(end, Delivered) and "c.test" == end.host
        assert 1 == len(sinks["127.0.0.13"].messages)
        (end,) = (await carrier.carry(deliveries(mx_route("no.test"), "b@no.test"), letter())).values()
        assert isinstance(end, Failed) and "not you" in end.reply.text and "never" in end.reply.text
        await carrier.close()
        for sink in sinks.values():
            await sink.stop()

    asyncio.run(main())


@covers("Q-12")
def test_our_own_listener_is_never_called() -> None:
    """With private networks allowed, this server's own port on this machine is still a loop."""

    async def main() -> None:
        sink = Sink()
        port = await sink.start()
        config = Config(
            hostname="me.example",
            outbound=Outbound(port=port, private_networks=True),
            listen={"mx": Listen(address=f"0.0.0.0:{port}", protocol="smtp")},
        )
        carrier = RemoteCarrier(fake_world().world, config, _no_trouble)
        (end,) = (await carrier.carry(deliveries(mx_route("evil.test"), "b@evil.test"), letter())).values()
        assert isinstance(end, Failed) and "5.4.6" == end.reply.status
        assert 0 == sink.connections
        await sink.stop()

    asyncio.run(main())


def test_lane_concurrency_on_real_sockets(authority: trustme.CA) -> None:
    """Sixty letters, encrypted, over at most four sessions; all arrive, and sessions are used again."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("mx.evil.test").configure_cert(context)

    async def main() -> None:
        sink = Sink(rules=Rules(tls=context))
        port = await sink.start()
        plain = settings(port, reply_s=10, final_dot_s=10)
        config = Config(hostname="me.example", outbound=plain.outbound, queue=Queue(lane_concurrency=4))
        world = fake_world().world
        carrier = RemoteCarrier(structs.replace(world, clock=HostClock()), config, _no_trouble)
        batches = [
            deliveries(mx_route("evil.test", Tls.REQUIRED), f"b{number}@evil.test") for number in range(60)
        ]
        ends = await asyncio.gather(*(carry_in_turn(carrier, batch, letter(), 0.01) for batch in batches))
        assert all(isinstance(end, Delivered) for each in ends for end in each.values())
        assert 60 == len(sink.messages) and sink.most_at_once <= 4 and sink.connections <= 8
        assert all(message.tls.startswith("TLSv1.3") for message in sink.messages)
        assert {b"Received: x\r\n" + BODY} == {message.body for message in sink.messages}
        await carrier.close()
        await sink.stop()

    asyncio.run(main())
