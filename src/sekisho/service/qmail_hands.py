"""qmail's queue, whether qmail-send runs or not: its files are changed only as qmail-send and qmail-queue do.

qmail cannot hold a letter. So one that is held stands in a folder of ours beside theirs, with those
recipients that it had still to reach, and in their queue these are marked as done, as qmail-send marks them,
one byte each. Let go, it comes back: with qmail-send stopped as it was, else as a new letter through todo/.
"""

import contextlib
import fcntl
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from msgspec import Struct

from sekisho.integrations import qmail_queue
from sekisho.integrations.foreign import BadListing, ForeignLetter, Pending, subject_in
from sekisho.integrations.qmail_queue import Record
from sekisho.model.text import printable
from sekisho.service.channel import NotDone
from sekisho.service.foreign_desk import Copy
from sekisho.service.qmail_files import CHANNELS, QmailFiles
from sekisho.service.tools import read
from sekisho.world import Unavailable

QUEUE = "/var/qmail/queue"
SECOND = 1_000_000
HEAD_BYTES = 64 * 1024
"""So much of a letter is read for its header."""

TOGETHER = 16
LONG_AGO = 1
"""A birth time by which every queuelifetime is over."""


class Where(Struct, frozen=True):
    queue: str = ""


class QmailQueue:
    """A ForeignQueue. Needs root, or the users of qmail."""

    name = "qmail"

    def __init__(self, where: Where) -> None:
        self.folder = where.queue or QUEUE
        self._files = QmailFiles(self.folder)

    def letters(self) -> Iterable[ForeignLetter]:
        held = [self._held(name) for name in self._files.held()]
        theirs = [self._theirs(name) for name in self._files.numbers()]
        return [letter for letter in (*held, *theirs) if letter is not None and letter.recipients]

    def examined(self, letters: Sequence[ForeignLetter]) -> Iterator[ForeignLetter]:
        yield from letters

    def text(self, letter: ForeignLetter) -> bytes:
        """Nothing of what has gone, or is no plain file."""
        with contextlib.suppress(OSError):
            return read(self._message(letter)).replace(b"\n", b"\r\n")
        return b""

    def hold(self, letters: Sequence[ForeignLetter]) -> dict[str, str]:
        """What qmail-send has not yet taken from todo/ is passed over: it will be in a moment."""
        with (
            self._changing(),
            ThreadPoolExecutor(TOGETHER) as pool,
        ):  # a disk syncs many files in hardly more time than one
            names = list(pool.map(self._hold, letters))
        return {letter.id: name for letter, name in zip(letters, names, strict=True) if name}

    def _hold(self, letter: ForeignLetter) -> str:
        """Its number in our folder, "" for what is there already or has reached everybody."""
        if letter.place or letter.state == "failed":
            return ""
        while any((pending := self._waiting(letter.id)).values()):
            with contextlib.suppress(FileNotFoundError):  # it went while we read it
                name = self._keep(letter, pending)
                if self._waiting(letter.id) == pending:
                    self._mark_done(letter.id, pending)
                    return name
                self._files.drop(name)  # somebody was reached while we wrote, and is not to be held
        return ""

    def release(self, letters: Sequence[ForeignLetter]) -> None:
        stay: list[str] = []
        with self._changing(), self._alone() as alone:
            for letter in letters:
                if os.path.exists(letter.place) and not self._let_go(letter, alone=alone):
                    stay.append(letter.id)
        if stay:
            raise NotDone(
                f"letters to mailboxes of this server ({', '.join(stay[:5])}) stay: qmail-send would rewrite "
                "their names once more; stop it (svc -d), release them, and start it again"
            )

    def retry(self, letters: Sequence[ForeignLetter]) -> None:
        raise NotDone("qmail-send tries all of its letters or none: svc -a, or send it SIGALRM")

    def bounce(self, letters: Sequence[ForeignLetter]) -> None:
        """At its next try it is too old, and is returned."""
        for letter in letters:
            with contextlib.suppress(FileNotFoundError):
                os.utime(self._info(letter), (LONG_AGO, LONG_AGO), follow_symlinks=False)

    def copy(self, letter: ForeignLetter) -> tuple[bytes, ...]:
        if not letter.place:
            return ()
        names = ("mess", "info", *CHANNELS)
        birth = b"%d" % (letter.accepted_at // SECOND)
        return (*(read(os.path.join(letter.place, name)) for name in names), birth)

    def remove(self, letters: Sequence[ForeignLetter]) -> None:
        with self._changing():
            for letter in letters:
                if letter.place and os.path.exists(letter.place):
                    self._files.drop(os.path.basename(letter.place))

    def put_back(self, copies: Sequence[Copy]) -> list[str]:
        with self._changing():
            return [self._put_back(letter, parts) for letter, parts in copies]

    def _put_back(self, letter: ForeignLetter, parts: Sequence[bytes]) -> str:
        message, info, local, remote, birth = parts
        return self._files.keep(message, {"info": info, "local": local, "remote": remote}, int(birth))

    def _theirs(self, name: str) -> ForeignLetter | None:
        """None for what has gone, or has reached everybody."""
        try:
            mess = self._files.path("mess", name)
            size = os.stat(mess).st_size
            info = self._files.path("info", name)
            if os.path.exists(info):
                sender, birth = qmail_queue.sender_of(read(info)), os.stat(info).st_mtime_ns // 1000
                left = [one.address for channel in CHANNELS for one in self._pending(channel, name)]
            else:
                todo = self._files.todo(name)
                sender, left = qmail_queue.envelope_of(read(todo))
                birth = os.stat(todo).st_mtime_ns // 1000
            return _letter(name, (sender, left), read(mess, HEAD_BYTES), (size, birth))
        except FileNotFoundError:
            return None
        except (BadListing, OSError) as error:
            return ForeignLetter(name, "failed", "", (Pending("?", str(error)),), 0, 0)

    def _held(self, name: str) -> ForeignLetter | None:
        """With those who are marked in their queue: the others are theirs still. Changes nothing."""
        folder = self._files.held_folder(name)
        try:
            if self._files.is_let_go(name):
                return None
            left = list((self._kept(folder) - self._theirs_of(folder)).elements())
            mess, info = os.path.join(folder, "mess"), os.path.join(folder, "info")
            birth, size = os.stat(info).st_mtime_ns // 1000, os.stat(mess).st_size
            sender = qmail_queue.sender_of(read(info))
            return _letter(name, (sender, left), read(mess, HEAD_BYTES), (size, birth), folder)
        except FileNotFoundError:
            return None
        except (BadListing, OSError) as error:
            return ForeignLetter(name, "failed", "", (Pending("?", str(error)),), 0, 0)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """One at a time; first, what a crash left half done is done, or undone."""
        with self._files.locked():
            self._files.sweep()
            for name in self._files.held():
                self._settle(name)
            yield

    def _settle(self, name: str) -> None:
        """Nobody marked: the letter is theirs. Somebody marked: ours alone knows of him, so all are held."""
        folder = self._files.held_folder(name)
        if self._files.is_let_go(name):
            self._files.drop(name)
            return
        try:
            theirs, kept = self._theirs_of(folder), self._kept(folder)
        except (BadListing, OSError):  # it is listed as failed, and the others are not made to wait for it
            return
        if theirs and theirs == kept:
            self._files.drop(name)
        elif theirs:
            origin = self._origin(folder)
            with contextlib.suppress(FileNotFoundError):  # qmail-send has just cleared it away
                self._mark_done(origin, self._waiting(origin))

    def _kept(self, folder: str) -> Counter[bytes]:
        found = (
            one for channel in CHANNELS for one in qmail_queue.records(read(os.path.join(folder, channel)))
        )
        return Counter(one.address for one in found)

    def _theirs_of(self, folder: str) -> Counter[bytes]:
        """Who of a letter that we have copied waits in their queue: all who do were copied."""
        waiting = self._waiting(origin) if (origin := self._origin(folder)) else {}
        return Counter(one.address for found in waiting.values() for one in found)

    def _origin(self, folder: str) -> str:
        """The number of the letter in their queue, "" when it has gone from there."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            name, size, changed = read(os.path.join(folder, "origin")).decode("ascii").split(" ")
            state = os.stat(self._files.path("mess", name))
            if (state.st_size, state.st_mtime_ns) == (int(size), int(changed)):
                return name
        return ""

    def _waiting(self, name: str) -> dict[str, list[Record]]:
        return {channel: self._pending(channel, name) for channel in CHANNELS}

    def _pending(self, channel: str, name: str) -> list[Record]:
        with contextlib.suppress(FileNotFoundError):
            found = qmail_queue.records(read(self._files.path(channel, name)))
            return [one for one in found if not one.done]
        return []

    def _keep(self, letter: ForeignLetter, pending: dict[str, list[Record]]) -> str:
        path = self._files.path("mess", letter.id)
        state = os.stat(path)
        parts = {
            channel: qmail_queue.waiting([one.address for one in pending[channel]]) for channel in CHANNELS
        }
        parts["info"] = read(self._files.path("info", letter.id))
        parts["origin"] = b"%s %d %d" % (letter.id.encode(), state.st_size, state.st_mtime_ns)
        return self._files.keep(read(path), parts, letter.accepted_at // SECOND)

    def _mark_done(self, name: str, pending: dict[str, list[Record]]) -> None:
        """As qmail-send's own markdone: one byte over another."""
        for channel, found in pending.items():
            if found:
                handle = os.open(self._files.path(channel, name), os.O_WRONLY | os.O_NOFOLLOW)
                try:
                    for one in found:
                        os.pwrite(handle, b"D", one.offset)
                    os.fsync(handle)
                finally:
                    os.close(handle)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        """True while we are what qmail-send would be: it holds this lock as long as it runs."""
        path = os.path.join(self.folder, "lock", "sendmutex")
        try:
            handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK)
        except OSError as error:
            raise Unavailable(path, error.strerror or str(error)) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield True
        except BlockingIOError:
            yield False
        finally:
            os.close(handle)

    def _let_go(self, letter: ForeignLetter, *, alone: bool) -> bool:
        folder = letter.place
        parts = {name: read(os.path.join(folder, name)) for name in ("info", *CHANNELS)}
        if not alone and parts["local"]:
            return False
        if alone:
            self._files.restore(folder, letter.id, parts, letter.accepted_at // SECOND)
        else:
            remote = [one.address for one in qmail_queue.records(parts["remote"])]
            sender = qmail_queue.sender_of(parts["info"])
            self._files.submit(folder, letter.id, qmail_queue.envelope(sender, remote, os.getpid()))
        self._files.drop(letter.id)
        return True

    def _info(self, letter: ForeignLetter) -> str:
        return os.path.join(letter.place, "info") if letter.place else self._files.path("info", letter.id)

    def _message(self, letter: ForeignLetter) -> str:
        return os.path.join(letter.place, "mess") if letter.place else self._files.path("mess", letter.id)


def _letter(
    name: str, envelope: tuple[bytes, list[bytes]], message: bytes, numbers: tuple[int, int], place: str = ""
) -> ForeignLetter:
    origin = qmail_queue.origin_of(message)
    header = message.partition(b"\n\n")[0].replace(b"\n", b"\r\n")
    return ForeignLetter(
        name,
        "waiting",
        printable(envelope[0]),
        tuple(Pending(printable(one)) for one in envelope[1]),
        numbers[0],
        numbers[1],
        held=bool(place),
        account=origin.account,
        address=origin.address,
        subject=printable(subject_in(header), 320),
        place=place,
    )
