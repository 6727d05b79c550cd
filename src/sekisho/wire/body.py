"""The content of a message as it arrives (RFC 5321 4.5.2): where it ends, how long it is, if it may be kept.

Only CR LF dot CR LF ends it. A CR or LF of its own, or a NUL, never ends anything, is never repaired, and has
the whole message refused (SMTP smuggling, CVE-2023-51764). Every test is a pass of C code over a part; none
goes line by line, and the verdict does not depend on how the bytes were cut.
"""

from sekisho.model.verdict import Reply
from sekisho.wire import replies

END = b"\r\n.\r\n"
LINE_OCTETS = 32 * 1024  # RFC 5321 4.5.3.1.6 says 1000 (not followed: much honest HTML mail has longer lines)

_ORDINARY = bytes(set(range(256)) - set(b"\r\n\0"))


class Content:
    """What is known of a message's content, however it is framed.

    `size` is in octets of wire form, `left` how many octets are to come: 1 where only the end will tell.
    """

    __slots__ = ("_bare", "_carry", "_limit", "_long", "left", "size")

    def __init__(self, size_limit: int) -> None:
        self.size = 0
        self.left = 1
        self._limit = size_limit
        self._carry = 0  # octets of the line that is not finished yet
        self._bare = False
        self._long = False

    def answer(self) -> Reply | None:
        """What is to be said at the end of a part that does not end the message (see `chunks.py`)."""
        return None

    @property
    def flaw(self) -> Reply | None:
        """Why the message cannot be kept, the gravest reason first."""
        if self._bare:
            return replies.BARE_NEWLINE
        if self.size > self._limit:
            return replies.TOO_BIG
        return replies.LINE_TOO_LONG if self._long else None

    @property
    def bare_lf(self) -> int:
        """How many LFs stood alone and were borne (see `lenient.py`)."""
        return 0

    @property
    def bare(self) -> bool:
        """The client ends lines in another way than we do: what it sends next may not mean what it seems."""
        return False

    def _judge(self, part: bytes) -> None:
        self.size += len(part)
        if not self._bare:
            self._bare = not newlines_are_pairs(part)
        if self._carry + len(part) > LINE_OCTETS and not self._long:
            self._long = self._has_long_line(part)
        last = part.rfind(b"\n")
        self._carry = self._carry + len(part) if last < 0 else len(part) - last - 1

    def _has_long_line(self, part: bytes) -> bool:
        """Jumps as far as a line may be long and looks back for its end: two steps for each 32 KB."""
        start = -self._carry
        while len(part) - start > LINE_OCTETS:
            found = part.rfind(b"\n", max(start, 0), max(start + LINE_OCTETS, 0))
            if found < 0:
                return True
            start = found + 1
        return False


class Body(Content):
    """Content after DATA: give it bytes with `feed` until it hands back what follows the end."""

    __slots__ = ("_held", "_virtual")

    def __init__(self, size_limit: int) -> None:
        super().__init__(size_limit)
        self._held = b"\r\n"  # the line that said DATA ended so: a dot may follow at once
        self._virtual = 2

    @property
    def bare(self) -> bool:
        return self._bare

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """The next part of the content, and what followed its end: None while the end has not come.

        A message that will be refused is read to its end and not handed on.
        """
        whole = self._held + data
        end = whole.find(END)
        if end >= 0:
            part, rest = whole[self._virtual : end + 2], whole[end + len(END) :]
        else:
            keep = len(whole) - _begun(whole)
            part, rest = whole[self._virtual : keep], None
            self._held = whole[keep:]
            if keep == 0:
                return b"", None
        self._virtual = 0
        part = self._settled(part)
        return (b"" if self.flaw else part), rest

    def _settled(self, part: bytes) -> bytes:
        self._judge(part)
        return part


def newlines_are_pairs(part: bytes) -> bool:
    """Whether every CR is followed by LF, every LF preceded by CR, and no NUL is there.

    First: with all else taken out, only pairs remain. That alone would pass "\\r x \\n"; so, second, the text
    without its CRs must equal the text without its LFs, both written with LF: they differ if anything stood
    between the two.
    Three fast passes; counting pairs is slower than the two replacements.
    """
    kept = part.translate(None, _ORDINARY)
    if kept != b"\r\n" * (len(kept) // 2):
        return False
    return part.replace(b"\r", b"") == part.replace(b"\n", b"").replace(b"\r", b"\n")


def _begun(whole: bytes) -> int:
    """How many of the last octets may be the beginning of the end."""
    for length in range(len(END) - 1, 0, -1):
        if whole.endswith(END[:length]):
            return length
    return 0
