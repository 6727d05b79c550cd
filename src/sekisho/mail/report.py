"""What a bounce says of whom: by the fields of a delivery status notification (RFC 3464) if it has them, else
by its words, as programs write them that know no such fields.

Everything in it is what a stranger says. It is read for evidence and for people, in linear time, from at most
`READ_BYTES` of the letter. Nothing raises, whatever the letter is.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from sekisho.mail.report_parts import Pieces, pieces_of
from sekisho.mail.report_words import recipients_in, said_of

READ_BYTES = 96 * 1024
"""Of a report only this much is read."""

TOLD_MAX = 100
"""Most recipients taken from one report."""

TEXT_MAX = 400

_FIELD = re.compile(
    r"^[ \t]*(Original-Recipient|Final-Recipient|X-Actual-Recipient|Action|Status|Diagnostic-Code|Remote-MTA)"
    r"[ \t]*:[ \t]*([^\n]{0,2000})((?:\n[ \t]+\S[^\n]{0,1000}){0,20})",
    re.I | re.M,
)
_STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
_ADDRESS = re.compile(r"[^\s<>\"@,;:()\[\]]{1,64}@[^\s<>\"@,;:()]{1,255}")
_CODE = re.compile(r"(?<![\d.])([45])\d\d(?![\d.])")
_DELAYED = re.compile(
    r"\b(?:delayed|still (?:trying|being)|will (?:continue|keep)|not yet been|warning)\b", re.I
)
_FINAL = re.compile(
    r"permanent|gave up|giv(?:en|ing) up|could not be|undeliverable|not going to|too long", re.I
)
_FEEDBACK = re.compile(r"^Feedback-Type[ \t]*:", re.I | re.M)  # RFC 5965: a complaint, no bounce
_DAEMON = re.compile(r"daemon|postmaster|^\s*$|<>|delivery", re.I)


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
    pieces = pieces_of(letter[:READ_BYTES])
    if _FEEDBACK.search(pieces.machines):
        return ()
    told = list(_by_fields(pieces.machines)) or list(_by_fields(pieces.words))
    if told or _is_answer(pieces):
        return tuple(told[:TOLD_MAX])
    return tuple(_by_words(pieces))


def _is_answer(pieces: Pieces) -> bool:
    """Somebody's automatic answer (RFC 3834), which says nothing of a delivery."""
    by_itself = "auto-replied" in pieces.head.get("auto-submitted", "").lower()
    by_daemon = _DAEMON.search(pieces.head.get("from", "")) or "x-failed-recipients" in pieces.head
    return by_itself and not by_daemon and not pieces.original


def _by_fields(text: str) -> Iterator[Told]:
    group: dict[str, str] = {}
    for match in _FIELD.finditer(text):
        name = match[1].lower()
        if name in group or (name in ("original-recipient", "final-recipient") and "status" in group):
            yield from _told(group)
            group = {}
        group[name] = " ".join((match[2] + match[3]).split())
    yield from _told(group)


def _told(group: dict[str, str]) -> Iterator[Told]:
    original = _address(group.get("original-recipient", ""))
    final = _address(group.get("final-recipient", "")) or _address(group.get("x-actual-recipient", ""))
    if not final and not original:
        return
    status = _STATUS.search(group.get("status", ""))
    code, semicolon, text = group.get("diagnostic-code", "").partition(";")
    yield Told(
        final or original,
        original,
        group.get("action", "").split(" ")[0].lower(),
        status[0] if status else "",
        (text if semicolon else code).strip()[:TEXT_MAX],
    )


def _address(value: str) -> str:
    """RFC 3464 2.3.1: a type, a semicolon, the address."""
    found = _ADDRESS.search(value.rpartition(";")[2])
    return found[0].strip("'.") if found else ""


def _by_words(pieces: Pieces) -> Iterator[Told]:
    waits = _DELAYED.search(pieces.words[:4000]) and not _FINAL.search(pieces.words[:4000])
    for recipient in recipients_in(pieces)[:TOLD_MAX]:
        text = said_of(recipient, pieces.words)
        status = _status_in(text)
        action = "delivered" if status[:1] == "2" else "delayed" if waits and status[:1] != "5" else "failed"
        yield Told(recipient, "", action, status, text[:TEXT_MAX])


def _status_in(text: str) -> str:
    """The first that is no success; where there is none, the class of a reply of SMTP."""
    found = _STATUS.findall(text)
    if bad := next((each for each in found if each[0] != "2"), ""):
        return bad
    code = _CODE.search(text)
    return f"{code[1]}.0.0" if code else found[0] if found else ""
