"""Syslog over a stream, cut into messages (RFC 6587): counted octets or lines, as each message begins.

What a message says is for the dialects of `logs/`: the priority before it is theirs to skip.
"""

from collections.abc import Iterator

MESSAGE_MAX = 64 * 1024
"""RFC 5425 wants at least 2 KB understood; rsyslog sends up to 8 KB unless told otherwise."""
DIGITS_MAX = 5


class Messages:
    """Bytes in, messages out. Once `broken` nothing more can be understood: the sender has to begin anew."""

    def __init__(self) -> None:
        self._buffer = b""
        self.broken = False

    def receive(self, data: bytes) -> Iterator[bytes]:
        self._buffer += data
        while not self.broken and (cut := self._cut()) is not None:
            message, self._buffer = cut
            if message := one_line(message):
                yield message

    def _cut(self) -> tuple[bytes, bytes] | None:
        """The first message and the rest; None while it is not whole."""
        buffer = self._buffer
        if b"1" <= buffer[:1] <= b"9":  # RFC 6587 3.4.1: no line of syslog's begins with a digit
            digits, space, rest = buffer[: DIGITS_MAX + 1].partition(b" ")
            if space and digits.isdigit() and int(digits) <= MESSAGE_MAX:
                start, end = len(digits) + 1, len(digits) + 1 + int(digits)
                return (buffer[start:end], buffer[end:]) if len(buffer) >= end else None
            if len(buffer) <= DIGITS_MAX and buffer.isdigit():
                return None
        message, end_of_line, rest = buffer.partition(b"\n")  # RFC 6587 3.4.2
        if end_of_line:
            return message, rest
        self.broken = len(buffer) > MESSAGE_MAX
        return None


def one_line(message: bytes) -> bytes:
    """A message is one line, whatever is in it: nobody writes a second one into it."""
    return message.strip(b"\r\n\0 ").replace(b"\n", b" ").replace(b"\r", b" ")
