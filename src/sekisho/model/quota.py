"""How much a mailbox may hold: as an operator writes it, and as a Maildir++ `maildirsize` begins."""

import re

from msgspec import Struct

_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_WRITTEN = re.compile(r"([0-9]{1,12})([KMGT]?)B?(?:,([0-9]{1,9}))?", re.IGNORECASE)
_HEADER = re.compile(r"([0-9]{1,18})([SC])")

NONE = "none"


class Quota(Struct, frozen=True):
    """Most bytes and most messages; 0 is no limit."""

    bytes: int = 0
    messages: int = 0

    @property
    def limits(self) -> bool:
        return bool(self.bytes or self.messages)

    def exceeded(self, size: int, count: int) -> bool:
        return bool((self.bytes and size > self.bytes) or (self.messages and count > self.messages))

    def share(self, size: int, count: int) -> float:
        """How full it is: 1.0 is full, by whichever limit is nearer."""
        by_bytes = size / self.bytes if self.bytes else 0.0
        return max(by_bytes, count / self.messages if self.messages else 0.0)

    def __str__(self) -> str:
        """As `maildirsize` begins: 1000000S,1000C."""
        parts = [f"{self.bytes}S"] * bool(self.bytes) + [f"{self.messages}C"] * bool(self.messages)
        return ",".join(parts) or NONE


def written(text: str) -> Quota | None:
    """What an operator wrote: 500M, "2G,10000" (messages), 1000000S,1000C or none. None: not readable."""
    if text.lower() == NONE:
        return Quota()
    match = _WRITTEN.fullmatch(text)
    if match is not None:
        return Quota(int(match[1]) * _UNITS[match[2].upper()], int(match[3] or 0))
    return header(text)


def header(text: str) -> Quota | None:
    """The first line of a `maildirsize`; None: it is none. Unknown kinds of limits are for others to know."""
    kinds: dict[str, int] = {}
    for part in text.strip().split(","):
        match = _HEADER.fullmatch(part.strip())
        if match is not None:
            kinds[match[2]] = int(match[1])
        elif not part.strip()[:-1].isdigit():
            return None
    return Quota(kinds.get("S", 0), kinds.get("C", 0)) if kinds else None
