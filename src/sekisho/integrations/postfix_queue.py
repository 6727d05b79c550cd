"""Postfix's queue as its tools print it: postqueue -j (one JSON object a line) and postcat -qeh.

What Postfix documents is read, and nothing else: the attribute sasl_username, by which mail is an account's
whatever its sender says, stands in the records of the envelope, before the letter's own text.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec import Struct

from sekisho.integrations.foreign import BadListing, Envelope, ForeignLetter, Pending
from sekisho.model.text import printable

NULL = "MAILER-DAEMON"
"""How postqueue writes the null sender."""

_ID = re.compile(r"[0-9A-Za-z]{5,32}")
_PLACE = re.compile(rb"[a-z]+(/[0-9A-Za-z]+)+")
_BEGIN, _CONTENTS, _END = b"*** ENVELOPE RECORDS ", b"*** MESSAGE CONTENTS ", b"*** HEADER EXTRACTED "
_ATTRIBUTE = b"named_attribute: "
SECOND = 1_000_000
EXPIRED = " (to be returned)"


class _Recipient(Struct):
    address: str
    delay_reason: str = ""


class _Line(Struct):
    queue_name: str
    queue_id: str
    arrival_time: int
    message_size: int
    sender: str
    recipients: list[_Recipient]
    forced_expire: bool = False


def is_id(word: str) -> bool:
    """Postfix's short and long queue ids; nothing that could be an option or a path."""
    return _ID.fullmatch(word) is not None


def listed(line: bytes) -> ForeignLetter:
    """One line of postqueue -j. Raises BadListing."""
    try:
        found = msgspec.json.decode(line, type=_Line)
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadListing(f"postqueue -j said {printable(line, 100)}: {error}") from error
    if not is_id(found.queue_id):
        raise BadListing(f"postqueue -j named a letter {printable(found.queue_id, 100)}")
    pending = tuple(
        Pending(printable(each.address), printable(each.delay_reason) + EXPIRED * found.forced_expire)
        for each in found.recipients
    )
    return ForeignLetter(
        found.queue_id,
        "trying" if found.queue_name == "active" else "waiting",
        "" if found.sender == NULL else printable(found.sender),
        pending,
        found.message_size,
        found.arrival_time * SECOND,
        held=found.queue_name == "hold",
        place=printable(found.queue_name),
    )


def envelopes(lines: Iterable[bytes]) -> Iterator[tuple[str, Envelope]]:
    """What postcat -qeh says of letters one after the other, by id. A letter's text cannot imitate it:
    of that only the header is printed, and no field begins as these lines do.
    """
    records: dict[bytes, bytes] = {}
    header: list[bytes] = []
    where = place = b""
    for raw in lines:
        line = raw.rstrip(b"\n")
        if where != _CONTENTS and line.startswith(_BEGIN):
            records, header, where = {}, [], _BEGIN
            place = line.removeprefix(_BEGIN).removesuffix(b" ***")
        elif where == _BEGIN and line.startswith(_CONTENTS):
            where = _CONTENTS
        elif where == _CONTENTS and line == _END + place + b" ***":
            where = b""
            yield place.rpartition(b"/")[2].decode("ascii", "replace"), _envelope(records, header, place)
        elif where == _BEGIN and line.startswith(_ATTRIBUTE):
            name, _, value = line.removeprefix(_ATTRIBUTE).partition(b"=")
            records.setdefault(name, value)
        elif where == _CONTENTS:
            header.append(line)


def _envelope(records: dict[bytes, bytes], header: Sequence[bytes], place: bytes) -> Envelope:
    return Envelope(
        printable(records.get(b"sasl_username", b"")),
        printable(records.get(b"client_address", b"")),
        b"".join(line + b"\r\n" for line in header),
        place.decode("ascii", "replace") if _PLACE.fullmatch(place) else "",
    )
