"""Canonicalization (RFC 6376 3.4): the one form of a letter that is hashed, however it was folded on its way.

Every function is a few passes of C code; nothing goes line by line, and a body may come in parts.
"""

import hashlib
from collections.abc import Iterable, Iterator

FLUSH_LINES = 16 * 1024
"""Empty lines that are hashed at once."""

_TABS = bytes.maketrans(b"\t", b" ")


def relaxed_field(name: bytes, value: bytes) -> bytes:
    """Without its CRLF (RFC 6376 3.4.2)."""
    text = value.replace(b"\r\n", b"").translate(_TABS)
    return name.strip(b" \t").lower() + b":" + _single_spaced(text).strip(b" ")


def _single_spaced(text: bytes) -> bytes:
    """Each pass halves the longest run."""
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return text


class BodyHash:
    """SHA-256 of a body in one of the two forms, of its first `limit` bytes if there is a limit (l=).

    `size` is what the whole body has in this form; known after `finish`.
    """

    def __init__(self, form: bytes, limit: int | None = None) -> None:
        self.size = 0
        self._relaxed = form == b"relaxed"
        self._limit = limit
        self._hash = hashlib.sha256()
        self._rest = b""
        self._empty = 0

    def update(self, part: bytes) -> None:
        """The body's next bytes, not dot-stuffed."""
        data = self._rest + part if self._rest else part
        if self._relaxed:
            data = _single_spaced(data.translate(_TABS) if b"\t" in data else data)
        end = len(data) - data.endswith(b"\r")
        end -= self._relaxed and data.endswith(b" ", 0, end)
        self._rest, data = data[end:], data[:end] if end < len(data) else data
        if self._relaxed and b" \r\n" in data:
            data = data.replace(b" \r\n", b"\r\n")
        self._take(data)

    def finish(self) -> bytes:
        """The digest. A body that does not end in CRLF is hashed as if it did (RFC 6376 3.4.3)."""
        rest = self._rest
        if rest == b" " and self._relaxed:
            rest = b""
        if rest:
            self._take(rest)
        if self.size or not self._relaxed:
            self._feed(b"\r\n")
        return self._hash.digest()

    def _take(self, data: bytes) -> None:
        """Empty lines wait until something follows them: at the end they are nothing."""
        stripped = len(data.rstrip(b"\r\n"))
        kept = data[stripped:].replace(b"\r\n", b"\0").rstrip(b"\0").replace(b"\0", b"\r\n")
        end = stripped + len(kept)
        if end:
            for _ in range(self._empty // FLUSH_LINES):
                self._feed(b"\r\n" * FLUSH_LINES)
            self._feed(b"\r\n" * (self._empty % FLUSH_LINES))
            self._empty = 0
            self._feed(memoryview(data)[:end])
        self._empty += (len(data) - end) // 2

    def _feed(self, data: bytes | memoryview) -> None:
        left = len(data) if self._limit is None else max(0, self._limit - self.size)
        self._hash.update(data if left >= len(data) else data[:left])
        self.size += len(data)


def body_hash(body: bytes, form: bytes) -> bytes:
    hashed = BodyHash(form)
    hashed.update(body)
    return hashed.finish()


def unstuffed(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Letters are kept as on the wire, where a dot at the beginning of a line is doubled (RFC 5321 4.5.2)."""
    before = b"\r\n"
    for part in parts:
        data = before + part
        if b"\r\n." in data:
            yield data.replace(b"\r\n.", b"\r\n")[len(before) :]
        else:
            yield part
        before = data[-2:]
