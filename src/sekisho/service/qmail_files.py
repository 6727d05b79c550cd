"""The files of a qmail queue: where each stands, and how a letter is put among them.

The number of a letter is that of its file in mess/, so that no two have one; a letter that we keep has the
number of our file, which goes into mess/ itself when it is let go.
"""

import contextlib
import fcntl
import os
import shutil
import stat
import threading
from collections.abc import Iterator, Mapping

from sekisho.integrations.qmail_queue import is_id
from sekisho.world import Unavailable

CHANNELS = ("local", "remote")
HELD = "sekisho"
"""Our folder in theirs: on one disk, so that a file can be moved."""


class QmailFiles:
    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._split = len([name for name in _names(os.path.join(folder, "mess")) if name.isdigit()])
        if not self._split:
            raise Unavailable(folder, "this is no queue of qmail: it has no folders in mess/")
        todo = os.path.join(folder, "todo")
        self._split_todo = any(os.path.isdir(os.path.join(todo, name)) for name in _names(todo))
        self._held = os.path.join(folder, HELD)
        self._own = -1

    def numbers(self) -> Iterator[str]:
        mess = os.path.join(self._folder, "mess")
        for folder in sorted(filter(str.isdigit, _names(mess)), key=int):
            yield from filter(is_id, _names(os.path.join(mess, folder)))

    def path(self, kind: str, name: str) -> str:
        return os.path.join(self._folder, kind, str(int(name) % self._split), name)

    def todo(self, name: str) -> str:
        return self.path("todo", name) if self._split_todo else os.path.join(self._folder, "todo", name)

    def held(self) -> list[str]:
        """Those that are whole: `info` is written last."""
        if not os.path.isdir(self._held):
            return []
        return [
            name for name in _names(self._held)
            if is_id(name) and os.path.exists(os.path.join(self._held, name, "info"))
        ]  # fmt: skip

    def held_folder(self, name: str) -> str:
        return os.path.join(self._held, name)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else of us changes the queue meanwhile; ends with the process, however that ends.

        The folder is held by its handle: qmail's users could put another one, or a link, in its place.
        """
        try:
            os.makedirs(self._held, mode=0o700, exist_ok=True)
            handle = os.open(self._held, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError as error:
            raise Unavailable(self._held, error.strerror or str(error)) from error
        try:
            if os.fstat(handle).st_uid != os.geteuid():
                raise Unavailable(self._held, "this folder is not ours: look who made it, and move it away")
            fcntl.flock(handle, fcntl.LOCK_EX)
            self._own = handle
            yield
        finally:
            self._own = -1
            os.close(handle)

    def sweep(self) -> None:
        """What a crash left of copies not finished and not quite removed. Under the lock only."""
        for name in os.listdir(self._own):
            state = os.stat(name, dir_fd=self._own, follow_symlinks=False)
            if not stat.S_ISDIR(state.st_mode):
                if name.startswith("new."):
                    os.unlink(name, dir_fd=self._own)
            elif is_id(name.removeprefix("gone.")) and not (is_id(name) and self._is_whole(name)):
                shutil.rmtree(name, dir_fd=self._own)

    def _is_whole(self, name: str) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return stat.S_ISREG(os.stat(f"{name}/info", dir_fd=self._own, follow_symlinks=False).st_mode)
        return False

    def drop(self, name: str) -> None:
        """Under another name first: a crash leaves it whole, or nothing that counts. Under the lock only."""
        going = f"gone.{name}"
        os.rename(name, going, src_dir_fd=self._own, dst_dir_fd=self._own)
        os.fsync(self._own)
        shutil.rmtree(going, dir_fd=self._own)

    def is_let_go(self, name: str) -> bool:
        """A crash came after it was theirs again, and before it was gone here."""
        with contextlib.suppress(FileNotFoundError):
            mess = os.stat(os.path.join(self.held_folder(name), "mess"))
            there = os.path.samestat(mess, os.lstat(self.path("mess", name)))
            return there and (os.path.exists(self.path("info", name)) or os.path.exists(self.todo(name)))
        return False

    def keep(self, message: bytes, parts: Mapping[str, bytes], birth: int) -> str:
        """A letter in our folder; its number. Durable when it returns."""
        new = os.path.join(self._held, f"new.{os.getpid()}.{threading.get_ident()}")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        write(new, message, os.path.join(self._folder, "mess"))
        name = str(os.stat(new).st_ino)
        folder = self.held_folder(name)
        os.mkdir(folder, 0o700)
        os.rename(new, os.path.join(folder, "mess"))
        for part in (*(each for each in parts if each != "info"), "info"):
            write(os.path.join(folder, part), parts[part], os.path.join(self._folder, "info"))
        os.utime(os.path.join(folder, "info"), (birth, birth))
        for place in (folder, self._held):
            sync(place)
        return name

    def restore(self, folder: str, name: str, parts: Mapping[str, bytes], birth: int) -> None:
        """As qmail-send had it, `info` last: with it the letter is one. Only while qmail-send is stopped."""
        self._into_mess(folder, name)
        for channel in CHANNELS:
            if parts[channel]:
                write(self.path(channel, name), parts[channel], os.path.join(self._folder, channel))
                sync(os.path.dirname(self.path(channel, name)))
        info = self.path("info", name)
        write(info, parts["info"], os.path.join(self._folder, "info"))
        os.utime(info, (birth, birth))
        sync(os.path.dirname(info))

    def submit(self, folder: str, name: str, envelope: bytes) -> None:
        """As qmail-queue does it: the envelope in intd/, linked into todo/, and the trigger is pulled."""
        self._into_mess(folder, name)
        intd = self.path("intd", name) if self._split_todo else os.path.join(self._folder, "intd", name)
        write(intd, envelope, os.path.join(self._folder, "todo"), 0o644)
        os.link(intd, self.todo(name))
        sync(os.path.dirname(self.todo(name)))
        with contextlib.suppress(OSError):  # nobody listens: the folder is looked at anyway
            handle = os.open(os.path.join(self._folder, "lock", "trigger"), os.O_WRONLY | os.O_NONBLOCK)
            os.write(handle, b"\0")
            os.close(handle)

    def _into_mess(self, folder: str, name: str) -> None:
        mess = self.path("mess", name)
        with contextlib.suppress(FileExistsError):  # the file itself: a crash came before the rest
            os.link(os.path.join(folder, "mess"), mess)
        if str(os.stat(mess).st_ino) != name:
            raise Unavailable(mess, "there is another letter of this number")
        sync(os.path.dirname(mess))


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError as error:
        raise Unavailable(folder, error.strerror or str(error)) from error


def write(path: str, data: bytes, like: str, mode: int = 0o600) -> None:
    """A new file, owned as the folder `like` is; one that is there already is what a crash left."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with open(handle, "wb") as file:
        owner = os.stat(like)
        if os.geteuid() == 0:
            os.fchown(handle, owner.st_uid, owner.st_gid)
        os.fchmod(handle, mode)
        file.write(data)
        file.flush()
        os.fsync(handle)


def sync(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
