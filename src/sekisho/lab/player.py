"""A mail client for the demo (RFC 5321, 3207, 4954): customers and bots call with it, from claimed addresses.

It shares no code with `wire`, so the demo is a conversation between strangers. The address is claimed by a
PROXY header, over the demo's private socket.
"""

import asyncio
import base64
import ssl
from typing import Literal

from msgspec import Struct

from sekisho.model.secret import Secret
from sekisho.model.verdict import Reply

ANSWER_S = 30
"""Longest wait for a reply: the demo's server is next door."""

NAMED_RECIPIENTS = 10
"""A letter to more is addressed to nobody in its To field."""


class Paper(Struct, frozen=True):
    """A letter as the client has it; `token` is unique, stands as Message-ID and is looked for afterwards."""

    token: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str = "Hello."

    def wire(self) -> bytes:
        """With every leading dot doubled (RFC 5321 4.5.2), without the final one."""
        many = len(self.recipients) > NAMED_RECIPIENTS
        fields = (
            f"From: <{self.sender}>",
            f"To: {'undisclosed-recipients:;' if many else ', '.join(self.recipients)}",
            f"Subject: {self.subject}",
            f"Message-ID: <{self.token}>",
        )
        lines = [*fields, "", *self.text.split("\n")]
        return "".join(("." + line if line.startswith(".") else line) + "\r\n" for line in lines).encode()


class Doorway(Struct, frozen=True):
    """Where to call: a unix socket that takes PROXY headers, or host and port; TLS must fit `hostname`."""

    path: str = ""
    host: str = ""
    port: int = 0
    hostname: str = "localhost"
    authority: str = ""


class Caller(Struct, frozen=True):
    """Who calls: the address is claimed at the private socket only; without an account nobody logs in."""

    address: str
    hello: str
    account: str = ""
    password: Secret | None = None


Ending = Literal["sent", "login refused", "cut off"]


class Call(Struct):
    """How a call went. `accepted` has the server's message ids by the letters' tokens."""

    ending: Ending = "sent"
    accepted: dict[str, str] = {}
    refused: list[tuple[str, Reply]] = []
    login: Reply | None = None


class HungUp(Exception):
    """The server closed the connection or said nothing for too long."""


async def call(doorway: Doorway, caller: Caller, papers: tuple[Paper, ...]) -> Call:
    """One session: greeting, TLS, login where there is an account, the letters, QUIT."""
    told = Call(accepted={}, refused=[])
    line = _Line(doorway, caller)
    try:
        await line.open()
        if caller.account and not await _login(line, caller, told):
            return told
        for paper in papers:
            await _send(line, paper, told)
        await line.say("QUIT")
    except HungUp:
        told.ending = "cut off"
    finally:
        line.close()
    return told


async def _login(line: "_Line", caller: Caller, told: Call) -> bool:
    """RFC 4616: an empty authorization identity, the account, the password."""
    assert caller.password is not None
    secret = b"\0" + caller.account.encode() + b"\0" + caller.password.reveal()
    told.login = await line.say("AUTH PLAIN " + base64.b64encode(secret).decode())
    if not told.login.positive:
        told.ending = "login refused"
    return told.login.positive


async def _send(line: "_Line", paper: Paper, told: Call) -> None:
    """One transaction; what is refused is noted with the reply."""
    answer = await line.say(f"MAIL FROM:<{paper.sender}>")
    if not answer.positive:
        told.refused += [(recipient, answer) for recipient in paper.recipients]
        return
    welcome = 0
    for recipient in paper.recipients:
        answer = await line.say(f"RCPT TO:<{recipient}>")
        welcome += answer.positive
        if not answer.positive:
            told.refused.append((recipient, answer))
    if not welcome:
        await line.say("RSET")
        return
    answer = await line.say("DATA")
    if answer.code == 354:
        answer = await line.say_raw(paper.wire() + b".\r\n")
    if answer.positive:
        told.accepted[paper.token] = answer.text.rpartition(" ")[2]
    else:
        told.refused += [(recipient, answer) for recipient in paper.recipients]


class _Line:
    """The connection: says a line, gives the reply."""

    def __init__(self, doorway: Doorway, caller: Caller) -> None:
        self._doorway = doorway
        self._caller = caller
        self._reader = asyncio.StreamReader()
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        doorway = self._doorway
        try:
            if doorway.path:
                self._reader, self._writer = await asyncio.open_unix_connection(doorway.path)
                self._writer.write(_claim(self._caller.address))
            else:
                self._reader, self._writer = await asyncio.open_connection(doorway.host, doorway.port)
        except OSError as error:
            raise HungUp from error
        await self._reply()
        await self.say(f"EHLO {self._caller.hello}")
        if self._caller.account:
            await self._encrypt(self._writer)

    async def _encrypt(self, writer: asyncio.StreamWriter) -> None:
        """The certificate is verified: the demo's own is the only authority."""
        if not (await self.say("STARTTLS")).positive:
            raise HungUp
        context = ssl.create_default_context(cafile=self._doorway.authority)
        try:
            await writer.start_tls(context, server_hostname=self._doorway.hostname)
        except OSError as error:
            raise HungUp from error
        await self.say(f"EHLO {self._caller.hello}")

    async def say(self, line: str) -> Reply:
        return await self.say_raw(line.encode() + b"\r\n")

    async def say_raw(self, data: bytes) -> Reply:
        assert self._writer is not None
        self._writer.write(data)
        return await self._reply()

    async def _reply(self) -> Reply:
        """RFC 5321 4.2.1: lines with a hyphen, then one without."""
        texts = []
        while True:
            raw = await self._read_line()
            texts.append(raw[4:])
            if raw[3:4] != "-":
                break
        if not raw[:3].isdecimal():
            raise HungUp
        status, _, rest = texts[-1].partition(" ")
        enhanced = status.replace(".", "").isdecimal() and status.count(".") == 2
        reply = Reply(int(raw[:3]), status if enhanced else "", rest if enhanced else texts[-1])
        if reply.code == 421:
            raise HungUp
        return reply

    async def _read_line(self) -> str:
        try:
            raw = await asyncio.wait_for(self._reader.readline(), ANSWER_S)
        except (OSError, ValueError, TimeoutError) as error:
            raise HungUp from error
        if not raw.endswith(b"\n"):
            raise HungUp
        return raw.decode("utf-8", "replace").rstrip("\r\n")

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _claim(address: str) -> bytes:
    """The PROXY header, version 1; the destination is a documentation address (RFC 5737, 3849)."""
    if ":" in address:
        return f"PROXY TCP6 {address} 2001:db8::25 40000 587\r\n".encode()
    return f"PROXY TCP4 {address} 192.0.2.25 40000 587\r\n".encode()
