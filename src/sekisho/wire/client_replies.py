"""Reads a server's replies: bytes in, Replies out (RFC 5321 4.2, RFC 3463, RFC 2034).

Lines may end in LF alone: a reply is compared by its code only, so no second reader can be misled by it.
Everything else that is not a reply is a BadReply, and a server that talks without end is a bad server.
"""

import re

from msgspec import Struct

from sekisho.model.text import printable
from sekisho.model.verdict import Reply

LINE_BYTES = 2048
"""Longest line of a reply; RFC 5321 4.5.3.1.5 allows 512."""

LINES_MAX = 200
"""Most lines of one reply: an EHLO of the most talkative server has about 30."""

LINES_KEPT = 100
"""Lines of a reply that are kept. The rest are read and forgotten."""

_SHAPE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
_STATUS = re.compile(rb"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:[ \t]+|$)")
_QMAIL_STATUS = re.compile(rb"\(#([245]\.[0-9]{1,3}\.[0-9]{1,3})\)[ \t]*$")
"""netqmail and its kin put the status last: `sorry, no mailbox here by that name. (#5.1.1)`."""


class BadReply(Exception):
    """What arrived is no SMTP reply; `why` in a few words of English."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Said(Struct, frozen=True):
    """One whole reply as it came; `lines` without code and line ends."""

    code: int
    lines: tuple[bytes, ...]

    @property
    def kind(self) -> int:
        """RFC 5321 4.3.2: the first digit, by which a client acts."""
        return self.code // 100

    def reply(self) -> Reply:
        """The reply as it is kept: one line of harmless text, with the enhanced status apart."""
        status = self._status()
        texts = [_behind_status(line) for line in self.lines] if status else self.lines
        return Reply(self.code, status, printable(b" ".join(line.strip() for line in texts)))

    def _status(self) -> str:
        """RFC 2034 4: the class of the status is the first digit of the code; another one is not believed."""
        found = _STATUS.match(self.lines[0]) or _QMAIL_STATUS.search(self.lines[-1])
        status = found[1].decode("ascii") if found else ""
        return status if status.startswith(str(self.kind)) else ""


def _behind_status(line: bytes) -> bytes:
    found = _STATUS.match(line)
    return line[found.end() :] if found else line


class ReplyReader:
    """Fed with what arrives; `next` gives one whole reply after another."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._code = 0
        self._lines: list[bytes] = []
        self._count = 0

    def feed(self, data: bytes) -> None:
        self._buffer += data

    @property
    def empty(self) -> bool:
        """Nothing has arrived beyond the replies already given."""
        return not self._buffer and not self._count

    def next(self) -> Said | None:
        """The next whole reply, or None until more bytes come. Raises BadReply."""
        while (line := self._line()) is not None:
            if said := self._add(line):
                return said
        return None

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\n", 0, LINE_BYTES)
        if end < 0:
            if len(self._buffer) >= LINE_BYTES:
                raise BadReply("line too long")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")

    def _add(self, line: bytes) -> Said | None:
        match = _SHAPE.fullmatch(line)
        if match is None:
            raise BadReply(f"not a reply: {printable(line, 60)}")
        code = int(match[1])
        if self._count and code != self._code:  # RFC 5321 4.2.1
            raise BadReply(f"reply of two codes: {self._code} and {code}")
        self._code = code
        self._count += 1
        if self._count > LINES_MAX:
            raise BadReply("reply without end")
        if self._count <= LINES_KEPT:
            self._lines.append(match[3] or b"")
        if match[2] == b"-":
            return None
        said = Said(code, tuple(self._lines))
        self._lines, self._count = [], 0
        return said
