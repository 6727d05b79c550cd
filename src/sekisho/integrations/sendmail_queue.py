"""sendmail's queue files, version 8: a line is a letter and a value, and the header comes last.

Who has logged in stands there only if the macro is kept: `sekisho configure sendmail` makes it so.
"""

import re
from collections.abc import Iterator

from sekisho.integrations.foreign import BadListing, ForeignLetter, Pending, subject_in
from sekisho.model.text import printable

SECOND = 1_000_000
REASON = "sekisho"
"""Why a letter is in quarantine, in their words."""

_ID = re.compile(r"[0-9A-Za-z]{10,20}")
_FLAGS = re.compile(rb"\?[^?]*\?(?:\$\{[^}]*\}\?)?")
_RECIPIENT_FLAGS = re.compile(rb"^[A-Z]*:")
_CLIENT = re.compile(rb"\[(?:IPv6:)?([0-9A-Fa-f.:]+)\]")


def is_id(word: str) -> bool:
    return _ID.fullmatch(word) is not None


def lines(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Letter and value; what begins with white space goes on the line before."""
    letter, value = b"", b""
    for line in data.split(b"\n"):
        if line[:1] in (b" ", b"\t"):
            value += b"\n" + line
            continue
        if letter:
            yield letter, value
        if line in (b".", b""):
            return
        letter, value = line[:1], line[1:]


def parsed(ident: str, data: bytes, *, held: bool) -> ForeignLetter:
    """One letter by its qf or hf file. Raises BadListing."""
    first: dict[bytes, bytes] = {}
    macros: dict[bytes, bytes] = {}
    recipients: list[bytes] = []
    for letter, value in lines(data):
        if letter == b"H":
            break
        if letter == b"$":
            name, _, content = value[1:].partition(b"}") if value[:1] == b"{" else (value[:1], b"", value[1:])
            macros.setdefault(name, content)
        elif letter == b"R":
            recipients.append(_RECIPIENT_FLAGS.sub(b"", value))
        else:
            first.setdefault(letter, value)
    if not first.get(b"V", b"").isdigit() or not first.get(b"T", b"").isdigit() or b"S" not in first:
        raise BadListing(f"qf{ident} is not as sendmail writes it")
    client = _CLIENT.search(macros.get(b"_", b""))
    address = macros.get(b"client_addr", b"") or (client[1] if client else b"")
    reply, tries = printable(first.get(b"M", b"")), first.get(b"N", b"0")
    return ForeignLetter(
        ident,
        "waiting",
        printable(_bare(first[b"S"])),
        tuple(Pending(printable(_bare(one)), reply) for one in recipients),
        len(data),
        int(first[b"T"]) * SECOND,
        held=held,
        account=printable(macros.get(b"auth_authen", b"")),
        address=printable(address.removeprefix(b"IPv6:")),
        subject=printable(subject_in(header_of(data)), 320),
        tries=int(tries) if tries.isdigit() else 0,
    )


def header_of(data: bytes) -> bytes:
    """The letter's header with CRLF, without what only the delivery fills in."""
    found = (_FLAGS.sub(b"", value, count=1) for letter, value in lines(data) if letter == b"H")
    return b"".join(field.replace(b"\n", b"\r\n") + b"\r\n" for field in found if b"\x81" not in field)


def quarantined(data: bytes) -> bytes:
    """The same letter, with a reason to be held."""
    if any(letter == b"q" for letter, _ in lines(data)):
        return data
    head, mark, rest = data.partition(b"\nS")
    return head + b"\nq" + REASON.encode() + mark + rest


def _bare(address: bytes) -> bytes:
    return address[1:-1] if address.startswith(b"<") and address.endswith(b">") else address
