"""The outside world in one object: an SMTP server (RFC 5321) that takes every message and refuses by a rule.

Played by `demo` and `simulate` as everybody else's mail server, and by the tests. It keeps what it was sent
in memory, within `keep_bytes`; beyond that it only counts. It is lenient on purpose: what we send is judged
by the tests, not here.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from msgspec import Struct, structs

from sekisho.host import HostClock
from sekisho.model.verdict import Reply

LINE_BYTES = 4096
"""Longest command line; a longer one is answered 500 and the connection closed."""

END = b"\r\n.\r\n"
OK = Reply(250, "2.0.0", "ok")


Refuse = Callable[[str], Reply | None]


class SinkMessage(Struct, frozen=True):
    """`body` as it would stand in a mailbox (dots unstuffed); empty once `keep_bytes` are used up."""

    sender: str
    recipients: tuple[str, ...]
    body: bytes
    at: int
    size: int = 0
    tls: str = ""
    connection: int = 0


class Rules(Struct, frozen=True):
    """How the sink behaves. `answer` gets a finished message; None means it is taken."""

    answer: Callable[[SinkMessage], Reply | None] | None = None
    tls: ssl.SSLContext | None = None
    greeting: Reply = Reply(220, "", "sink ESMTP")
    extensions: tuple[str, ...] = ("PIPELINING", "8BITMIME", "SIZE 104857600", "ENHANCEDSTATUSCODES")
    keep_bytes: int = 256 * 1024 * 1024
    now: Callable[[], int] = HostClock().now


class Sink:
    """`await start()`, look at `messages`, `await stop()`. `refuse` gets a recipient; None: it is welcome."""

    def __init__(self, refuse: Refuse | None = None, rules: Rules | None = None) -> None:
        self.rules = rules or Rules()
        self._refuse = refuse
        self.messages: list[SinkMessage] = []
        self.refused: list[str] = []
        self.connections = 0
        self.most_at_once = 0
        self._kept = 0
        self._open: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._news = asyncio.Event()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listens; returns the port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), host, port, backlog=1024)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._open):
            connection.abort()
        if self._server is not None:
            await self._server.wait_closed()

    async def wait_for(self, count: int) -> None:
        """Returns once `count` messages have arrived. The caller sets the deadline."""
        while len(self.messages) < count:
            self._news.clear()
            await self._news.wait()

    def opened(self, connection: "_Connection") -> int:
        self._open.add(connection)
        self.most_at_once = max(self.most_at_once, len(self._open))
        self.connections += 1
        return self.connections

    def closed(self, connection: "_Connection") -> None:
        self._open.discard(connection)

    def judge(self, recipient: str) -> Reply | None:
        refusal = self._refuse(recipient) if self._refuse else None
        if refusal is not None:
            self.refused.append(recipient)
        return refusal

    def take(self, message: SinkMessage) -> Reply:
        """The whole message has arrived: the reply to its final dot."""
        said = self.rules.answer(message) if self.rules.answer else None
        if said is not None and not said.positive:
            return said
        self._kept += message.size
        kept = message if self._kept <= self.rules.keep_bytes else _without_body(message)
        self.messages.append(kept)
        self._news.set()
        return said or Reply(250, "2.0.0", f"taken as {len(self.messages)}")


class _Connection(asyncio.Protocol):
    """One client. Commands are looked up by their first four letters, in any case (RFC 5321 2.4)."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._rules = sink.rules
        self._buffer = bytearray()
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._in_body = False
        self._searched = 0
        self._ending = False
        self._tls = ""
        self._number = 0
        self._upgrade: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        self._number = self._sink.opened(self)
        self._say(self._rules.greeting)
        if not self._rules.greeting.positive:
            transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._sink.closed(self)

    def abort(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        out: list[bytes] = []
        while (answer := self._next()) is not None:
            out.append(answer)
        if out and not self._transport.is_closing():
            self._transport.write(b"".join(out))
        if self._ending:
            self._transport.close()

    def _next(self) -> bytes | None:
        """The answer to one command or body, or None when more bytes are needed."""
        if self._upgrade is not None or self._ending:
            return None
        if self._in_body:
            return self._body()
        end = self._buffer.find(b"\r\n")
        if end < 0 or end > LINE_BYTES:
            return self._too_long() if len(self._buffer) > LINE_BYTES else None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        verb = line[:4].upper().decode("latin-1")
        return _line(_COMMANDS.get(verb, _unknown)(self, line.decode("utf-8", "replace")))

    def _too_long(self) -> bytes:
        self._ending = True
        return b"500 5.5.2 line too long\r\n"

    def _body(self) -> bytes | None:
        # The CRLF before the dot may be the one that ended the DATA line (an empty message).
        end = -2 if self._buffer.startswith(b".\r\n") else self._buffer.find(END, self._searched)
        if end == -1:
            self._searched = max(0, len(self._buffer) - len(END))
            return None
        wire = bytes(self._buffer[: end + 2])
        del self._buffer[: end + 5]
        reply = self._sink.take(self._message(wire))
        self.reset()
        return _line(reply)

    def _message(self, wire: bytes) -> SinkMessage:
        body = wire.replace(b"\r\n.", b"\r\n")  # RFC 5321 4.5.2
        return SinkMessage(
            sender=self._sender or "",
            recipients=tuple(self._recipients),
            body=body[1:] if body.startswith(b".") else body,
            at=self._rules.now(),
            size=len(wire),
            tls=self._tls,
            connection=self._number,
        )

    def reset(self, _line: str = "") -> Reply:
        self._sender, self._recipients, self._in_body, self._searched = None, [], False, 0
        return OK

    def hello(self, line: str) -> Reply:
        self.reset()
        extensions = list(self._rules.extensions) if line[:4].upper() == "EHLO" else []
        if extensions and self._rules.tls is not None and not self._tls:
            extensions.append("STARTTLS")
        return Reply(250, "", "\n".join(["sink", *extensions]))

    def mail(self, line: str) -> Reply:
        if self._sender is not None:
            return Reply(503, "5.5.1", "nested MAIL")
        self._sender = _path(line)
        return Reply(250, "2.1.0", "sender ok")

    def rcpt(self, line: str) -> Reply:
        if self._sender is None:
            return Reply(503, "5.5.1", "MAIL first")
        recipient = _path(line)
        if refusal := self._sink.judge(recipient):
            return refusal
        self._recipients.append(recipient)
        return Reply(250, "2.1.5", "recipient ok")

    def data(self, _line: str) -> Reply:
        if not self._recipients:
            return Reply(503, "5.5.1", "RCPT first")
        self._in_body = True
        return Reply(354, "", "go ahead")

    def start_tls(self, _line: str) -> Reply:
        if self._rules.tls is None or self._tls:
            return Reply(502, "5.5.1", "not here")
        self._buffer.clear()
        self._upgrade = asyncio.get_running_loop().create_task(self._handshake(self._rules.tls))
        return Reply(220, "2.0.0", "go ahead")

    async def _handshake(self, context: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        try:
            encrypted = await loop.start_tls(self._transport, self, context, server_side=True)
        except OSError:  # a client that does not want our certificate
            self._transport.abort()
            return
        assert encrypted is not None
        self._transport = encrypted
        self._tls = str(encrypted.get_extra_info("cipher")[1])
        self.reset()
        self._upgrade = None
        self.data_received(b"")  # the first words may have come together with the end of the handshake

    def quit(self, _line: str) -> Reply:
        self._ending = True
        return Reply(221, "2.0.0", "bye")

    def noop(self, _line: str) -> Reply:
        return OK

    def _say(self, reply: Reply) -> None:
        self._transport.write(_line(reply))


_COMMANDS: dict[str, Callable[[_Connection, str], Reply]] = {
    "EHLO": _Connection.hello,
    "HELO": _Connection.hello,
    "MAIL": _Connection.mail,
    "RCPT": _Connection.rcpt,
    "DATA": _Connection.data,
    "RSET": _Connection.reset,
    "NOOP": _Connection.noop,
    "QUIT": _Connection.quit,
    "STAR": _Connection.start_tls,
}


def _unknown(_connection: _Connection, _line: str) -> Reply:
    return Reply(500, "5.5.2", "unknown command")


def _path(line: str) -> str:
    return line.partition("<")[2].rpartition(">")[0]


def _line(reply: Reply) -> bytes:
    """RFC 5321 4.2.1: every line but the last has a hyphen behind the code."""
    status = f"{reply.status} " if reply.status else ""
    lines = [f"{reply.code}-{status}{text}" for text in reply.text.split("\n")]
    lines[-1] = lines[-1][:3] + " " + lines[-1][4:]
    return ("\r\n".join(lines) + "\r\n").encode()


def _without_body(message: SinkMessage) -> SinkMessage:
    return structs.replace(message, body=b"")
