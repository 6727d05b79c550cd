"""The server's side of weakforced's API, which is Dovecot's auth-policy protocol too: JSON over HTTP/1.1.

As much of HTTP as these clients speak: a length is said, nothing is chunked or compressed, one question at a
time on a connection that stays open.
"""

import binascii
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

HEAD_OCTETS = 16 * 1024
BODY_OCTETS = 64 * 1024
"""Dovecot's questions have some 400 bytes."""

_LINE = re.compile(r"(GET|POST|HEAD) (/[!-~]{0,2000}|/) HTTP/1\.([01])")
_LENGTH = re.compile(r"[0-9]{1,9}")
_COMMAND = re.compile(r"[A-Za-z]{1,40}")

REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 500: "Internal Server Error"}


class Said(Struct, frozen=True):
    """What a command may bring; what is missing is empty, as weakforced has it."""

    login: str = ""
    remote: str = ""
    pwhash: str = ""
    protocol: str = ""
    tls: bool = False
    device_id: str = ""
    session_id: str = ""
    success: bool = False
    policy_reject: bool = False
    fail_type: str = ""
    ip: str = ""
    netmask: str = ""
    ja3: str = ""
    reason: str = ""
    expire_secs: int = 0


class Command(Struct, frozen=True):
    """`password`: of HTTP Basic, whatever the user's name; None without one. `said` is None for what is no
    object of JSON with fields of the right type.
    """

    name: str
    password: bytes | None
    said: Said | None


class WforceServer:
    """`receive` gives one command at a time; it is owed one `reply` before the next is taken."""

    __slots__ = ("_buffer", "_out", "_stays", "closed")

    def __init__(self) -> None:
        self._buffer = b""
        self._out: list[bytes] = []
        self._stays = True
        self.closed = False

    def receive(self, data: bytes) -> Iterator[Command]:
        self._buffer += data
        while not self.closed and (command := self._next()) is not None:
            yield command

    def reply(self, status: int, content: Any) -> None:
        """`content`: an object for JSON, or text."""
        plain = isinstance(content, str)
        body = content.encode() if plain else msgspec.json.encode(content)
        kind = "text/plain; version=0.0.4" if plain else "application/json"
        lines = [f"HTTP/1.1 {status} {REASONS[status]}"]
        lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
        if status == 401:
            lines.append('WWW-Authenticate: basic realm="wforce"')
        lines.append("Connection: keep-alive" if self._stays else "Connection: close")
        self._out.append("\r\n".join([*lines, "", ""]).encode("ascii") + body)
        self.closed = self.closed or not self._stays

    def take(self) -> bytes:
        out, self._out = self._out, []
        return b"".join(out)

    def _next(self) -> Command | None:
        end = self._buffer.find(b"\r\n\r\n")
        if (len(self._buffer) if end < 0 else end) > HEAD_OCTETS:
            self._refuse()
        if end < 0 or self.closed:
            return None
        line, fields = _head(self._buffer[:end])
        match = _LINE.fullmatch(line)
        length = fields.get("content-length", "0")
        if match is None or "transfer-encoding" in fields or not _LENGTH.fullmatch(length):
            self._refuse()
            return None
        if int(length) > BODY_OCTETS:
            self._refuse()
            return None
        start = end + 4
        if len(self._buffer) < start + int(length):
            return None
        body = self._buffer[start : start + int(length)]
        self._buffer = self._buffer[start + int(length) :]
        self._stays = match[3] == "1" and fields.get("connection", "").lower() != "close"
        return Command(_name(match[2]), _password(fields.get("authorization", "")), _said(body))

    def _refuse(self) -> None:
        """Where a request ends cannot be known any more."""
        self._stays = False
        self.reply(400, {"status": "failure", "reason": "this is no request that is understood here"})
        self._buffer = b""


def _head(data: bytes) -> tuple[str, dict[str, str]]:
    """The request line; the fields by name. One that comes twice is joined (RFC 9110 5.3)."""
    line, *rest = data.decode("latin-1").split("\r\n")
    fields: dict[str, str] = {}
    for each in rest:
        name, _, value = each.partition(":")
        key = name.lower()
        fields[key] = f"{fields[key]}, {value.strip()}" if key in fields else value.strip()
    return line, fields


def _name(target: str) -> str:
    """`/command/NAME`, `/?command=NAME` as Dovecot has it, or `/NAME`; "" for what is none."""
    path, _, query = target.partition("?")
    for pair in query.split("&"):
        key, _, value = pair.partition("=")
        if key == "command" and _COMMAND.fullmatch(value):
            return value
    name = path.removeprefix("/").removeprefix("command/")
    return name if _COMMAND.fullmatch(name) else ""


def _password(field: str) -> bytes | None:
    scheme, _, value = field.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = binascii.a2b_base64(value.strip(), strict_mode=True)
    except (binascii.Error, ValueError):
        return None
    _, colon, password = decoded.partition(b":")
    return password if colon else None


def _said(body: bytes) -> Said | None:
    if not body:
        return Said()
    try:
        return msgspec.json.decode(body, type=Said)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
