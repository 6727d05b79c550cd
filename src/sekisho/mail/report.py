"""What a bounce says of whom: the fields of a delivery status notification (RFC 3464), as they stand.

Everything in it is what a stranger says. It is read for evidence and for people, in linear time, from at most
`READ_BYTES` of the letter.
"""

import re

from msgspec import Struct

READ_BYTES = 256 * 1024
"""Of a report only this much is read."""

TOLD_MAX = 100
"""Most recipients taken from one report."""

TEXT_MAX = 400

_FIELD = re.compile(
    rb"^(Original-Recipient|Final-Recipient|Action|Status|Diagnostic-Code)[ \t]*:[ \t]*([^\r\n]*)",
    re.I | re.M,
)
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_ADDRESS = re.compile(r"[^\s<>\"@,;:]{1,64}@[^\s<>\"@,;:]{1,255}")


class Told(Struct, frozen=True):
    """Of one recipient. `original` is the address that the sender named, "" if that is not said; `action` in
    lower case: failed, delayed, delivered, relayed, expanded, "" when it is not said.
    """

    recipient: str
    original: str = ""
    action: str = ""
    status: str = ""
    text: str = ""


def read_report(letter: bytes) -> tuple[Told, ...]:
    """In the order of the report; empty when it says nothing that is understood."""
    found: list[dict[str, str]] = []
    for match in _FIELD.finditer(letter[:READ_BYTES]):
        name = match[1].decode().lower()
        value = match[2].decode("utf-8", "replace").strip()
        if not found or name in found[-1]:
            if len(found) == TOLD_MAX:
                break
            found.append({})
        found[-1][name] = value
    return tuple(_told(group) for group in found if "final-recipient" in group)


def _told(group: dict[str, str]) -> Told:
    status = _STATUS.search(group.get("status", ""))
    text = group.get("diagnostic-code", "").partition(";")
    return Told(
        _address(group["final-recipient"]),
        _address(group.get("original-recipient", "")),
        group.get("action", "").split(" ")[0].lower(),
        status[0] if status else "",
        (text[2] or text[0]).strip()[:TEXT_MAX],
    )


def _address(value: str) -> str:
    """RFC 3464 2.3.1: a type, a semicolon, the address."""
    found = _ADDRESS.search(value.rpartition(";")[2])
    return found[0] if found else ""
