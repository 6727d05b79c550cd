"""What an operator can do about a database that does not work: said behind the words of SQLite, which say
only what is wrong.
"""

BACKUP = "put it back from a backup (docs/install.md)"
READABLE = "is it there, and may this user write it and its folder? run the command as root or as its owner"

_REMEDIES = (
    ("not a database", BACKUP),
    ("malformed", BACKUP),
    ("no such table", BACKUP),
    ("unable to open", READABLE),
    ("readonly", READABLE),
    ("locked", "another process is at work in it; try again in a moment"),
    ("full", "make room on its disk"),
    ("i/o error", "look at its disk (dmesg), make room, then " + BACKUP),
)
"""A part of the message in lower case, and what helps."""


def advised(trouble: str) -> str:
    """The message of SQLite, with a remedy where one is known."""
    found = next((remedy for part, remedy in _REMEDIES if part in trouble.lower()), "")
    return f"{trouble}; {found}" if found else trouble
