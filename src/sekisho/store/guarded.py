"""Reading files that steer mail: of an owner that we trust, writable by nobody else, and behind no link.

Every name of the path is opened below the one before it and without following links: whoever may write in
some folder on the way cannot put another file in the place of this one.
"""

import contextlib
import os
import stat

from msgspec import Struct

from sekisho.world import Unavailable

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class Text(Struct, frozen=True):
    """What stood in a file, and what changes when somebody changes it."""

    data: bytes
    mark: tuple[int, ...]


def read(path: str, limit: int, below: int | None = None) -> Text | None:
    """None when there is none. `below`: the open folder that a relative path begins in, whose owner is
    trusted too.

    Raises Unavailable for what must not be believed: links, other kinds of files, other owners, files that
    others may write, more than `limit` bytes.
    """
    try:
        handle = _opened(path, below)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unavailable(path, f"cannot be opened without following links: {error.strerror}") from error
    try:
        state = os.fstat(handle)
        owners = {0, os.geteuid()} | ({os.fstat(below).st_uid} if below is not None else set())
        flaw = _flaw(state, owners, limit)
        if flaw:
            raise Unavailable(path, flaw)
        data = _whole(handle, limit)
    except OSError as error:
        raise Unavailable(path, error.strerror or "cannot be read") from error
    finally:
        os.close(handle)
    if len(data) > limit:
        raise Unavailable(path, f"has more than {limit} bytes")
    return Text(data, (state.st_dev, state.st_ino, state.st_mtime_ns, state.st_ctime_ns, state.st_size))


def _opened(path: str, below: int | None) -> int:
    """A handle of the last name. Raises OSError."""
    *folders, name = [part for part in path.split("/") if part not in ("", ".")] or ["."]
    if ".." in (*folders, name):
        raise OSError(0, "a path with ..")
    with contextlib.ExitStack() as opened:
        whole = path.startswith("/")
        place = os.open("/" if whole else ".", _FLAGS | os.O_DIRECTORY, dir_fd=None if whole else below)
        opened.callback(os.close, place)
        for folder in folders:
            place = os.open(folder, _FLAGS | os.O_DIRECTORY, dir_fd=place)
            opened.callback(os.close, place)
        return os.open(name, _FLAGS, dir_fd=place)


def _flaw(state: os.stat_result, owners: set[int], limit: int) -> str:
    if not stat.S_ISREG(state.st_mode):
        return "is no plain file"
    if state.st_uid not in owners:
        return f"belongs to user {state.st_uid}, neither to root nor to who reads it"
    if state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "may be written by others than its owner (chmod go-w)"
    if state.st_size > limit:
        return f"has more than {limit} bytes"
    return ""


def _whole(handle: int, limit: int) -> bytes:
    found = b""
    while len(found) <= limit and (part := os.read(handle, limit + 1 - len(found))):
        found += part
    return found
