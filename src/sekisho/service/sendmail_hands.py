"""sendmail's queue: its files are read, quarantine is sendmail's own, and a letter is removed under its lock.

A purged letter is kept as its two files, and comes back in quarantine under its own id.
"""

import contextlib
import fcntl
import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import IO

from msgspec import Struct
from msgspec.structs import replace

from sekisho.integrations.foreign import BadListing, ForeignLetter, Pending
from sekisho.integrations.sendmail_queue import REASON, header_of, is_id, parsed, quarantined
from sekisho.service import tools
from sekisho.service.foreign_desk import Copy
from sekisho.store.bounded import Bounded
from sekisho.world import Unavailable

CONFIG, QUEUE = "/etc/mail/sendmail.cf", "/var/spool/mqueue"
TOGETHER = 50
FIELDS_BYTES = 4 * 1024 * 1024
REMEMBERED = 50_000
_QUEUE = re.compile(r"^O\s+QueueDirectory\s*=\s*(/\S+)", re.MULTILINE)


class Where(Struct, frozen=True):
    """sendmail.cf and the queue's folder ("": the usual ones), and the folder of its program."""

    config: str = ""
    queue: str = ""
    tools: str = ""


class SendmailQueue:
    """A ForeignQueue. Needs root."""

    name = "sendmail"

    def __init__(self, where: Where) -> None:
        self._where = where
        self.folder = where.queue or _folder_in(where.config or CONFIG)
        self._known: Bounded[tuple[str, int, int], ForeignLetter] = Bounded(REMEMBERED)

    def letters(self) -> Iterable[ForeignLetter]:
        for folder in self._folders():
            for name in _names(folder):
                letter = self._read(folder, name) if name[:2] in ("qf", "hf") and is_id(name[2:]) else None
                if letter is not None:
                    yield letter

    def examined(self, letters: Sequence[ForeignLetter]) -> Iterator[ForeignLetter]:
        yield from letters

    def text(self, letter: ForeignLetter) -> bytes:
        parts = self.copy(letter)
        return header_of(parts[0]) + b"\r\n" + parts[1].replace(b"\n", b"\r\n") if parts else b""

    def hold(self, letters: Sequence[ForeignLetter]) -> dict[str, str]:
        self._command([f"-Q{REASON}"], letters)
        return {}

    def release(self, letters: Sequence[ForeignLetter]) -> None:
        self._command(["-qQ", "-Q"], letters)

    def retry(self, letters: Sequence[ForeignLetter]) -> None:
        """Not waited for: a try takes as long as other hosts let it."""
        for words in self._selecting(letters):
            tools.start([*self._program(), *words])

    def bounce(self, letters: Sequence[ForeignLetter]) -> None:
        """Tried once more; what fails then is returned."""
        held = [letter for letter in letters if letter.held]
        self.release(held)
        for words in self._selecting(letters):
            tools.start([*self._program(), "-OTimeout.queuereturn=now", *words])

    def copy(self, letter: ForeignLetter) -> tuple[bytes, ...]:
        try:
            return tools.read(letter.place), tools.read(_body(letter.place))
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise Unavailable(letter.place, error.strerror or str(error)) from error

    def remove(self, letters: Sequence[ForeignLetter]) -> None:
        """Whose file is locked is being delivered: it stays."""
        for letter in letters:
            with contextlib.suppress(FileNotFoundError, BlockingIOError), _plain(letter.place) as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(letter.place)
                os.unlink(_body(letter.place))

    def put_back(self, copies: Sequence[Copy]) -> list[str]:
        return [self._put_back(letter, parts) for letter, parts in copies]

    def _put_back(self, letter: ForeignLetter, parts: Sequence[bytes]) -> str:
        """The file of fields last, under the name of what is in quarantine."""
        held = os.path.join(os.path.dirname(letter.place), f"hf{letter.id}")
        new = os.path.join(os.path.dirname(letter.place), f"tf{letter.id}")
        try:
            _write(_body(held), parts[1])
            _write(new, quarantined(parts[0]))
            os.rename(new, held)
        except OSError as error:
            raise Unavailable(held, error.strerror or str(error)) from error
        return letter.id

    def _folders(self) -> Iterator[str]:
        """Of a queue that is split into several, all; each may have a folder `qf` for the files of fields."""
        try:
            above = sorted(glob.glob(self.folder)) if self.folder.endswith("*") else [self.folder]
            for folder in above:
                inner = os.path.join(folder, "qf")
                yield inner if os.path.isdir(inner) else folder
        except OSError as error:
            raise Unavailable(self.folder, error.strerror or str(error)) from error

    def _read(self, folder: str, name: str) -> ForeignLetter | None:
        """None for what has gone."""
        path = os.path.join(folder, name)
        try:
            state = os.stat(path)
            if state.st_size > FIELDS_BYTES or state.st_size == 0:
                return None  # empty: sendmail has begun to take it in
            key = (path, state.st_mtime_ns, state.st_size)
            known = self._known.get(key)
            if known is None:
                known = replace(_parsed(name, tools.read(path)), place=path)
                self._known.put(key, known)
            return replace(known, size=known.size + os.stat(_body(path)).st_size)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(path, error.strerror or str(error)) from error

    def _command(self, words: list[str], letters: Sequence[ForeignLetter]) -> None:
        for chosen in self._selecting(letters):
            with tools.running([*self._program(), *words, *chosen]) as ran:
                if ran.code != 0:
                    raise Unavailable("sendmail", ran.said)

    def _selecting(self, letters: Sequence[ForeignLetter]) -> Iterator[list[str]]:
        for start in range(0, len(letters), TOGETHER):
            yield [f"-qI{letter.id}" for letter in letters[start : start + TOGETHER]]

    def _program(self) -> list[str]:
        config = [f"-C{self._where.config}"] if self._where.config else []
        return [tools.find("sendmail", self._where.tools), *config]


def _folder_in(config: str) -> str:
    """QueueDirectory of sendmail.cf. Raises Unavailable."""
    try:
        with open(config, encoding="utf-8", errors="surrogateescape") as file:  # may well be a link
            found = _QUEUE.search(file.read())
    except OSError as error:
        raise Unavailable(config, error.strerror or str(error)) from error
    return found[1] if found else QUEUE


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError as error:
        raise Unavailable(folder, error.strerror or str(error)) from error


def _body(fields: str) -> str:
    folder, name = os.path.split(fields)
    if os.path.basename(folder) == "qf":
        folder = os.path.join(os.path.dirname(folder), "df")
    return os.path.join(folder, f"df{name[2:]}")


def _parsed(name: str, data: bytes) -> ForeignLetter:
    """What cannot be read is listed and not hidden."""
    try:
        return parsed(name[2:], data, held=name.startswith("hf"))
    except BadListing as error:
        return ForeignLetter(name[2:], "failed", "", (Pending("?", str(error)),), len(data), 0)


def _plain(path: str) -> IO[bytes]:
    """To be locked. Raises Unavailable for a link: who planted it would choose what we lock."""
    try:
        return open(os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK), "r+b")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unavailable(path, error.strerror or str(error)) from error


def _write(path: str, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(handle)
