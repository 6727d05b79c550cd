"""Runs a tool of another mail server and hears what it says. Blocking, for a command or a thread: no shell, a
clean environment, an end after some time, and output bounded by a file that nobody else sees.
"""

import contextlib
import errno
import grp
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import IO

from msgspec import Struct

from sekisho.model.text import printable
from sekisho.world import Unavailable

PLACES = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin:/usr/lib:/var/qmail/bin"
"""Where tools are looked for, and all that they get as PATH: never the caller's."""

PATIENCE_S = 120
OUTPUT_BYTES = 1024 * 1024 * 1024
"""Most output that is read: a list of some million letters."""

SAID = 400
"""Characters of a complaint that are repeated."""


class Ran(Struct):
    """How it ended. `out` is read line by line and closed by `Ran.close` or at the end of `running`."""

    code: int
    out: IO[bytes]
    said: str

    def text(self) -> bytes:
        return self.out.read()


def read(path: str, most: int = -1) -> bytes:
    """A plain file of another server's queue, whose user could have put a link there. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "no plain file", path)
        return file.read(most)


def owner(user: str, group: str = "") -> tuple[int, int]:
    """Numbers of a user and a group by name or number; without a group the user's own. Raises Unavailable."""
    try:
        entry = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
        return entry.pw_uid, grp.getgrnam(group).gr_gid if group else entry.pw_gid
    except KeyError as error:
        raise Unavailable(user, "there is no such user or group") from error


def find(name: str, folder: str = "") -> str:
    """The absolute path of a tool. Raises Unavailable."""
    path = shutil.which(name, path=folder or PLACES)
    if path is None:
        raise Unavailable(name, f"not found in {folder or PLACES}")
    return os.path.abspath(path)


@contextlib.contextmanager
def running(
    words: Sequence[str], given: bytes = b"", extra: Mapping[str, str] | None = None
) -> Iterator[Ran]:
    """Raises Unavailable when it does not start, says too much, or does not end in time."""
    name = os.path.basename(words[0])
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        stdin.write(given)
        stdin.seek(0)
        code = _run(words, (stdin, out, err), {"PATH": PLACES, "LC_ALL": "C", **(extra or {})})
        if os.fstat(out.fileno()).st_size > OUTPUT_BYTES:
            raise Unavailable(name, "it said too much")
        err.seek(0)
        out.seek(0)
        said = err.read(64 * 1024).strip().rpartition(b"\n")[2]
        yield Ran(code, out, printable(said, SAID))


Files = tuple[IO[bytes], IO[bytes], IO[bytes]]


def _run(words: Sequence[str], files: Files, environment: dict[str, str]) -> int:
    name, (stdin, out, err) = os.path.basename(words[0]), files
    try:
        process = subprocess.Popen(
            words, stdin=stdin, stdout=out, stderr=err, env=environment, cwd="/", start_new_session=True
        )
    except OSError as error:
        raise Unavailable(name, error.strerror or str(error)) from error
    try:
        return process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired as late:
        raise Unavailable(name, f"no answer within {PATIENCE_S} s") from late
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def start(words: Sequence[str]) -> None:
    """Goes on by itself, whatever becomes of us. Raises Unavailable when it does not start."""
    environment = {"PATH": PLACES, "LC_ALL": "C"}
    try:
        subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=environment, cwd="/", start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise Unavailable(os.path.basename(words[0]), error.strerror or str(error)) from error


def output_of(words: Sequence[str], extra: Mapping[str, str] | None = None) -> bytes:
    """What it says, where nothing but success will do. Raises Unavailable."""
    with running(words, extra=extra) as ran:
        if ran.code != 0:
            raise Unavailable(os.path.basename(words[0]), ran.said or f"it ended with {ran.code}")
        return ran.text()
