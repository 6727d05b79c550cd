"""The server's side of Postfix's lookup protocols: socketmap (netstrings) and tcp_table (lines).

Both ask for a key in a table and hear what stands there, that nothing does, or that it cannot be said now.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from sekisho.model.text import printable

QUERY_OCTETS = 10_000
"""Longest question of socketmap (socketmap_table(5)); tcp_table's have 4096."""

ANSWER_OCTETS = 4000
"""Longest answer, which both protocols carry."""

_LENGTH = re.compile(rb"[0-9]{1,5}")
_ESCAPED = re.compile(r"%([0-9a-fA-F]{2})")


class Lookup(Struct, frozen=True):
    """`table` is "" where the protocol names none."""

    table: str
    key: str


class SocketmapServer:
    """`receive` gives one question at a time; it is owed `found`, `missing` or `later` before the next."""

    __slots__ = ("_buffer", "_out", "closed")

    def __init__(self) -> None:
        self._buffer = b""
        self._out: list[bytes] = []
        self.closed = False

    def receive(self, data: bytes) -> Iterator[Lookup]:
        self._buffer += data
        while not self.closed and (question := self._next()) is not None:
            yield question

    def found(self, value: str) -> None:
        self._say(f"OK {_one_line(value)}")

    def missing(self) -> None:
        self._say("NOTFOUND ")

    def later(self, why: str) -> None:
        self._say(f"TEMP {_one_line(why)}")

    def take(self) -> bytes:
        out, self._out = self._out, []
        return b"".join(out)

    def _say(self, text: str) -> None:
        data = text.encode("utf-8", "replace")
        self._out.append(b"%d:%b," % (len(data), data))

    def _next(self) -> Lookup | None:
        digits, colon, rest = self._buffer.partition(b":")
        if digits and (_LENGTH.fullmatch(digits) is None or int(digits) > QUERY_OCTETS):
            self._close()
        length = int(digits) if colon and digits and not self.closed else 0
        if not length or len(rest) <= length:
            self.closed = self.closed or bool(colon and not length)
            return None
        if rest[length : length + 1] != b",":
            self._close()
            return None
        self._buffer = rest[length + 1 :]
        table, _, key = rest[:length].decode("utf-8", "replace").partition(" ")
        return Lookup(printable(table, 100), printable(key))

    def _close(self) -> None:
        self.closed = True
        self._buffer = b""


class TcpTableServer:
    """The same for tcp_table(5): `get KEY`, both sides with %XX for what is not plain."""

    __slots__ = ("_buffer", "_out", "closed")

    def __init__(self) -> None:
        self._buffer = b""
        self._out: list[bytes] = []
        self.closed = False

    def receive(self, data: bytes) -> Iterator[Lookup]:
        self._buffer += data
        while not self.closed and (question := self._next()) is not None:
            yield question

    def found(self, value: str) -> None:
        self._say(200, value)

    def missing(self) -> None:
        self._say(500, "not found")

    def later(self, why: str) -> None:
        self._say(400, why)

    def take(self) -> bytes:
        out, self._out = self._out, []
        return b"".join(out)

    def _say(self, code: int, text: str) -> None:
        plain = "".join(map(_quoted, _one_line(text)))
        self._out.append(f"{code} {plain}\n".encode("ascii"))

    def _next(self) -> Lookup | None:
        line, newline, rest = self._buffer.partition(b"\n")
        verb, _, key = line.decode("latin-1").rstrip("\r").partition(" ")
        if len(line) > QUERY_OCTETS or (newline and verb.lower() != "get"):
            self.closed = True
        if not newline or self.closed:
            return None
        self._buffer = rest
        octets = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), key).encode("latin-1")
        return Lookup("", printable(octets))


def _quoted(char: str) -> str:
    if "!" <= char <= "~" and char != "%":
        return char
    return "".join(f"%{octet:02X}" for octet in char.encode("utf-8", "replace"))


def _one_line(text: str) -> str:
    return printable(text, ANSWER_OCTETS // 4)
