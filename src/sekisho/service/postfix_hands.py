"""Postfix's queue through Postfix's own tools: postqueue, postcat, postsuper.

A purged letter is kept as its queue file, so that it comes back as it was: with the login that brought it and
without the recipients that it had reached. The one thing that is done in its folders is to put that file into
the hold queue, followed by `postsuper -s hold`, which is how Postfix's manual restores a queue.
"""

import contextlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from sekisho.integrations.foreign import Envelope, ForeignLetter, subject_in
from sekisho.integrations.postfix_queue import envelopes, is_id, listed
from sekisho.model.text import printable
from sekisho.service import tools
from sekisho.service.foreign_desk import Copy
from sekisho.world import Unavailable

TOGETHER = 200
"""Letters that one postcat looks into."""

COMPLETE = 0o700
"""The mode by which Postfix knows that a queue file is whole."""

_GONE = re.compile(r"open queue file ([0-9A-Za-z]+): ")


class Where(Struct, frozen=True):
    """Folders: of main.cf ("" for the usual one), and of the tools."""

    config: str = ""
    tools: str = ""


class PostfixQueue:
    """A ForeignQueue. Needs root, as postsuper does."""

    name = "postfix"

    def __init__(self, where: Where) -> None:
        self._where = where
        told = self._tool("postconf", "-h", "queue_directory", "mail_owner")
        lines = tools.output_of(told).decode("utf-8", "surrogateescape").splitlines()
        if len(lines) != 2 or not os.path.isabs(lines[0]):
            raise Unavailable("postconf", "it does not say where the queue is")
        self.folder, self._owner = lines

    def letters(self) -> Iterable[ForeignLetter]:
        with tools.running(self._tool("postqueue", "-j")) as ran:
            if ran.code != 0:
                raise Unavailable("postqueue", ran.said)
            return [listed(line) for line in ran.out]

    def examined(self, letters: Sequence[ForeignLetter]) -> Iterator[ForeignLetter]:
        known = {letter.id: letter for letter in letters}
        left = iter(known)
        while names := list(islice(left, TOGETHER)):
            yield from self._looked_into(names, known)

    def _looked_into(self, names: list[str], known: dict[str, ForeignLetter]) -> Iterator[ForeignLetter]:
        """postcat stops at the first letter that has gone: those behind it are asked for again."""
        while names:
            with tools.running(self._tool("postcat", "-qeh", *names)) as ran:
                for name, found in envelopes(ran.out):
                    if name in known:
                        yield self._completed(known[name], found)
                gone = _GONE.search(ran.said)
                if ran.code == 0:
                    return
                if gone is None or gone[1] not in names:
                    raise Unavailable("postcat", ran.said)
                names = names[names.index(gone[1]) + 1 :]

    def _completed(self, letter: ForeignLetter, found: Envelope) -> ForeignLetter:
        subject = printable(subject_in(found.header), 320)
        known = replace(letter, account=found.account, address=found.address, subject=subject)
        if letter.place != "deferred" or not found.place:
            return known
        with contextlib.suppress(OSError):  # the queue manager writes there when it will try again
            return replace(
                known, next_at=os.lstat(os.path.join(self.folder, found.place)).st_mtime_ns // 1000
            )
        return known

    def text(self, letter: ForeignLetter) -> bytes:
        with tools.running(self._tool("postcat", "-qhb", letter.id)) as ran:
            return ran.text().replace(b"\n", b"\r\n") if ran.code == 0 else b""

    def hold(self, letters: Sequence[ForeignLetter]) -> dict[str, str]:
        self._postsuper("-h", letters)
        return {}

    def release(self, letters: Sequence[ForeignLetter]) -> None:
        self._postsuper("-H", letters)

    def retry(self, letters: Sequence[ForeignLetter]) -> None:
        for letter in letters:
            tools.output_of(self._tool("postqueue", "-i", letter.id))

    def bounce(self, letters: Sequence[ForeignLetter]) -> None:
        """Expired by force, and tried at once: the try fails and the sender is told."""
        self._postsuper("-f", letters)
        self.retry(letters)

    def copy(self, letter: ForeignLetter) -> tuple[bytes, ...]:
        try:
            return (tools.read(self._path(letter.id)),)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise Unavailable(self._path(letter.id), error.strerror or str(error)) from error

    def remove(self, letters: Sequence[ForeignLetter]) -> None:
        self._postsuper("-d", letters, "hold")

    def put_back(self, copies: Sequence[Copy]) -> list[str]:
        """A name holds the number of its file, so they come back under others."""
        numbers = [self._put_back(letter.id, b"".join(parts)) for letter, parts in copies]
        tools.output_of(self._tool("postsuper", "-s", "hold"))
        names = self._named()
        if not names.keys() >= set(numbers):
            raise Unavailable("postsuper", "a letter is not where it was put")
        return [names[number] for number in numbers]

    def _put_back(self, ident: str, data: bytes) -> int:
        """The number of its file."""
        path = self._plain(ident)
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with open(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fchown(handle, *tools.owner(self._owner))
                os.fchmod(handle, COMPLETE)
                os.fsync(handle)
                return os.fstat(handle).st_ino
        except OSError as error:
            raise Unavailable(path, str(error)) from error

    def _named(self) -> dict[int, str]:
        """Letters of the hold queue by the numbers of their files."""
        found: dict[int, str] = {}
        for folder, _, names in os.walk(os.path.join(self.folder, "hold")):
            for name in filter(is_id, names):
                state = os.lstat(os.path.join(folder, name))
                if stat.S_ISREG(state.st_mode):
                    found[state.st_ino] = name
        return found

    def _plain(self, name: str) -> str:
        return os.path.join(self.folder, "hold", name)

    def _path(self, name: str) -> str:
        """In the hold queue, whether its folders are nested or not (hash_queue_names)."""
        if os.path.exists(plain := self._plain(name)):
            return plain
        for folder, _, names in os.walk(os.path.join(self.folder, "hold")):
            if name in names:
                return os.path.join(folder, name)
        return plain

    def _postsuper(self, option: str, letters: Sequence[ForeignLetter], *queues: str) -> None:
        """Letters that have gone are no error to postsuper."""
        if not letters:
            return
        given = "".join(f"{letter.id}\n" for letter in letters).encode()
        with tools.running(self._tool("postsuper", option, "-", *queues), given) as ran:
            if ran.code != 0:
                raise Unavailable("postsuper", ran.said)

    def _tool(self, name: str, *words: str) -> list[str]:
        config = ("-c", self._where.config) if self._where.config else ()
        return [tools.find(name, self._where.tools), *config, *words]
