"""Delivered-To: through whose hands a letter has gone already. It ends the loops that forwarding makes.

No RFC has it; every server that lets users forward writes it. A forged one costs its writer's letter only.
"""

import re

DELIVERED_MAX = 10
"""Most forwards behind each other."""

KEPT = 50

_FIELD = re.compile(rb"(?:\A|\r?\n)delivered-to:[ \t]*([^\r\n]{1,320})", re.IGNORECASE)
_END = re.compile(rb"\r?\n\r?\n")


def delivered_to(start: bytes) -> tuple[str, ...]:
    """The addresses in a letter's head, the newest first; `start` is the letter or its beginning."""
    if start.startswith((b"\r\n", b"\n")):
        return ()
    end = _END.search(start)
    head = start[: end.start()] if end else start
    found = _FIELD.findall(head)[:KEPT]
    return tuple(value.strip().strip(b"<>").decode("utf-8", "replace") for value in found)


def delivered_field(address: str) -> bytes:
    """The field that we add, in wire form; an address that would make two lines of it is nobody's."""
    plain = "".join(char for char in address if char.isprintable())
    return f"Delivered-To: {plain}\r\n".encode()
