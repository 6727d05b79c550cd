"""A look into a database file from the hot path: plain reads, and the news that somebody has changed it.

The same SQLite library as `database.py` (two copies of it on one file would break each other's locks),
without SQLAlchemy: a point read costs microseconds.
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

from sekisho.store.paths import uri
from sekisho.store.remedies import advised
from sekisho.world import Clock, Unavailable

POLL_US = 200_000
"""Oldest news of a change, in microseconds."""

AGAIN_US = 20_000
"""After this long the counter is asked again, if somebody was committing."""

BUSY_MS = 250
"""Longest wait for somebody's commit, in milliseconds: the event loop stands still meanwhile."""

OTHER_SCHEMA = "made by another version of sekisho; restart the server, so that all of it is one version"


class Window:
    """Opened when first looked through, and again when the file was replaced. Usable from any thread."""

    def __init__(self, path: str, schema: int, clock: Clock) -> None:
        self._path = path
        self._schema = schema
        self._clock = clock
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._file = (0, 0)
        self._checked = -POLL_US
        self._changes = -1

    def changed(self) -> bool:
        """True when what was read may be old. While the file is locked or gone, what is known stands."""
        now = self._clock.ticks()
        if now - self._checked < POLL_US:
            return False
        with self._lock:
            if self._connection is not None and self._file != _identity(self._path):
                self.close()
            try:
                changes = self._glance()
            except Unavailable:
                self._checked = now - POLL_US + AGAIN_US
                return False
            self._checked = now
            if changes == self._changes:
                return False
            self._changes = changes
            return True

    def rows(self, query: str, *values: str) -> list[Any]:
        """Raises Unavailable."""
        with self._lock, self._door():
            return self._open().execute(query, values).fetchall()

    def _glance(self) -> int:
        """The change counter, without waiting for anybody."""
        self.rows("pragma busy_timeout = 0")
        try:
            return self._note("changes")
        finally:
            self.rows(f"pragma busy_timeout = {BUSY_MS}")

    def _note(self, name: str) -> int:
        found = self.rows("select value from notes where name = ?", name)
        return int(found[0][0]) if found else 0

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            # "rw", although nothing is written: a journal that a killed writer left must be rolled back
            self._connection = sqlite3.connect(
                uri(self._path),
                uri=True,
                timeout=BUSY_MS / 1000,
                isolation_level=None,
                check_same_thread=False,
            )
            self._file = _identity(self._path)
            if self._note("schema") != self._schema:
                self.close()
                raise Unavailable(self._path, OTHER_SCHEMA)
        return self._connection

    @contextlib.contextmanager
    def _door(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise Unavailable(self._path, advised(str(error))) from error

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
                self._changes = -1


def _identity(path: str) -> tuple[int, int]:
    try:
        state = os.stat(path)
    except OSError:
        return (0, 0)
    return (state.st_dev, state.st_ino)
