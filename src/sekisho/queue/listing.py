"""What stands in a file that an alias includes: addresses, and lines that are none.

Programs and file names have no place in such a file: whoever may edit a list of people must not be able to
run anything. Nor does a list include another.
"""

from msgspec import Struct

from sekisho.model.address import BadAddress, parse_path
from sekisho.model.text import printable

INCLUDE = ":include:"
"""How a target begins that is a file of targets, as in sendmail's aliases."""

LIST_BYTES = 256 * 1024
"""Largest list, in bytes: over a thousand addresses are refused anyway (`aliases.TARGETS`)."""

BAD_KEPT = 20
"""Most lines repeated that are no address."""


class Listing(Struct, frozen=True):
    """Addresses in order, each once, and what is none of them ("line 3: |/bin/sh")."""

    addresses: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()


def parse(data: bytes) -> Listing:
    """Addresses apart by commas or lines; # begins a comment line."""
    found: dict[str, None] = {}
    bad: list[str] = []
    for number, line in enumerate(data.replace(b"\r\n", b"\n").split(b"\n"), 1):
        if line.lstrip().startswith(b"#"):
            continue
        for word in filter(None, (part.strip() for part in line.split(b","))):
            address = _address(word)
            if address:
                found[address] = None
            elif len(bad) < BAD_KEPT:
                bad.append(f"line {number}: {printable(word, 100)}")
    return Listing(tuple(found), tuple(bad))


def _address(word: bytes) -> str:
    """ "" for what has no domain or is no address."""
    if word.startswith(b"<") and word.endswith(b">"):
        word = word[1:-1]
    mailbox = parse_path(word)
    return "" if mailbox is None or isinstance(mailbox, BadAddress) or not mailbox.domain else str(mailbox)
