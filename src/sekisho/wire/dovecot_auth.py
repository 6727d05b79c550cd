"""The server's side of Dovecot's SASL protocol, as Postfix and Exim speak it: lines of fields with tabs.

All of our handshake stands in the first write, unasked and in this order: Exim says nothing before it has
read DONE, Postfix wants MECH before SPID.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from sekisho.model.secret import Secret
from sekisho.model.text import printable
from sekisho.wire.sasl import Challenge, Credentials, Exchange, Outcome

OFFERED = ("PLAIN", "LOGIN")
LINE_OCTETS = 8192
"""Longest line; Exim reads no longer ones either."""

OPEN_MOST = 16
"""Most exchanges of one client at once. Postfix has one, and does not say when it has given one up."""

_NUMBER = re.compile(r"[0-9]{1,10}")
_ESCAPED = re.compile(r"\x01(.)", re.DOTALL)
_ESCAPES = {"0": "\0", "1": "\1", "t": "\t", "r": "\r", "n": "\n"}
_UNSAFE = {ord(plain): "\1" + name for name, plain in _ESCAPES.items()}

Parameters = dict[str, str]


class Tried(Struct, frozen=True):
    """Somebody's name and password. `parameters`: what the asking server said of the client (rip, lip,
    service; a word without value is "").
    """

    number: str
    mechanism: str
    identity: str
    authorization: str
    password: Secret
    parameters: Parameters


class _Open(Struct):
    mechanism: str
    parameters: Parameters
    exchange: Exchange


class AuthServer:
    """`receive` gives one try at a time; it is owed `accept` or `fail` before the next is taken."""

    __slots__ = ("_buffer", "_open", "_out", "closed")

    def __init__(self, pid: int, connection: int, cookie: str) -> None:
        """`connection`: a number that no other has; `cookie`: 32 hexadecimal digits of chance."""
        mechanisms = "".join(f"MECH\t{name}\tplaintext\n" for name in OFFERED)
        handshake = f"VERSION\t1\t2\n{mechanisms}SPID\t{pid}\nCUID\t{connection}\nCOOKIE\t{cookie}\nDONE\n"
        self._out = [handshake]
        self._buffer = b""
        self._open: dict[str, _Open] = {}
        self.closed = False

    def receive(self, data: bytes) -> Iterator[Tried]:
        self._buffer += data
        while not self.closed and (line := self._line()) is not None:
            tried = self._heard([_unescaped(field) for field in line.split("\t")])
            if tried is not None:
                yield tried

    def accept(self, tried: Tried, user: str) -> None:
        self._out.append(f"OK\t{tried.number}\tuser={_escaped(user)}\n")

    def fail(self, number: str, reason: str = "") -> None:
        """Postfix shows the reason to the client, behind 535. A temporary failure cannot be said: hang up."""
        text = f"\treason={_escaped(printable(reason))}" if reason else ""
        self._out.append(f"FAIL\t{number}{text}\n")

    def close(self) -> None:
        self.closed = True
        self._buffer = b""
        self._open.clear()

    def take(self) -> bytes:
        out, self._out = self._out, []
        return "".join(out).encode("utf-8", "replace")

    def _line(self) -> str | None:
        end = self._buffer.find(b"\n")
        if (len(self._buffer) if end < 0 else end) > LINE_OCTETS:
            self.close()
            return None
        if end < 0:
            return None
        line, self._buffer = self._buffer[:end], self._buffer[end + 1 :]
        return line.decode("utf-8", "surrogateescape")

    def _heard(self, fields: list[str]) -> Tried | None:
        """A command that we do not know is for a later version of this protocol, and passed over."""
        match fields:
            case ["VERSION", major, *_] if major != "1":
                self.close()
            case ["AUTH", number, mechanism, *words] if _NUMBER.fullmatch(number):
                return self._begin(number, mechanism.upper(), words)
            case ["CONT", number, answer, *_] if number in self._open:
                return self._go_on(number, answer)
            case ["CANCEL", number, *_]:
                self._open.pop(number, None)
            case ["AUTH" | "CONT", *_]:
                self.close()
        return None

    def _begin(self, number: str, mechanism: str, words: list[str]) -> Tried | None:
        if mechanism not in OFFERED or number in self._open:
            self.fail(number)
            return None
        if len(self._open) >= OPEN_MOST:
            del self._open[next(iter(self._open))]
        parameters = {name: value for name, _, value in (word.partition("=") for word in words)}
        answer = parameters.pop("resp", None)
        given = _Open(mechanism, parameters, Exchange(mechanism))
        self._open[number] = given
        initial = b"" if answer is None else _octets(answer) or b"="  # "=" is an empty first answer
        return self._came(number, given, given.exchange.begin(initial))

    def _go_on(self, number: str, answer: str) -> Tried | None:
        given = self._open[number]
        return self._came(number, given, given.exchange.answer(_octets(answer)))

    def _came(self, number: str, given: _Open, outcome: Outcome) -> Tried | None:
        if isinstance(outcome, Challenge):
            self._out.append(f"CONT\t{number}\t{outcome.text}\n")
            return None
        del self._open[number]
        if not isinstance(outcome, Credentials):
            self.fail(number)
            return None
        return Tried(
            number,
            given.mechanism,
            outcome.identity,
            outcome.authorization,
            outcome.password,
            {printable(name, 100): printable(value) for name, value in given.parameters.items()},
        )


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _escaped(text: str) -> str:
    return text.translate(_UNSAFE)


def _unescaped(field: str) -> str:
    return _ESCAPED.sub(lambda match: _ESCAPES.get(match[1], match[1]), field) if "\1" in field else field
