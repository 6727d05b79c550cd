"""The server's side of Postfix's policy delegation: lines `name=value`, an empty line, one `action=` back.

Exim asks in the same way by `${readsocket`. Who breaks the form is left without an answer: the asking server
then does what it was told to do when nobody answers.
"""

from collections.abc import Iterator

from sekisho.model.text import printable

REQUEST_OCTETS = 64 * 1024
"""Longest request; one of Postfix 3.7 with certificates and long addresses stays below 4 KB."""

ATTRIBUTES = 100
"""Most attributes of one request; Postfix 3.12 sends 34."""

VALUE_LIMIT = 1024
"""Longest value that is kept, in characters; an address has at most 320."""

Request = dict[str, str]


class PolicyServer:
    """`receive` gives one request at a time; it is owed one `reply` before the next is taken."""

    __slots__ = ("_buffer", "_out", "closed")

    def __init__(self) -> None:
        self._buffer = b""
        self._out: list[bytes] = []
        self.closed = False

    def receive(self, data: bytes) -> Iterator[Request]:
        self._buffer += data
        while not self.closed and (request := self._next()) is not None:
            yield request

    def reply(self, action: str) -> None:
        text = printable(action).encode("ascii", "replace")
        self._out.append(b"action=" + text + b"\n\n")

    def close(self) -> None:
        """Without an answer: the client goes by its own default."""
        self.closed = True
        self._buffer = b""

    def take(self) -> bytes:
        out, self._out = self._out, []
        return b"".join(out)

    def _next(self) -> Request | None:
        end = self._buffer.find(b"\n\n")
        if (len(self._buffer) if end < 0 else end) > REQUEST_OCTETS:
            self.close()
            return None
        if end < 0:
            return None
        lines = self._buffer[:end].split(b"\n")
        self._buffer = self._buffer[end + 2 :]
        request = _attributes(lines)
        if request is None:
            self.close()
        return request


def _attributes(lines: list[bytes]) -> Request | None:
    """None for what is no request. A name that comes twice could mean two things to two readers."""
    if len(lines) > ATTRIBUTES:
        return None
    request: Request = {}
    for line in lines:
        name, equals, value = line.partition(b"=")
        key = printable(name, 100)
        if not equals or not key or key in request:
            return None
        request[key] = printable(value, VALUE_LIMIT)
    return request if request.get("request") == "smtpd_access_policy" else None
