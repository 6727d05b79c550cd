"""Exim's queue: its spool is read as its specification describes it, and changed by `exim -M...` alone.

A purged letter is kept as its two or three files. It comes back under its own id, frozen, with those who had
it already marked as before.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from sekisho.integrations.exim_queue import frozen, header_of, is_id, parsed, rest_of
from sekisho.integrations.foreign import BadListing, ForeignLetter, Pending
from sekisho.service import tools
from sekisho.service.foreign_desk import Copy
from sekisho.store.bounded import Bounded
from sekisho.world import Unavailable

TOGETHER = 100
"""Ids of one command."""
FIELDS_BYTES = 4 * 1024 * 1024
"""Largest -H file that is read: some ten thousand recipients."""
REMEMBERED = 50_000
PARTS = ("H", "D", "J")


class Where(Struct, frozen=True):
    """Exim's settings ("": the usual ones), and the folder of its program."""

    config: str = ""
    tools: str = ""


class EximQueue:
    """A ForeignQueue. Needs root or Exim's own user. Named queues are not looked into."""

    name = "exim"

    def __init__(self, where: Where) -> None:
        self._where = where
        told = tools.output_of([*self._program(), "-bP", "spool_directory", "exim_user", "exim_group"])
        lines = (line.partition(" = ") for line in told.decode("utf-8", "surrogateescape").splitlines())
        settings = {name: value for name, _, value in lines}
        self.folder = settings.get("spool_directory", "")
        self._owner = (settings.get("exim_user", ""), settings.get("exim_group", ""))
        if not os.path.isabs(self.folder) or not all(self._owner):
            raise Unavailable("exim", "it does not say where its spool is")
        self._known: Bounded[tuple[str, int, int], ForeignLetter] = Bounded(REMEMBERED)

    def letters(self) -> Iterable[ForeignLetter]:
        for folder, ident in self._found():
            letter = self._read(folder, ident)
            if letter is not None:
                yield letter

    def examined(self, letters: Sequence[ForeignLetter]) -> Iterator[ForeignLetter]:
        yield from letters

    def text(self, letter: ForeignLetter) -> bytes:
        parts = self.copy(letter)
        if not parts:
            return b""
        body = parts[1].partition(b"\n")[2].replace(b"\n", b"\r\n")
        return header_of(rest_of(parts[0])) + b"\r\n" + body

    def hold(self, letters: Sequence[ForeignLetter]) -> dict[str, str]:
        self._command("-Mf", letters)
        return {}

    def release(self, letters: Sequence[ForeignLetter]) -> None:
        self._command("-Mt", letters)

    def retry(self, letters: Sequence[ForeignLetter]) -> None:
        """Not waited for: a try takes as long as other hosts let it."""
        for start in range(0, len(letters), TOGETHER):
            ids = [letter.id for letter in letters[start : start + TOGETHER]]
            tools.start([*self._program(), "-M", *ids])

    def bounce(self, letters: Sequence[ForeignLetter]) -> None:
        self._command("-Mg", letters)

    def copy(self, letter: ForeignLetter) -> tuple[bytes, ...]:
        base = os.path.join(letter.place, letter.id)
        try:
            fields, body = (tools.read(f"{base}-{part}") for part in PARTS[:2])
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise Unavailable(base, error.strerror or str(error)) from error
        with contextlib.suppress(OSError):
            return fields, body, tools.read(f"{base}-J")
        return fields, body

    def remove(self, letters: Sequence[ForeignLetter]) -> None:
        self._command("-Mrm", letters)

    def put_back(self, copies: Sequence[Copy]) -> list[str]:
        return [self._put_back(letter, parts) for letter, parts in copies]

    def _put_back(self, letter: ForeignLetter, parts: Sequence[bytes]) -> str:
        """The file of fields last: with it the letter is one."""
        fields = frozen(parts[0], letter.accepted_at)
        names = [(PARTS[number], part) for number, part in enumerate(parts)]
        for part, data in (*names[1:], ("H", fields)):
            self._write(f"{letter.id}-{part}", data)
        return letter.id

    def _write(self, name: str, data: bytes) -> None:
        folder = os.path.join(self.folder, "input")
        new, path = os.path.join(folder, f"new.{name}"), os.path.join(folder, name)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        try:
            handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o640)
            with open(handle, "wb") as file:
                os.fchown(handle, *tools.owner(*self._owner))
                file.write(data)
                file.flush()
                os.fsync(handle)
            os.rename(new, path)
        except OSError as error:
            raise Unavailable(path, str(error)) from error

    def _found(self) -> Iterator[tuple[str, str]]:
        """Folder and id of each letter; one level of folders where the spool is split."""
        above = os.path.join(self.folder, "input")
        try:
            inner = [entry.path for entry in os.scandir(above) if entry.is_dir(follow_symlinks=False)]
            folders = [above, *inner]
            for folder in folders:
                for entry in os.scandir(folder):
                    ident = entry.name.removesuffix("-H")
                    if entry.name.endswith("-H") and is_id(ident):
                        yield folder, ident
        except FileNotFoundError:
            return
        except OSError as error:
            raise Unavailable(above, error.strerror or str(error)) from error

    def _read(self, folder: str, ident: str) -> ForeignLetter | None:
        """None for what has gone, or is not finished."""
        base = os.path.join(folder, ident)
        try:
            state = os.stat(f"{base}-H")
            if state.st_size > FIELDS_BYTES:
                return None
            key = (base, state.st_mtime_ns, state.st_size)
            journal = b""
            with contextlib.suppress(FileNotFoundError):
                journal = tools.read(f"{base}-J")
            known = self._known.get(key) if not journal else None
            if known is None:
                known = _parsed(ident, tools.read(f"{base}-H"), journal)
                self._known.put(key, known)
            return replace(known, place=folder, size=known.size + os.stat(f"{base}-D").st_size)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(base, error.strerror or str(error)) from error

    def _command(self, option: str, letters: Sequence[ForeignLetter]) -> None:
        """It ends with 1 when one of them has gone or is being delivered: who asks looks again."""
        for start in range(0, len(letters), TOGETHER):
            ids = [letter.id for letter in letters[start : start + TOGETHER]]
            with tools.running([*self._program(), option, *ids]) as ran:
                if ran.code not in (0, 1):
                    raise Unavailable("exim", ran.said)

    def _program(self) -> list[str]:
        config = [f"-C{self._where.config}"] if self._where.config else []
        return [exim_program(self._where.tools), *config]


def exim_program(folder: str) -> str:
    """Debian calls it exim4. Raises Unavailable."""
    try:
        return tools.find("exim", folder)
    except Unavailable:
        return tools.find("exim4", folder)


def _parsed(ident: str, fields: bytes, journal: bytes) -> ForeignLetter:
    """What cannot be read is listed and not hidden."""
    try:
        return parsed(ident, fields, journal)
    except BadListing as error:
        return ForeignLetter(ident, "failed", "", (Pending("?", str(error)),), len(fields), 0)
