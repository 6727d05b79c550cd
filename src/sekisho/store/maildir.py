"""Delivery into a Maildir, so that a crash at any moment neither loses a letter nor delivers it twice.

The file's name is made from the delivery's id. Write in `tmp`, fsync, rename into `new`, fsync the folder:
only then is it delivered. A delivery that may have been tried before looks for its name in `new` and `cur`
first.
"""

import re
from collections.abc import Iterable, Iterator

from sekisho.model.ident import id_time
from sekisho.world import Disk, NewFile

FOLDERS = ("tmp", "new", "cur")

_FOLDER = re.compile(r"[A-Za-z0-9_+=-]+(?:\.[A-Za-z0-9_+=-]+)*")


class Maildir:
    """One mailbox. `folder` is its absolute path; all calls block."""

    def __init__(self, disk: Disk, folder: str) -> None:
        self._disk = disk
        self._folder = folder

    def deliver(self, delivery: str, parts: Iterable[bytes]) -> None:
        """When it returns the letter survives a power cut. `parts` as `mailbox_form` gives them."""
        base = name_of(delivery)
        temporary = f"{self._folder}/tmp/{base}"
        size, lines = self._write(temporary, parts)
        # The sizes in the name save a reader from opening the file: S as stored, W with CRLF (Maildir++).
        self._disk.rename(temporary, f"{self._folder}/new/{base},S={size},W={size + lines}")
        self._disk.sync_folder(f"{self._folder}/new")

    def holds(self, delivery: str) -> bool:
        """Found in `new` or `cur`: it has been delivered. A letter that its reader has deleted is not
        found."""
        base = name_of(delivery)
        found = any(
            name.startswith(base)
            for place in ("new", "cur")
            if self._disk.exists(f"{self._folder}/{place}")
            for name in self._disk.list(f"{self._folder}/{place}")
        )
        if found:  # a rename may have happened without the fsync of its folder
            self._disk.sync_folder(f"{self._folder}/new")
        return found

    def folder(self, name: str) -> "Maildir | None":
        """The folder of this name (Maildir++: `.name`, a dot for each level), if there is one; case is
        its maker's."""
        if not _FOLDER.fullmatch(name) or not self._disk.exists(self._folder):
            return None
        for found in self._disk.list(self._folder):
            if found.lower() == f".{name.lower()}" and self._disk.exists(f"{self._folder}/{found}/new"):
                return Maildir(self._disk, f"{self._folder}/{found}")
        return None

    def _write(self, path: str, parts: Iterable[bytes]) -> tuple[int, int]:
        size = lines = 0
        with self._create(path) as file:
            for part in parts:
                size += len(part)
                lines += part.count(b"\n")
                file.write(part)
            file.finish()
        return size, lines

    def _create(self, path: str) -> NewFile:
        if not self._disk.exists(f"{self._folder}/new"):
            for name in FOLDERS:
                self._disk.make_folders(f"{self._folder}/{name}")
        try:
            return self._disk.create(path)
        except FileExistsError:  # left behind by a crash: nobody else makes this name
            self._disk.unlink(path)
            return self._disk.create(path)


def name_of(delivery: str) -> str:
    """Seconds, then what is unique: the id says both, whatever host or process delivers."""
    return f"{id_time(delivery) // 1_000_000}.D{delivery}.sekisho"


def mailbox_form(parts: Iterable[bytes]) -> Iterator[bytes]:
    """From wire form: CRLF becomes LF, and the dot is taken off lines that begin with one (RFC 5321 4.5.2).
    """
    kept = b"\r\n"  # as if a line had ended before the first
    first = True
    for part in parts:
        data = kept + part
        held = 2 if data.endswith(b"\r\n") else 1 if data.endswith(b"\r") else 0
        data, kept = data[: len(data) - held], data[len(data) - held :]
        if b"\r\n." in data:
            data = data.replace(b"\r\n.", b"\r\n")
        data = data.replace(b"\r\n", b"\n")
        if data:
            yield data[1:] if first else data
            first = False
    if not first:
        yield kept.replace(b"\r\n", b"\n")
