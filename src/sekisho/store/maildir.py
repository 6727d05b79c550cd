"""Delivery into a Maildir, so that a crash at any moment neither loses a letter nor delivers it twice.

The file's name is made from the delivery's id. Write in `tmp`, fsync, rename into `new`, fsync the folder:
only then is it delivered. A delivery that may have been tried before is looked for by its id first
(`store/seen.py`).
"""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator

from sekisho.model.ident import id_time
from sekisho.world import Disk, Folder, NewFile, Unavailable

FOLDERS = ("tmp", "new", "cur")

LEFTOVER = 36 * 3600 * 1_000_000
"""Age in microseconds at which a file in `tmp` has no writer any more: what the Maildir format says."""

LEFTOVERS_MOST = 100
"""Most tries of one delivery that were cut off in the middle within that time."""

_OURS = re.compile(r"[0-9]+\.D([0-9A-Za-z]+)\.sekisho")
"""A file that `name_of` has named, whatever its reader made of the name's end."""

_FOLDER = re.compile(r"[A-Za-z0-9_+=-]+(?:\.[A-Za-z0-9_+=-]+)*")

Booking = Callable[[int], contextlib.AbstractContextManager[None]]


def unbooked(size: int) -> contextlib.AbstractContextManager[None]:
    """Nobody keeps account of this letter."""
    return contextlib.nullcontext()


class Maildir:
    """One mailbox. `folder` is its absolute path; all calls block.

    Users may write into their mailboxes, so no symbolic link below `base`, which is the operator's, is
    followed: a letter goes into this mailbox or nowhere.
    """

    def __init__(self, disk: Disk, folder: str, base: str = "") -> None:
        self._disk = disk
        self._base = base or folder.rpartition("/")[0] or "/"
        self._below = tuple(name for name in folder.removeprefix(self._base).split("/") if name)
        self.path = folder

    def deliver(self, delivery: str, parts: Iterable[bytes], booking: Booking = unbooked) -> None:
        """When it returns the letter survives a power cut. `parts` as `mailbox_form` gives them; `booking` is
        given the size and entered while the letter comes to be there."""
        base = name_of(delivery)
        with self._open() as box, _entered(box, "tmp") as tmp, _entered(box, "new") as new:
            temporary, (size, lines) = self._write(tmp, base, parts)
            # The sizes in the name save a reader from opening the file: S as stored, W with CRLF (Maildir++).
            with booking(size):
                tmp.move(temporary, new, f"{base},S={size},W={size + lines}")
                new.sync()

    def deliveries(self) -> set[str]:
        """The ids of those whose letters are in `new` or `cur`, and will be after a power cut. A letter that
        its reader has deleted is not among them."""
        with self._open() as box, _entered(box, "new") as new, _entered(box, "cur") as cur:
            # `new` first: what a reader moves meanwhile is seen twice rather than not at all
            names = [*new.names(), *cur.names()]
            found = {match[1] for name in names if (match := _OURS.match(name))}
            if found:  # a rename may have happened without the fsync of its folder
                new.sync()
        return found

    def folder(self, name: str) -> "Maildir | None":
        """The folder of this name (Maildir++: `.name`, a dot for each level), if there is one; case is
        its maker's."""
        if not _FOLDER.fullmatch(name):
            return None
        with self._open() as box:
            for found in box.names():
                if found.lower() == f".{name.lower()}" and _is_maildir(box, found):
                    return Maildir(self._disk, "/".join((self._base, *self._below, found)), self._base)
        return None

    @contextlib.contextmanager
    def opened(self) -> Iterator[Folder]:
        """For what is kept beside the letters."""
        with self._open() as box, _entered(box, "tmp"):
            yield box

    def clean(self, now: int) -> int:
        """Removes what crashes left in `tmp`; returns how many files."""
        removed = 0
        with self._open() as box, _entered(box, "tmp") as tmp:
            for name in tmp.names():
                with contextlib.suppress(FileNotFoundError):  # its writer has just finished
                    if tmp.changed_at(name) < now - LEFTOVER:
                        tmp.unlink(name)
                        removed += 1
        return removed

    def _write(self, tmp: Folder, base: str, parts: Iterable[bytes]) -> tuple[str, tuple[int, int]]:
        """Under a name that nobody else writes to, not even an earlier try of this delivery."""
        for number in range(LEFTOVERS_MOST):
            name = f"{base}.{number}"
            try:
                with tmp.create(name) as file:
                    sizes = _filled(file, parts)
            except FileExistsError:
                continue
            return name, sizes
        raise Unavailable(f"tmp/{base}", "too many tries were cut off here")

    def _open(self) -> Folder:
        """The folder, made if need be with those that a Maildir has."""
        if not self._disk.exists(self._base):
            self._disk.make_folders(self._base)
        folder = self._disk.folder(self._base)
        for name in self._below:
            with folder:
                folder = _entered(folder, name)
        return folder


def _is_maildir(box: Folder, name: str) -> bool:
    """Not what is only called like one: a file, or a link."""
    try:
        with box.enter(name) as inside, inside.enter("new"):
            return True
    except (FileNotFoundError, Unavailable):
        return False


def _entered(folder: Folder, name: str) -> Folder:
    try:
        return folder.enter(name)
    except FileNotFoundError:
        for absent in FOLDERS if name in FOLDERS else (name,):
            folder.make(absent)
        return folder.enter(name)


def _filled(file: NewFile, parts: Iterable[bytes]) -> tuple[int, int]:
    """Bytes and lines."""
    size = lines = 0
    for part in parts:
        size += len(part)
        lines += part.count(b"\n")
        file.write(part)
    file.finish()
    return size, lines


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
