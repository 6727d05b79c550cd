"""Content in chunks of announced length (BDAT, RFC 3030), handed on in the form that DATA gives it.

The length alone says where a chunk ends, so nothing in it is ever read as a command; and nothing is: what
belongs to a chunk that was refused is read and forgotten. A length that cannot be known ends the session. In
everything else the rules are those of `body.py`: a bare CR, a bare LF or a NUL has the message refused. What
is handed on has its dots doubled and ends with a line's end, as whoever passes it on by DATA would write it.
"""

import re

from sekisho.model.verdict import Reply
from sekisho.wire import replies
from sekisho.wire.body import Content

CHUNK_OCTETS = 2**31
"""No honest chunk is as long; a longer one is not even read to be forgotten."""

_CHUNK = re.compile(rb"([0-9]{1,20})(?: +(LAST))?", re.IGNORECASE)


def parse_chunk(argument: bytes) -> tuple[int, bool] | Reply:
    """How many octets follow, and whether they are the last."""
    found = _CHUNK.fullmatch(argument)
    if found is None:
        return replies.CHUNK_SYNTAX
    octets = int(found[1])
    return replies.TOO_BIG if octets > CHUNK_OCTETS else (octets, found[2] is not None)


class Chunks(Content):
    """One message: `begin` each chunk, then `feed` it until it hands back what follows."""

    __slots__ = ("_announced", "_fresh", "_held", "_last")

    def __init__(self, size_limit: int) -> None:
        super().__init__(size_limit)
        self._announced = 0
        self._last = False
        self._fresh = True  # a line begins here
        self._held = b""  # a CR whose LF has not come yet

    def begin(self, octets: int, *, last: bool) -> None:
        self._announced = self.left = octets
        self._last = last

    def answer(self) -> Reply | None:
        """A message with a flaw is over at once: what else belongs to it has no transaction any more."""
        if self._last or self.flaw is not None:
            return None
        return Reply(250, "2.0.0", f"{self._announced} octets received")  # RFC 3030 2

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """The next part of the content, and what followed the chunk: None while it has not ended."""
        taken = data[: self.left]
        self.left -= len(taken)
        whole = self._held + taken
        ends = self._last and not self.left
        self._held = b"\r" if whole.endswith(b"\r") and not ends else b""
        part = self._written(whole.removesuffix(self._held))
        if ends and not self._fresh:
            part += b"\r\n"  # RFC 5321 4.1.1.4: so does a client of DATA
        self._judge(part)
        return (b"" if self.flaw else part), (None if self.left else data[len(taken) :])

    def _written(self, part: bytes) -> bytes:
        """With the dots at the beginnings of lines doubled (RFC 5321 4.5.2)."""
        if not part:
            return part
        out = part.replace(b"\r\n.", b"\r\n..")
        if self._fresh and out.startswith(b"."):
            out = b"." + out
        self._fresh = out.endswith(b"\r\n")
        return out


class Discard(Content):
    """A chunk out of place: read, forgotten, and then refused."""

    __slots__ = ("_reply",)

    def __init__(self, octets: int, reply: Reply) -> None:
        super().__init__(0)
        self.left = octets
        self._reply = reply

    def answer(self) -> Reply | None:
        return self._reply

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        taken = min(self.left, len(data))
        self.left -= taken
        return b"", (None if self.left else data[taken:])
