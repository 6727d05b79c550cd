"""Exim's spool, as its specification describes it: ID-H has envelope, options and header, ID-D the body,
ID-J who was reached since.

The login is the option auth_id, and stands before the letter's own lines, whose lengths are counted out.
"""

import re

from sekisho.integrations.foreign import BadListing, ForeignLetter, Pending, subject_in
from sekisho.model.text import printable

SECOND = 1_000_000
_ID = re.compile(r"[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{11}-[0-9A-Za-z]{4})")
_NODE = re.compile(rb"[YN][YN] (.+)")
_FIELD = re.compile(rb"(\d{3,}).( |\n|)")
_MORE = re.compile(rb" [^ ]*(?: .*)?#\d$")
_ADDRESS = re.compile(rb"\[([0-9A-Fa-f.:]+)\]:\d+|([0-9A-Fa-f.:]+)\.\d+")


def is_id(word: str) -> bool:
    """Message ids before and since Exim 4.97."""
    return _ID.fullmatch(word) is not None


def parsed(ident: str, fields: bytes, journal: bytes = b"") -> ForeignLetter:
    """One letter by its ID-H and ID-J. Raises BadListing."""
    try:
        return _parsed(ident, fields, journal)
    except (ValueError, IndexError) as error:
        raise BadListing(f"{ident}-H is not as Exim writes it") from error


def _parsed(ident: str, fields: bytes, journal: bytes) -> ForeignLetter:
    name, _, sender, times, rest = fields.split(b"\n", 4)
    if name != f"{ident}-H".encode() or not (sender.startswith(b"<") and sender.endswith(b">")):
        raise ValueError(ident)
    options, rest = _options(rest)
    reached, rest = _reached(rest)
    recipients, rest = _recipients(rest)
    reached |= set(journal.split(b"\n"))
    left = [address for address in recipients if address not in reached]
    found = _ADDRESS.fullmatch(options.get(b"host_address", b""))
    return ForeignLetter(
        ident,
        "waiting",
        printable(sender[1:-1]),
        tuple(Pending(printable(address)) for address in left),
        len(rest),
        int(times.split(b" ")[0]) * SECOND,
        held=b"frozen" in options,
        account=printable(options.get(b"auth_id", b"")),
        address=printable(found[1] or found[2]) if found else "",
        subject=printable(subject_in(header_of(rest)), 320),
    )


def _options(text: bytes) -> tuple[dict[bytes, bytes], bytes]:
    """Lines that begin with a minus sign, two where the value came from outside."""
    found: dict[bytes, bytes] = {}
    while text.startswith(b"-"):
        line, _, text = text.partition(b"\n")
        key, _, value = line.lstrip(b"-").partition(b" ")
        found.setdefault(key, value)
    return found, text


def _reached(text: bytes) -> tuple[set[bytes], bytes]:
    """The tree of those who have the letter already: XX for none."""
    line, _, rest = text.partition(b"\n")
    if line == b"XX":
        return set(), rest
    found: set[bytes] = set()
    while node := _NODE.fullmatch(line):
        found.add(node[1])
        text = rest
        line, _, rest = text.partition(b"\n")
    return found, text


def _recipients(text: bytes) -> tuple[list[bytes], bytes]:
    count, _, text = text.partition(b"\n")
    lines = text.split(b"\n", int(count) + 1)
    if lines[int(count)] != b"":
        raise ValueError("the recipients do not end")
    return [_MORE.sub(b"", line) for line in lines[: int(count)]], lines[int(count) + 1]


def header_of(counted: bytes) -> bytes:
    """The header with CRLF, from fields each after its length and a letter of Exim's own; those that it has
    marked with * are no part of the letter any more."""
    found: list[bytes] = []
    while match := _FIELD.match(counted):
        start, size = match.end() if match[2] == b" " else match.end(1) + 2, int(match[1])
        if counted[match.end(1) : match.end(1) + 1] != b"*":
            found.append(counted[start : start + size].replace(b"\n", b"\r\n"))
        counted = counted[start + size :].lstrip(b"\n")
    return b"".join(found)


def rest_of(fields: bytes) -> bytes:
    """The counted header of a whole ID-H. Raises BadListing."""
    try:
        _, rest = _options(fields.split(b"\n", 4)[4])
        _, rest = _reached(rest)
        return _recipients(rest)[1]
    except (ValueError, IndexError) as error:
        raise BadListing("an -H file is not as Exim writes it") from error


def frozen(fields: bytes, at: int) -> bytes:
    """The same letter, frozen."""
    lines = fields.split(b"\n", 4)
    if b"\n-frozen " in fields[: fields.find(b"\nXX")] or len(lines) < 5:
        return fields
    return b"\n".join((*lines[:4], b"-frozen %d" % (at // SECOND), lines[4]))
