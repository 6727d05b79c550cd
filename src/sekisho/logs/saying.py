"""One line of a program that logs through syslog or into its own file: who said what, and when.

What stands before the program's own text is written by syslog or by the program, never by a stranger; what
a stranger can choose begins behind it. So a dialect is chosen by the program's name alone, and only lines
without a name are known by how they begin.
"""

import re

from msgspec import Struct

from sekisho.logs.oddstamps import dated
from sekisho.logs.stamp import CLASSIC, EPOCH, ISO, TAI64N

_PRIORITY = rb"(?:\xef\xbb\xbf)?(?:<\d{1,3}>(?:1 )?)?"
_STAMP = rb"(" + CLASSIC + rb"|" + ISO + rb"|" + TAI64N + rb"|" + EPOCH + rb")"
_HOST = rb"(?:<\w+\.\w+> )?(?:([^ \n\[<{]++)(?<!:) )?"
_PROGRAM = (
    rb"([A-Za-z][\w./+-]{0,63})(?:\(pam_unix\))?"
    rb"(?:\[(\d{0,9})\]?(?:\([\w.-]+\))?: |: | (\d{1,9}|-) \S+ (?:-|\[[^\n]*?\]) )"
    rb"(?:\[ID \d+ \w+\.\w+\] )?(?:\xef\xbb\xbf)?"
)
_HEAD = re.compile(_PRIORITY + _STAMP + rb" (?:" + _HOST + _PROGRAM + rb")?")
_TIMELESS = re.compile(rb"(?:([^ \n\[<{:]++) )?([A-Za-z][\w./+-]{0,63})(?:\[(\d{1,9})\])?: (" + ISO + rb") ")
"""A program that writes its own time behind a name to which syslog's was taken away."""

LINE_MAX = 16_384
"""No mail server writes longer lines; Exim cuts its own at 8 kB."""


class Saying(Struct):
    """A line taken apart. `program` is "" where none is named; `at` is set by whoever knows the calendar."""

    stamp: bytes
    host: bytes
    program: str
    pid: int
    text: str
    at: int = 0
    file: int = 0
    line: int = 0


def take_apart(raw: bytes) -> Saying | None:
    """None for a line without a stamp, or of a length that no program writes."""
    if len(raw) > LINE_MAX:
        return None
    match = _HEAD.match(raw)
    if match is not None:
        stamp, host, program, pid, pid_5424 = match.groups()
        pid = pid or pid_5424 or b""
    else:
        match = _TIMELESS.match(raw)
        if match is None:
            return _oddly_dated(raw)
        host, program, pid, stamp = match.groups()
    text = raw[match.end() :].decode("utf-8", "surrogateescape").rstrip("\r\n ")
    return Saying(stamp, host or b"", (program or b"").decode(), int(pid) if pid and pid != b"-" else 0, text)


def without_program(said: Saying, raw: bytes) -> Saying:
    """The same line, if all behind the stamp is the text."""
    rest = raw[raw.index(said.stamp) + len(said.stamp) + 1 :]
    return Saying(said.stamp, b"", "", 0, rest.decode("utf-8", "surrogateescape").rstrip("\r\n "))


def _oddly_dated(raw: bytes) -> Saying | None:
    """A line of a program that has its own form of date."""
    odd = dated(raw)
    if odd is None:
        return None
    return Saying(odd[0], b"", "", 0, odd[1].decode("utf-8", "surrogateescape").rstrip("\r\n "))
