r"""SMTP dialogues as text: read here, and played on the server machine or on a live server.

    # A comment. Directions stand behind two dashes, before the dialogue or within it.
    -- listener submission          smtp (if nothing is said), submission, submissions, lmtp or qmail
    S: 220 mx.example.com ...       a line of the server's; "..." stands for any text
    C: EHLO client.example          a line of the client's; CR LF is added
    S: 250*                         a whole reply of this code, however many lines
    C: STARTTLS
    S: 220 ...
    -- tls                          the client starts the handshake here
    C: AUTH PLAIN {base64:\0alice@example.com\0correct horse}
    S: 235 ...

Lines of the client that follow each other are sent in one write. `B:` sends bytes as they are, without a
line's end. Both know \r \n \0 \\ \xHH, {base64:text} and {3000 x text}. Further directions: `closed` (the
server must have closed), `quiet` (it must say nothing), `silence` (the client is silent for too long),
`uncut` (what is sent in one write must arrive in one piece), `machine` (not for live servers), `size 1000`
(the limit of a message).

The cast of all dialogues: mx.example.com serves example.com, where alice, bob and postmaster live and nobody
else; alice's password is "correct horse".
"""

import base64
import re
from collections.abc import Callable
from typing import Literal, Protocol

from msgspec import Struct

from sekisho.model.text import printable

Listener = Literal["smtp", "submission", "submissions", "lmtp", "qmail"]
SIZE_LIMIT = 50 * 1024 * 1024


class Send(Struct, frozen=True):
    line: int
    data: bytes


class Expect(Struct, frozen=True):
    line: int
    pattern: str


class Direction(Struct, frozen=True):
    line: int
    what: str


Turn = Send | Expect | Direction


class Dialogue(Struct, frozen=True):
    """`uncut` and `machine_only`: how it may be played; `size_limit`: what the server must be set to."""

    name: str
    turns: tuple[Turn, ...]
    listener: Listener = "smtp"
    size_limit: int = SIZE_LIMIT
    uncut: bool = False
    machine_only: bool = False


class Mismatch(AssertionError):
    """The server said or did something else. The text names the line and shows what went before."""


class Peer(Protocol):
    """A server under test, from the client's side of the wire."""

    def send(self, data: bytes) -> None: ...

    def line(self) -> bytes | None:
        """The next line of the server without its end; None when it has closed, or says nothing more."""

    def closed(self) -> bool:
        """Whether the server has closed and everything it said has been read."""

    def quiet(self) -> bool: ...

    def start_tls(self) -> None: ...

    def silence(self) -> None: ...


class NotPlayable(Exception):
    """This peer cannot do what a direction wants."""


def read_dialogue(text: str, name: str = "") -> Dialogue:
    """Raises ValueError, with the line's number, for a line that is none."""
    settings: dict[str, str] = {}
    turns: list[Turn] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("-- ") and (setting := _setting(line[3:])):
            settings.update([setting])
        else:
            turns.append(_turn(number, line, name))
    return Dialogue(
        name=name,
        turns=tuple(_joined(turns)),
        listener=_listener(settings.get("listener", "smtp")),
        size_limit=int(settings.get("size", SIZE_LIMIT)),
        uncut="uncut" in settings,
        machine_only="machine" in settings,
    )


def play(dialogue: Dialogue, peer: Peer) -> str:
    """Plays to the end and returns the transcript; raises Mismatch where the server leaves the text."""
    transcript: list[str] = []
    for turn in dialogue.turns:
        trouble = _PLAYERS[type(turn)](turn, peer, transcript)
        if trouble:
            said = "\n    ".join(transcript)
            raise Mismatch(f"{dialogue.name}:{turn.line}: {trouble}, after\n    {said}")
    return "\n".join(transcript)


def _send(turn: Turn, peer: Peer, transcript: list[str]) -> str:
    assert isinstance(turn, Send)
    transcript.append(f"C: {printable(turn.data)}")
    peer.send(turn.data)
    return ""


def _expect(turn: Turn, peer: Peer, transcript: list[str]) -> str:
    assert isinstance(turn, Expect)
    whole = re.fullmatch(r"(\d{3})\*", turn.pattern)
    words = map(re.escape, turn.pattern.split("..."))
    pattern = re.compile(rf"{whole[1]}[ -].*" if whole else ".*".join(words))
    while True:
        line = peer.line()
        if line is None:
            silence = "it closed" if peer.closed() else "it said nothing"
            return f"expected {turn.pattern!r}, but {silence}"
        transcript.append(f"S: {printable(line)}")
        if pattern.fullmatch(line.decode("ascii", "replace")) is None:
            return f"expected {turn.pattern!r}, got {printable(line)!r}"
        if not whole or line[3:4] == b" ":
            return ""


def _direct(turn: Turn, peer: Peer, transcript: list[str]) -> str:
    assert isinstance(turn, Direction)
    transcript.append(f"-- {turn.what}")
    match turn.what:
        case "tls":
            peer.start_tls()
        case "silence":
            peer.silence()
        case "closed":
            return "" if peer.closed() else "the server has not closed"
        case "quiet":
            return "" if peer.quiet() else "the server said something"
    return ""


_PLAYERS: dict[type[Turn], Callable[[Turn, Peer, list[str]], str]] = {
    Send: _send,
    Expect: _expect,
    Direction: _direct,
}
_DIRECTIONS = frozenset({"tls", "silence", "closed", "quiet"})
_SETTING = re.compile(r"(listener|size|uncut|machine)(?: +(\S+))?")


def _setting(text: str) -> tuple[str, str] | None:
    found = _SETTING.fullmatch(text.strip())
    return None if found is None else (found[1], found[2] or "")


def _listener(name: str) -> Listener:
    match name:
        case "smtp" | "submission" | "submissions" | "lmtp" | "qmail":
            return name
    raise ValueError(f"no such listener: {name}")


def _turn(number: int, line: str, name: str) -> Turn:
    kind, text = line[:3], line[3:]
    match kind:
        case "C: ":
            return Send(number, _bytes(text) + b"\r\n")
        case "B: ":
            return Send(number, _bytes(text))
        case "S: ":
            return Expect(number, text)
        case "-- " if text.strip() in _DIRECTIONS:
            return Direction(number, text.strip())
    if line == "C:":
        return Send(number, b"\r\n")
    raise ValueError(f"{name}:{number}: not a line of a dialogue: {line}")


def _joined(turns: list[Turn]) -> list[Turn]:
    """Neighbouring lines of the client become one write."""
    out: list[Turn] = []
    for turn in turns:
        last = out[-1] if out else None
        if isinstance(turn, Send) and isinstance(last, Send):
            out[-1] = Send(last.line, last.data + turn.data)
        else:
            out.append(turn)
    return out


_SPECIAL = re.compile(
    rb"\\(?:x[0-9A-Fa-f]{2}|[rn0\\])|\{base64:((?:[^{}]|\{[^{}]*\})*)\}|\{(\d+) x ([^}]+)\}"
)
_ESCAPES = {b"\\r": b"\r", b"\\n": b"\n", b"\\0": b"\0", b"\\\\": b"\\"}


def _bytes(text: str) -> bytes:
    return _SPECIAL.sub(_expanded, text.encode())


def _expanded(found: re.Match[bytes]) -> bytes:
    if found[1] is not None:
        return base64.b64encode(_SPECIAL.sub(_expanded, found[1]))
    if found[2] is not None:
        return int(found[2]) * _SPECIAL.sub(_expanded, found[3])
    return _ESCAPES.get(found[0]) or bytes([int(found[0][2:], 16)])
