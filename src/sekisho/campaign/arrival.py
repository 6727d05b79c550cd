"""The day on which a letter arrived: by the topmost Received field, which our own side wrote, else by its
Date."""

from datetime import UTC, date
from email.utils import parsedate_to_datetime

from sekisho.mail.parts import parts_of

EARLIEST = date(1982, 8, 13)
"""RFC 822; a letter that claims to be older is mistaken."""


def arrived(letter: bytes) -> tuple[date, str] | None:
    """The day in UTC, and `received` or `date`. A Date may be forged; a Received of the last host is not."""
    fields = parts_of(letter[: 64 * 1024]).fields
    for name in ("received", "date"):
        said = fields.get(name, b"").decode("ascii", "replace")
        day = _day(said.rpartition(";")[2] if name == "received" else said)
        if day:
            return day, name
    return None


def _day(said: str) -> date | None:
    try:
        moment = parsedate_to_datetime(said.strip())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    try:
        day = moment.astimezone(UTC).date() if moment.tzinfo else moment.date()
    except (ValueError, OverflowError):
        return None
    return day if day >= EARLIEST else None
