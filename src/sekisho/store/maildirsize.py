"""The file `maildirsize` of Maildir++: what a mailbox holds, kept by everybody who adds or removes a letter.

Courier, Dovecot and vpopmail read and write the same file: the quota in its first line, then a line of bytes
and count for each change. It is an account of what is there, never the truth: when it is long, does not add
up or is another quota's, the letters are counted anew. Users can write into their mailbox, so the file is
read within limits, and not if it is a link.
"""

import contextlib
import re
from collections.abc import Iterator

from msgspec import Struct

from sekisho.model.quota import Quota, header
from sekisho.world import Folder, Unavailable

FILE = "maildirsize"

LENGTH_MOST = 5120
"""Bytes at which the file is made anew: so Maildir++ has it, and others rely on it."""

STALE = 15 * 60 * 1_000_000
"""Age in microseconds from which a file that says "full" is not believed (Maildir++)."""

TRASH = ".Trash"
"""A folder that does not count; nor does a letter with the flag T (Maildir++)."""

_LINE = re.compile(r"[ \t]*(-?\d{1,18})[ \t]+(-?\d{1,18})[ \t]*")
_SIZE = re.compile(r",S=(\d{1,18})(?:[,:]|$)")
_FLAGS = re.compile(r":2,[A-Za-z]*T")


class Held(Struct, frozen=True):
    """What a mailbox holds."""

    bytes: int = 0
    messages: int = 0


class Stated(Struct, frozen=True):
    """What the file says. `changes`: its lines behind the first count."""

    quota: Quota
    held: Held
    changes: int


def stated(box: Folder) -> Stated | None:
    """None: there is no such file, or it has to be made anew."""
    try:
        text = box.read(FILE, LENGTH_MOST).decode("ascii")
    except (FileNotFoundError, Unavailable, UnicodeDecodeError):
        return None
    first, _, rest = text.partition("\n")
    quota, size, count, lines = header(first), 0, 0, 0
    if quota is None or len(text) >= LENGTH_MOST or not text.endswith("\n"):
        return None
    for line in rest.split("\n")[:-1]:
        match = _LINE.fullmatch(line)
        if match is None:
            return None
        size, count, lines = size + int(match[1]), count + int(match[2]), lines + 1
    return Stated(quota, Held(size, count), lines - 1) if size >= 0 and count >= 0 else None


def held(box: Folder, quota: Quota, adding: Held, now: int) -> Held:
    """What the mailbox holds now, by the file if that can be believed; else counted, and the file renewed."""
    found = stated(box)
    if found is None or found.quota != quota:
        return renew(box, quota)
    total = Held(found.held.bytes + adding.bytes, found.held.messages + adding.messages)
    if quota.exceeded(total.bytes, total.messages) and found.changes > 0 and _is_stale(box, now):
        return renew(box, quota)
    return found.held


def renew(box: Folder, quota: Quota) -> Held:
    counted = count(box)
    text = f"{quota}\n{counted.bytes} {counted.messages}\n".encode("ascii")
    with box.enter("tmp") as tmp:
        with contextlib.suppress(FileNotFoundError):
            tmp.unlink(FILE)
        with tmp.create(FILE) as file:
            file.write(text)
            file.finish()
        tmp.move(FILE, box, FILE)
    return counted


def add(box: Folder, change: Held) -> None:
    """One line in one write: lines of several programs never mix. Nothing where there is no such file."""
    with contextlib.suppress(FileNotFoundError):
        box.append(FILE, f"{change.bytes} {change.messages}\n".encode("ascii"))


def count(box: Folder) -> Held:
    size = messages = 0
    for folder in _folders(box):
        with folder:
            for one in (*_sizes(folder, "new"), *_sizes(folder, "cur")):
                size, messages = size + one, messages + 1
    return Held(size, messages)


def _folders(box: Folder) -> Iterator[Folder]:
    yield box.enter(".")
    for name in box.names():
        if name.startswith(".") and name != TRASH:
            with contextlib.suppress(FileNotFoundError, Unavailable):  # a file, or a link
                yield box.enter(name)


def _sizes(folder: Folder, place: str) -> Iterator[int]:
    with contextlib.suppress(FileNotFoundError), folder.enter(place) as letters:
        yield from _sizes_in(letters)


def _sizes_in(letters: Folder) -> Iterator[int]:
    for name in letters.names():
        if _FLAGS.search(name):
            continue
        match = _SIZE.search(name)
        with contextlib.suppress(FileNotFoundError):  # just read, or removed
            yield int(match[1]) if match else letters.size(name)


def _is_stale(box: Folder, now: int) -> bool:
    try:
        return box.changed_at(FILE) < now - STALE
    except FileNotFoundError:
        return True
