"""The keys that return paths are signed with: `keys/returns`, one a line, the newest first.

Made at a server's first start. A newest key that is 90 days old gets a successor, which signs once all fronts
must have read it; a key is kept until nothing that it signed can still come back. Fronts read the file: they
sign, and they parse mail, so these keys open nothing else.
"""

import base64
import binascii
import os
from collections.abc import Sequence

from msgspec import Struct

from sekisho.world import Chance, Disk, Unavailable

FILE = os.path.join("keys", "returns")
KEY_BYTES = 32
DAY = 86_400 * 1_000_000
RENEWED_AFTER = 90 * DAY
SIGNS_AFTER = 2 * 3600 * 1_000_000
"""A front reads every hour; a bounce may come to one that has not read yet."""

FILE_BYTES = 4096


class ReturnKey(Struct, frozen=True):
    """`made` in microseconds since the epoch."""

    made: int
    key: bytes


def path_of(state: str) -> str:
    return os.path.join(state, FILE)


def read(disk: Disk, state: str) -> tuple[ReturnKey, ...]:
    """The newest first; none where there is no such file, or it cannot be read by this process."""
    try:
        lines = disk.read_part(path_of(state), 0, FILE_BYTES).decode("ascii", "replace").splitlines()
    except (Unavailable, OSError):
        return ()
    return tuple(key for key in map(_parsed, lines) if key is not None)


def signing(keys: Sequence[ReturnKey], now: int) -> ReturnKey:
    """The newest that all fronts know; the first of all is known to all from their start."""
    return next((key for key in keys if now - key.made >= SIGNS_AFTER), keys[-1])


def tend(disk: Disk, chance: Chance, state: str, now: int, lifetime_s: int) -> None:
    """Makes what is missing and drops what is over. Before anybody reads. Raises Unavailable."""
    keys = read(disk, state)
    lasting = RENEWED_AFTER + SIGNS_AFTER + lifetime_s * 1_000_000
    kept = [key for key in keys if now - key.made < lasting]
    if not kept or now - kept[0].made >= RENEWED_AFTER:
        kept.insert(0, ReturnKey(now, chance.data(KEY_BYTES)))
    if tuple(kept) == keys:
        return
    path = path_of(state)
    disk.make_folders(os.path.dirname(path))
    temporary = f"{path}.new"
    if disk.exists(temporary):  # left behind by a crash
        disk.unlink(temporary)
    disk.write_new(temporary, [_text(kept)])
    disk.rename(temporary, path)
    disk.sync_folder(os.path.dirname(path))


def _text(keys: Sequence[ReturnKey]) -> bytes:
    return "".join(f"{key.made} {base64.b64encode(key.key).decode()}\n" for key in keys).encode("ascii")


def _parsed(line: str) -> ReturnKey | None:
    made, _, key = line.partition(" ")
    try:
        found = ReturnKey(int(made), base64.b64decode(key, validate=True))
    except (ValueError, binascii.Error):
        return None
    return found if len(found.key) == KEY_BYTES else None
