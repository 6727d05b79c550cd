"""A delivery status notification as bytes (RFC 3464 in the multipart/report of RFC 6522).

Everything here is told: no clock, no languages. The parts of ours have LF lines and are put into wire form
at the end; the returned message is in wire form already and stands in the report as it is.
"""

import textwrap
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from sekisho.mail.form import wire_form
from sekisho.mail.mime import header_text, text_part

WIDTH = 76
DIAGNOSTIC_MAX = 600
"""Most characters of one recipient's diagnostic: what a server says in a book is not for a report."""


Action = Literal["failed", "delayed", "delivered", "relayed"]
"""RFC 3464 2.3.3."""


class Fate(Struct, frozen=True):
    """What became of one recipient. `status` RFC 3463; `diagnostic` is the reply, harmless text on one line.

    `original` as the sender wrote it: type, semicolon, address (RFC 3461 4.2); "" when it did not. `until`: a
    date after which a delayed one is given up.
    """

    recipient: str
    status: str
    diagnostic: str
    action: Action = "failed"
    original: str = ""
    until: str = ""


class Returned(Struct, frozen=True):
    """What comes back of the letter, in wire form: all of it, or its head only; `wanted`: no more was to."""

    data: bytes
    whole: bool
    wanted: bool = False


class Notice(Struct, frozen=True):
    """The report's own head and its words. `date` and `arrived` as in a Date field. `envelope` is the ENVID
    that the sender gave (RFC 3461 4.4), "" for none.
    """

    ident: str
    hostname: str
    sender: str
    recipient: str
    subject: str
    text: str
    date: str
    arrived: str
    envelope: str = ""


def dsn(notice: Notice, fates: Sequence[Fate], returned: Returned | None) -> bytes:
    """The whole letter in wire form, without the final dot."""
    boundary = _boundary(notice.ident, returned)
    eight_bit = returned is not None and not returned.data.isascii()
    mark = f"--{boundary}\n".encode("ascii")
    ours = _head(notice, boundary, "8bit" if eight_bit else "7bit")
    ours += mark + text_part(notice.text) + b"\n"
    ours += mark + b"Content-Type: message/delivery-status\n\n" + _status(notice, fates)
    letter = wire_form(ours)
    if returned is not None:
        letter += wire_form(b"\n" + mark + _returned_head(returned, eight_bit)) + returned.data
    return letter + f"\r\n--{boundary}--\r\n".encode("ascii")


def _head(notice: Notice, boundary: str, encoding: str) -> bytes:
    fields = (
        f"From: {header_text(notice.sender)} <MAILER-DAEMON@{notice.hostname}>",
        f"To: <{_ascii(notice.recipient)}>",
        f"Subject: {header_text(notice.subject)}",
        f"Date: {notice.date}",
        f"Message-ID: <{notice.ident}@{notice.hostname}>",
        "Auto-Submitted: auto-replied",  # RFC 3834 5
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status;\n boundary="{boundary}"',
        f"Content-Transfer-Encoding: {encoding}",
    )
    return ("\n".join(fields) + "\n\n").encode("ascii")


def _status(notice: Notice, fates: Sequence[Fate]) -> bytes:
    """RFC 3464 2.1: a group of fields for the message, then one for each recipient."""
    of_message = [f"Reporting-MTA: dns; {notice.hostname}", f"Arrival-Date: {notice.arrived}"]
    if notice.envelope:
        of_message.insert(0, f"Original-Envelope-Id: {_ascii(notice.envelope)}")  # RFC 3464 2.2.1
    groups = [of_message, *(_fields(each) for each in fates)]
    return "\n".join("\n".join(group) + "\n" for group in groups).encode("ascii")


def _fields(fate: Fate) -> list[str]:
    fields = [
        f"Final-Recipient: rfc822; {_ascii(fate.recipient)}",
        f"Action: {fate.action}",
        f"Status: {fate.status}",
        _folded(f"Diagnostic-Code: smtp; {_ascii(fate.diagnostic)}"[:DIAGNOSTIC_MAX]),
    ]
    if fate.original:
        fields.insert(0, f"Original-Recipient: {_ascii(fate.original)}")  # RFC 3464 2.3.1
    if fate.until:
        fields.append(f"Will-Retry-Until: {fate.until}")  # RFC 3464 2.3.9
    return fields


def _returned_head(returned: Returned, eight_bit: bool) -> bytes:
    kind = "message/rfc822" if returned.whole else "text/rfc822-headers"
    encoding = "8bit" if eight_bit else "7bit"
    return f"Content-Type: {kind}\nContent-Transfer-Encoding: {encoding}\n\n".encode("ascii")


def _boundary(ident: str, returned: Returned | None) -> str:
    """Nothing that comes back can end the report early."""
    boundary = f"=_{ident}"
    while returned is not None and boundary.encode("ascii") in returned.data:
        boundary += "_"
    return boundary


def _ascii(text: str) -> str:
    """RFC 3464 2.1.2: fields are ASCII on one line; other letters are written as their numbers."""
    plain = text if text.isascii() else text.encode("ascii", "backslashreplace").decode("ascii")
    return plain if plain.isprintable() else "".join(char if char.isprintable() else "?" for char in plain)


def _folded(field: str) -> str:
    """RFC 5322 2.2.3; a word that is longer than a line keeps its line."""
    lines = textwrap.wrap(field, WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n ".join(lines)
