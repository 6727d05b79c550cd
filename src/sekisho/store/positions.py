"""How far each followed log was read, in one file of the state folder, replaced as a whole."""

import contextlib
import os

import msgspec
from msgspec import Struct

from sekisho.store.follower import Position
from sekisho.world import Unavailable

FILE = "watch.json"


class _Written(Struct):
    files: dict[str, Position]
    v: int = 1


class Positions:
    """`folder` "" keeps nothing. A file that cannot be understood counts as none: logs are learned anew, and
    what they tell twice changes nothing."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, FILE) if folder else ""
        self._files: dict[str, Position] = {}
        with contextlib.suppress(OSError, msgspec.DecodeError):
            if self._path:
                with open(self._path, "rb") as file:
                    self._files = msgspec.json.decode(file.read(), type=_Written).files

    def of(self, path: str) -> Position | None:
        return self._files.get(os.path.abspath(path))

    def save(self, found: dict[str, Position]) -> None:
        """Those of files not named stay. Blocks for a sync. Raises Unavailable."""
        changed = {os.path.abspath(path): position for path, position in found.items()}
        if not self._path or all(self._files.get(path) == place for path, place in changed.items()):
            return
        self._files |= changed
        try:
            self._replace(msgspec.json.encode(_Written(self._files)))
        except OSError as error:
            raise Unavailable(self._path, error.strerror or str(error)) from error

    def _replace(self, data: bytes) -> None:
        fresh = self._path + ".new"
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.write(handle, data)
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(fresh, self._path)
