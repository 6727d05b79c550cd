"""Letters of an archive, one after the other: an mbox (RFC 4155), a Maildir, a folder, or one file.

One letter is in memory at a time, and of a letter no more than is ever read. Links are not followed out of
a folder.
"""

import errno
import os
import stat
from collections.abc import Iterator

from msgspec import Struct

LETTER_BYTES = 8 * 1024 * 1024
"""Of a larger letter the rest is passed over."""


class Kept(Struct, frozen=True):
    """`place`: the file, and in an mbox the number of the letter, from 1. `kept`: when the file was
    written, in seconds; 0 in an mbox.
    """

    place: str
    letter: bytes
    kept: float = 0.0


def letters_in(path: str) -> Iterator[Kept]:
    """Raises OSError where `path` itself cannot be read; a file within it that cannot is passed over."""
    if os.path.isdir(path):
        yield from _folder(path)
        return
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(errno.EINVAL, "no file and no folder", path)  # a pipe would keep us waiting
    with open(path, "rb") as file:
        begins = file.read(5)
    if begins == b"From ":
        yield from _mbox(path)
    else:
        yield _single(path)


def _folder(path: str) -> Iterator[Kept]:
    if os.path.isdir(os.path.join(path, "cur")) and os.path.isdir(os.path.join(path, "new")):
        inner = sorted(
            entry.path
            for entry in os.scandir(path)
            if entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
        )
        folders = [os.path.join(folder, part) for folder in [path, *inner] for part in ("cur", "new")]
        for folder in folders:
            yield from _files(folder)
        return
    for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False):
            yield from _folder(entry.path)
        elif entry.is_file(follow_symlinks=False):
            yield from _read(entry.path)


def _files(folder: str) -> Iterator[Kept]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.is_file(follow_symlinks=False):
            yield from _read(entry.path)


def _read(path: str) -> Iterator[Kept]:
    try:
        yield from letters_in(path)
    except OSError:
        return


def _single(path: str) -> Kept:
    with open(path, "rb") as file:
        return Kept(path, file.read(LETTER_BYTES), os.fstat(file.fileno()).st_mtime)


def _mbox(path: str) -> Iterator[Kept]:
    """A line `From ` behind an empty line begins the next letter; `>From ` in a letter is one `>` less."""
    number, size, lines, empty = 0, 0, list[bytes](), True
    with open(path, "rb") as file:
        for line in file:
            if empty and line.startswith(b"From "):
                if number:
                    yield Kept(f"{path}:{number}", b"".join(lines))
                number, size, lines = number + 1, 0, []
                continue
            empty = line in (b"\n", b"\r\n")
            size += len(line)
            if size <= LETTER_BYTES:
                lines.append(
                    line[1:] if line.startswith(b">") and line.lstrip(b">").startswith(b"From ") else line
                )
    yield Kept(f"{path}:{number}", b"".join(lines))
