"""A letter in somebody else's queue, as their own tools and files show it, and the lines of `queue list`
that it makes.

Their queues move whole letters: what is done to one recipient of a letter is done to all.
"""

import re
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from sekisho.model.queue_row import QueueRow

State = Literal["waiting", "trying", "failed", "purged"]


RETURNED_BYTES = 16 * 1024
_RECEIVED_FROM = re.compile(rb"(?im)^received: from [^;]*?\[((?:IPv6:)?[0-9a-f.:]{3,50})\]")


class BadListing(Exception):
    """Their tool or file says what it never should: nothing is done on the strength of it."""


class Pending(Struct, frozen=True):
    """A recipient that the letter has still to reach, and why it has not."""

    address: str
    reply: str = ""


class ForeignLetter(Struct, frozen=True, omit_defaults=True):
    """`id` is theirs, and safe on a command line. `sender` is "" for the null sender. `place`: the part of
    their queue or the file in which it stands. Times in microseconds.
    """

    id: str
    state: State
    sender: str
    recipients: tuple[Pending, ...]
    size: int
    accepted_at: int
    held: bool = False
    account: str = ""
    address: str = ""
    subject: str = ""
    place: str = ""
    tries: int = 0
    next_at: int = 0
    expires_at: int = 0


class Envelope(Struct, frozen=True):
    """What their file of one letter says beyond the list. `header` is the letter's own, with CRLF; `place`
    the file, within the queue's folder."""

    account: str = ""
    address: str = ""
    header: bytes = b""
    place: str = ""


def rows(letter: ForeignLetter, program: str, held_by: Sequence[str] = ()) -> list[QueueRow]:
    """One line a recipient."""
    return [
        QueueRow(
            delivery=letter.id,
            message=letter.id,
            state=letter.state,
            sender=letter.sender,
            recipient=pending.address,
            account=letter.account,
            address=letter.address,
            network="",
            size=letter.size,
            tries=letter.tries,
            accepted_at=letter.accepted_at,
            next_at=letter.next_at,
            expires_at=letter.expires_at,
            route=program,
            held_by=tuple(held_by),
            subject=letter.subject,
            last_reply=pending.reply,
        )
        for pending in letter.recipients
    ]


def returned_from(report: bytes) -> str:
    """The address from which the letter came that a bounce returns: in the topmost Received field of what is
    returned, which the bouncing server wrote itself. "" where there is none.
    """
    _, returned, letter = report.partition(b"message/rfc822")
    if not returned:
        _, _, letter = report.partition(b"text/rfc822-headers")
    found = _RECEIVED_FROM.search(letter[:RETURNED_BYTES])
    return (found[1].decode().removeprefix("IPv6:")) if found else ""


def subject_in(header: bytes) -> bytes:
    """The first Subject field of a header with CRLF, unfolded; b"" where there is none."""
    found: list[bytes] = []
    for line in header.split(b"\r\n"):
        if found and line[:1] not in (b" ", b"\t"):
            break
        if found or line[:8].lower() == b"subject:":
            found.append(line)
    return b"".join(found)[8:].strip()
