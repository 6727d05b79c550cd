"""The half of the SMTP server machine that knows bytes: lines of what comes in, and what is to be written.

Rule: nothing here knows a verb; nothing in `smtp_server.py` looks for the end of a line.
"""

from collections.abc import Callable

from sekisho.model.verdict import Reply
from sekisho.wire import replies
from sekisho.wire.steps import Owing, Refused, Violated
from sekisho.wire.verbs import AUTH_OCTETS, COMMAND_OCTETS, State, longest_line

UNREAD_OCTETS = 1024 * 1024  # kept while a reply is owed; who stops reading at 64 KB never gets here


Voice = Callable[[Reply, type[Owing] | None], Reply]


class Lines:
    """Public attributes are for reading; only the methods change them."""

    __slots__ = ("_at", "_buffer", "_out", "_voice", "closed", "state")

    def __init__(self, voice: Voice | None = None) -> None:
        """`voice` says in other words what is to be said."""
        self._voice = voice
        self.closed = False
        self.state = State.GREETING
        self._buffer = b""
        self._at = 0
        self._out: list[bytes] = []

    def take(self) -> bytes:
        """What is to be written now, replies of a pipelined group together (RFC 2920 3.2)."""
        if not self._out:
            return b""
        out, self._out = self._out, []
        return out[0] if len(out) == 1 else b"".join(out)

    @property
    def unread(self) -> int:
        """Bytes that wait for their turn; the caller stops reading at 64 KB."""
        return len(self._buffer) - self._at

    def _add(self, data: bytes) -> None:
        self._buffer = self._buffer[self._at :] + data if self._buffer else data
        self._at = 0

    def _line(self) -> bytes | Violated | None:
        """The next line without its end. How long it may be shows in its first octets, however it was cut."""
        start, buffer = self._at, self._buffer
        end = buffer.find(b"\n", start, start + AUTH_OCTETS)
        octets = (end if end >= 0 else len(buffer)) - start
        if octets >= COMMAND_OCTETS and octets >= self._line_limit():
            return self._violate(replies.LONG_LINE, "long_line")
        if end < 0:
            return None
        line = buffer[start : end + 1]
        self._at = end + 1
        if self._at == len(buffer):
            self._buffer, self._at = b"", 0
        if line.find(b"\r") != len(line) - 2:  # RFC 5321 2.3.8: only CR LF, and never one of them alone
            return self._violate(replies.NEWLINE, "bare_newline")
        return line[:-2]

    def _line_limit(self) -> int:
        if self.state is State.SASL:
            return AUTH_OCTETS
        return longest_line(self._buffer[self._at : self._at + 5])

    def _say(self, reply: Reply, owed: type[Owing] | None = None) -> None:
        """`owed` is the step that it answers, None for what the machine says of its own."""
        if self._voice is not None:
            reply = self._voice(reply, owed)
        self._out.append(replies.encode(reply))

    def _refuse(self, reply: Reply, verb: str) -> Refused:
        self._say(reply)
        return Refused(reply, verb)

    def _violate(self, reply: Reply, what: str) -> Violated:
        self._say(reply)
        self._close()
        return Violated(reply, what)

    def _close(self) -> None:
        self.closed = True
        self.state = State.CLOSED
        self._buffer, self._at = b"", 0
