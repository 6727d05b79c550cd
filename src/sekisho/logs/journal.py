"""systemd's journal as `journalctl -o json` and `-o export` print it, turned into the lines of a log file.

Each entry becomes one line behind an RFC 3339 stamp; the newlines that an entry took stay, so that evidence
still names the line where its entry begins. Of a message of several lines only the first is read, so that no
newline in it begins a line. `-o short` and its kin are log lines already.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

Kind = Literal["", "json", "export"]

ENTRY_MAX = 4 * 1024 * 1024
"""A longer entry is no mail server's: it is given up."""

_NAME = re.compile(r"[\w./@+:-]{1,128}")
_STAMP = "__REALTIME_TIMESTAMP"
_WANTED = frozenset({_STAMP, "_HOSTNAME", "SYSLOG_IDENTIFIER", "_COMM", "SYSLOG_PID", "_PID", "MESSAGE"})
_EXPORT = re.compile(rb"\n(?:__CURSOR|__REALTIME_TIMESTAMP)=")
_JSON = re.compile(rb"\n\{[^\n]*\"__REALTIME_TIMESTAMP\" ?: ?\"\d")
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def kind_of(sample: bytes) -> Kind:
    """By how it begins; `sample` begins with a newline."""
    if _EXPORT.match(sample):
        return "export"
    return "json" if _JSON.match(sample) else ""


def as_lines(kind: Kind, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Blocks as they were, or those of a journal as lines. A block begins with a newline."""
    if kind == "json":
        return (b"\n" + b"\n".join(map(_from_json, block.split(b"\n")[1:])) for block in blocks)
    return _exported(blocks) if kind == "export" else iter(blocks)


def _from_json(line: bytes) -> bytes:
    try:
        fields = _decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return line
    return _line({name: _text(value) for name, value in fields.items() if name in _WANTED})


def _text(value: object) -> str:
    """A value that is no UTF-8 is a list of its bytes; of one that occurs several times the first counts."""
    if isinstance(value, list):
        if value and all(isinstance(one, int) and 0 <= one < 256 for one in value):
            return bytes(value).decode("utf-8", "surrogateescape")
        return _text(value[0]) if value else ""
    return value if isinstance(value, str) else ""


def _line(fields: dict[str, str]) -> bytes:
    stamp = fields.get(_STAMP, "")
    if not stamp.isascii() or not stamp.isdecimal() or len(stamp) > 17 or "MESSAGE" not in fields:
        return b""
    at = int(stamp)
    when = datetime.fromtimestamp(at // 1_000_000, UTC).replace(microsecond=at % 1_000_000)
    host = _name(fields.get("_HOSTNAME", ""))
    program = _name(fields.get("SYSLOG_IDENTIFIER") or fields.get("_COMM", ""))
    pid = fields.get("SYSLOG_PID") or fields.get("_PID", "")
    number = f"[{pid}]" if pid.isascii() and pid.isdecimal() else ""
    said = fields["MESSAGE"].partition("\n")[0].replace("\r", " ")
    line = f"{when.isoformat(timespec='microseconds')} {host} {program}{number}: {said}"
    return line.encode("utf-8", "surrogateescape")


def _name(text: str) -> str:
    """A host or a program; what could imitate the text behind it is neither."""
    return text if _NAME.fullmatch(text) and not text.endswith(":") else "unknown"


def _exported(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Entries end with an empty line; a value may be binary, with its length before it."""
    held = b""
    for block in blocks:
        held += block[1:] + b"\n"
        done, lines = 0, []
        while (entry := _entry(held, done)) is not None:
            fields, end = entry
            lines.append(_line(fields) + b"\n" * (held.count(b"\n", done, end) - 1))
            done = end
        held = held[done:]
        if len(held) > ENTRY_MAX:
            held = b""
        if lines:
            yield b"\n" + b"\n".join(lines)
    last = _entry(held + b"\n", 0) if held else None
    if last is not None:
        yield b"\n" + _line(last[0])


def _entry(text: bytes, start: int) -> tuple[dict[str, str], int] | None:
    """The fields of the entry that begins there, and where it ends; None if it is not whole yet."""
    fields: dict[str, str] = {}
    while True:
        end = text.find(b"\n", start)
        if end < 0:
            return None
        if end == start:
            return fields, end + 1
        name, sign, value = text[start:end].partition(b"=")
        if not sign:
            length = int.from_bytes(text[end + 1 : end + 9], "little")
            begin, end = end + 9, end + 9 + length
            if length > ENTRY_MAX or end >= len(text):
                return None
            value = text[begin:end]
        key = name.decode("ascii", "replace")
        if key in _WANTED:
            fields.setdefault(key, value.decode("utf-8", "surrogateescape"))
        start = end + 1
