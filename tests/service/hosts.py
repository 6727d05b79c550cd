"""Other people's mail servers for the tests of remote delivery: peers of the fake net, and letters to send
them.
"""

import asyncio
from collections.abc import Callable, Mapping

from sekisho.model.config import Config, Outbound
from sekisho.model.delivery import Delivery, Kind, Outcome, Route, Tls
from sekisho.model.envelope import Envelope, Message, Origin
from sekisho.model.letter import Letter
from sekisho.queue.places import Full
from sekisho.service.remote import RemoteCarrier
from sekisho.testing.net import HungUp

Answer = bytes | None | Callable[[str], bytes | None]
"""What is said to a command: words, b"" for silence from then on, None for a reset, or what a function
says.
"""

BODY = b"Subject: hello\r\n\r\nhello\r\n"
EHLO = b"250-mx\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 1000000\r\n"
ORDINARY: Mapping[str, Answer] = {
    "greeting": b"220 mx ESMTP\r\n",
    "EHLO": EHLO,
    "HELO": b"250 mx\r\n",
    "MAIL": b"250 2.1.0 sender ok\r\n",
    "RCPT": b"250 2.1.5 recipient ok\r\n",
    "DATA": b"354 go ahead\r\n",
    "dot": b"250 2.0.0 taken\r\n",
    "RSET": b"250 ok\r\n",
    "QUIT": b"221 bye\r\n",
}


class Host:
    """A peer that behaves ordinarily but for the answers given. Keeps what it heard and what it took."""

    def __init__(self, log: list[str] | None = None, **answers: Answer) -> None:
        self.answers = {**ORDINARY, **answers}
        self.log = log if log is not None else []
        self.taken: list[bytes] = []
        self._buffer = b""
        self._in_body = False
        self._mute = False

    def greeting(self) -> bytes:
        return self._say("greeting", "")

    def receive(self, data: bytes) -> bytes:
        self._buffer += data
        out = b""
        while (answer := self._next()) is not None:
            out += answer
        return out

    def _next(self) -> bytes | None:
        if self._in_body:
            return self._body()
        line, found, rest = self._buffer.partition(b"\r\n")
        if not found:
            return None
        self._buffer = rest
        self.log.append(line.decode())
        verb = line[:4].upper().decode() if line[:8].upper() != b"STARTTLS" else "STARTTLS"
        answer = self._say(verb, line.decode())
        self._in_body = verb == "DATA" and answer.startswith(b"354")
        return answer

    def _body(self) -> bytes | None:
        if self._buffer.startswith(b".\r\n"):
            body, rest = b"", self._buffer[3:]
        else:
            start, found, rest = self._buffer.partition(b"\r\n.\r\n")
            if not found:
                return None
            body = start + b"\r\n"
        self._buffer, self._in_body = rest, False
        answer = self._say("dot", "")
        if answer.startswith(b"2"):
            self.taken.append(body)
        return answer

    def _say(self, verb: str, line: str) -> bytes:
        answer = self.answers.get(verb, b"500 what?\r\n")
        words = answer(line) if callable(answer) else answer
        if words is None:
            raise HungUp
        self._mute = self._mute or not words
        return b"" if self._mute else words


def config(**outbound: object) -> Config:
    return Config(hostname="me.example", outbound=Outbound(**outbound))  # type: ignore[arg-type]


def mx_route(domain: str, tls: Tls = Tls.OPPORTUNISTIC) -> Route:
    return Route(Kind.MX, domain, f"mx:{domain}", tls=tls)


def relay_route(host: str, tls: Tls = Tls.OPPORTUNISTIC, credentials: str = "") -> Route:
    return Route(Kind.RELAY, host, f"relay:{host}", tls=tls, credentials=credentials)


def deliveries(route: Route, *recipients: str) -> tuple[Delivery, ...]:
    return tuple(Delivery(recipient, "m1", recipient, route, 0, 0, 1) for recipient in recipients)


def letter(
    body: bytes = BODY, sender: str | None = "a@me.example", head: bytes = b"Received: x\r\n"
) -> Letter:
    envelope = Envelope(sender, (), Origin("s", "submission", 0))
    return Letter(Message("m1", len(body), ""), envelope, head, (body,))


async def carry_in_turn(
    carrier: RemoteCarrier, batch: tuple[Delivery, ...], given: Letter, pause_s: float
) -> Mapping[str, Outcome | Full]:
    """As the queue does it: who finds no place comes again."""
    while True:
        ends = await carrier.carry(batch, given)
        if not any(isinstance(end, Full) for end in ends.values()):
            return ends
        await asyncio.sleep(pause_s)


def told(outcomes: Mapping[str, Outcome | Full]) -> dict[str, tuple[str, int, str]]:
    """By recipient: delivered, deferred or failed, with code and cause."""
    return {
        recipient: (type(end).__name__.lower(), end.reply.code, getattr(end, "cause", ""))
        for recipient, end in outcomes.items()
        if not isinstance(end, Full)
    }
