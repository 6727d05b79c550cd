"""Content whose lines may end in LF alone, for clients that are to be counted before they are refused.

Such an LF becomes CR LF, and nothing else is mended. A letter is refused all the same where that could make
an end of data or a line's first dot of something that was none: a dot behind such an LF, or a lone dot that
would come to stand between two ends of lines. CR alone and NUL are refused as always.
"""

import re

from sekisho.wire.body import END, Body

_DOT_BEHIND = re.compile(rb"(?<!\r)\n\.")


class LenientBody(Body):
    __slots__ = ("_alone", "_lone", "_tail")

    def __init__(self, size_limit: int) -> None:
        super().__init__(size_limit)
        self._alone = 0
        self._lone = False  # the last octet was an LF alone
        self._tail = b"\r\n"  # the last octets that were handed on

    @property
    def bare_lf(self) -> int:
        return 0 if self.flaw else self._alone

    def _settled(self, part: bytes) -> bytes:
        if not part:
            return part
        alone = part.count(b"\n") - part.count(b"\r\n")
        dotted = (self._lone and part.startswith(b".")) or (alone and _DOT_BEHIND.search(part))
        self._lone = part.endswith(b"\n") and not part.endswith(b"\r\n")
        if alone:
            self._alone += alone
            part = part.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        if dotted or END in self._tail + part:
            self._bare = True
        self._tail = (self._tail + part)[1 - len(END) :]
        return super()._settled(part)
