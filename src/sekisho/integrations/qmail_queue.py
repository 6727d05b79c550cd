"""qmail's queue as its INTERNALS describes it: records that end in a zero byte, T for a recipient to come and
D for one that is done, written over in place.

Who has logged in is known from the Received field that qmail-smtpd writes, with its AUTH patches: the name
before the client's address.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from sekisho.integrations.foreign import BadListing
from sekisho.model.text import printable

_ID = re.compile(r"[0-9]{1,20}")
_FROM_NETWORK = re.compile(rb"Received: \(qmail \d+ invoked from network\); [^\n]*\n")
_SMTPD = re.compile(
    rb"Received: from [^\n]*? \(([^()\s]*@)?((?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]+)\)\n"
    rb"\s+by [^\n]*? with (\w+)"
)


class Origin(Struct, frozen=True):
    account: str = ""
    address: str = ""


class Record(Struct, frozen=True):
    """A recipient, and where its letter stands in the file."""

    offset: int
    done: bool
    address: bytes


def is_id(word: str) -> bool:
    return _ID.fullmatch(word) is not None


def records(data: bytes) -> Iterator[Record]:
    """Of a file in local/ or remote/. Raises BadListing."""
    offset = 0
    for part in data.split(b"\0")[:-1]:
        if part[:1] not in (b"T", b"D"):
            raise BadListing("a list of recipients is not as qmail writes it")
        yield Record(offset, part[:1] == b"D", part[1:])
        offset += len(part) + 1


def sender_of(info: bytes) -> bytes:
    """Of a file in info/. Raises BadListing."""
    if not info.startswith(b"F") or not info.endswith(b"\0") or info.count(b"\0") != 1:
        raise BadListing("an info file is not as qmail writes it")
    return info[1:-1]


def envelope_of(todo: bytes) -> tuple[bytes, list[bytes]]:
    """Sender and recipients of a file in todo/. Raises BadListing."""
    sender, recipients = None, []
    for part in todo.split(b"\0")[:-1]:
        match part[:1]:
            case b"F" if sender is None:
                sender = part[1:]
            case b"T" if sender is not None:
                recipients.append(part[1:])
            case b"u" | b"p":
                continue
            case _:
                raise BadListing("an envelope is not as qmail writes it")
    if sender is None:
        raise BadListing("an envelope has no sender")
    return sender, recipients


def envelope(sender: bytes, recipients: list[bytes], process: int) -> bytes:
    """For todo/."""
    head = b"u0\0p%d\0F%s\0" % (process, sender)
    return head + b"".join(b"T" + one + b"\0" for one in recipients)


def waiting(recipients: list[bytes]) -> bytes:
    """For local/ or remote/."""
    return b"".join(b"T" + one + b"\0" for one in recipients)


def origin_of(message: bytes) -> Origin:
    """From the two fields that qmail itself has put in front; what stands behind them proves nothing."""
    queue = _FROM_NETWORK.match(message)
    smtpd = _SMTPD.match(message, queue.end()) if queue else None
    if smtpd is None:
        return Origin()
    name, protocol = (smtpd[1] or b"@")[:-1], smtpd[3].upper()
    proven = protocol.endswith(b"A") or b"@" in name  # else it may be what an ident server said
    return Origin(printable(name) if proven else "", printable(smtpd[2]))
