"""The milter protocol's numbers, letters and texts."""

from sekisho.model.text import printable

VERSION_LEAST, VERSION_MOST = 2, 6

PACKET_OCTETS = 1024 * 1024
"""Largest packet taken; a piece of a letter has 64 KB, a header field of Postfix 100 KB."""

REPLY_LIMIT = 400
"""Longest text of a reply, in characters; with the codes it fits a line (RFC 5321 4.5.3.1.5)."""

ADD_HEADERS, QUARANTINE = 0x01, 0x20
"""What we may do to a letter (SMFIF)."""

_NO_BODY, _NO_UNKNOWN = 0x10, 0x100
_NO_ANSWER_HEADER, _NO_ANSWER_CONNECT, _NO_ANSWER_HELO = 0x80, 0x1000, 0x2000
_NO_ANSWER_DATA, _NO_ANSWER_EOH = 0x10000, 0x40000

OFFERED_STEPS = (
    _NO_BODY
    | _NO_UNKNOWN
    | _NO_ANSWER_HEADER
    | _NO_ANSWER_CONNECT
    | _NO_ANSWER_HELO
    | _NO_ANSWER_DATA
    | _NO_ANSWER_EOH
)
"""What we want of the MTA if it can (SMFIP): no text of letters, and no waiting for answers that are always
the same."""

LATER_ANSWERS = {
    "C": _NO_ANSWER_CONNECT,
    "H": _NO_ANSWER_HELO,
    "T": _NO_ANSWER_DATA,
    "L": _NO_ANSWER_HEADER,
    "N": _NO_ANSWER_EOH,
}
"""By the letter of a step, the wish by which it is not answered."""

ANSWERED = frozenset("CHMRTLNBEU")
UNANSWERED = frozenset("DAQK")


def reply_text(code: int, status: str, text: str) -> bytes:
    """Of a reply to the client. A percent sign begins a format at sendmail, so there is none."""
    assert 400 <= code <= 599, "a milter can only refuse or put off"
    words = printable(text, REPLY_LIMIT).replace("%", "%%")
    return f"{code} {status} {words}".encode("ascii", "replace") + b"\0"


def header_bytes(text: str) -> bytes:
    """One line, without a zero."""
    return printable(text, REPLY_LIMIT).encode("ascii", "replace")
