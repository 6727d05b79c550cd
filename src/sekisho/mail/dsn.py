"""A delivery status notification as bytes (RFC 3464 in the multipart/report of RFC 6522).

Everything here is told: no clock, no languages. The parts of ours have LF lines and are put into wire form
at the end; the returned message is in wire form already and stands in the report as it is.
"""

import textwrap
from collections.abc import Sequence

from msgspec import Struct

from sekisho.mail.form import wire_form
from sekisho.mail.mime import header_text, text_part

WIDTH = 76
DIAGNOSTIC_MAX = 600
"""Most characters of one recipient's diagnostic: what a server says in a book is not for a report."""


class Failed(Struct, frozen=True):
    """One recipient that got nothing. `status` RFC 3463; `diagnostic` is the reply, harmless text on one
    line.
    """

    recipient: str
    status: str
    diagnostic: str


class Returned(Struct, frozen=True):
    """What comes back of the letter, in wire form: all of it, or its head only."""

    data: bytes
    whole: bool


class Notice(Struct, frozen=True):
    """The report's own head and its words. `date` and `arrived` as in a Date field."""

    ident: str
    hostname: str
    sender: str
    recipient: str
    subject: str
    text: str
    date: str
    arrived: str


def dsn(notice: Notice, failed: Sequence[Failed], returned: Returned | None) -> bytes:
    """The whole letter in wire form, without the final dot."""
    boundary = _boundary(notice.ident, returned)
    eight_bit = returned is not None and not returned.data.isascii()
    mark = f"--{boundary}\n".encode("ascii")
    ours = _head(notice, boundary, "8bit" if eight_bit else "7bit")
    ours += mark + text_part(notice.text) + b"\n"
    ours += mark + b"Content-Type: message/delivery-status\n\n" + _status(notice, failed)
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


def _status(notice: Notice, failed: Sequence[Failed]) -> bytes:
    """RFC 3464 2.1: a group of fields for the message, then one for each recipient."""
    groups = [f"Reporting-MTA: dns; {notice.hostname}\nArrival-Date: {notice.arrived}\n"]
    for each in failed:
        groups.append(
            f"Final-Recipient: rfc822; {_ascii(each.recipient)}\n"
            "Action: failed\n"
            f"Status: {each.status}\n"
            f"{_folded(f'Diagnostic-Code: smtp; {_ascii(each.diagnostic)}'[:DIAGNOSTIC_MAX])}\n"
        )
    return "\n".join(groups).encode("ascii")


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
