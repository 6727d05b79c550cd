"""`spool.db`: one connection that writes, another that reads, both of apsw's SQLite.

WAL with `synchronous=FULL`: of the cheap combinations the one that survived every power cut. The writer
alone checkpoints. A `database` door given by the world is one connection for both, as a test's virtual disk
wants it.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import apsw

from sekisho.store.remedies import advised
from sekisho.store.sql import statements
from sekisho.world import Unavailable

Database = Callable[[str], Any]

TROUBLE = (
    apsw.IOError, apsw.FullError, apsw.CantOpenError, apsw.CorruptError, apsw.NotADBError, apsw.BusyError,
    apsw.ReadOnlyError, apsw.NoMemError, apsw.ProtocolError, apsw.LockedError, apsw.PermissionsError,
    apsw.ConnectionClosedError,
)  # fmt: skip
"""What the world did to us. Every other error of apsw is a mistake of ours."""

BUSY_MS = 5000
"""Longest wait for a lock; the only other users of the file are readers of this process and curious people.
"""

PAGE_BYTES = 8192
"""A usual letter fits into one page; measured: a third less work than 4096 at 40 KB, the same at 4 KB. 16384
takes a seventh less for letters of 40 KB that stay, and writes twice as much for each claim of a retry."""

CHECKPOINT_PAGES = 2000
"""The log is copied into the database at this length (16 MB), after the replies have gone out."""


class SpoolFile:
    def __init__(self, path: str, database: Database | None) -> None:
        self._path = path
        self._database = database
        self._log_pages = 0
        self.writer = self._open_writer()
        self.reader = self.writer if database else self._open_reader()
        self._spare: list[Any] = []

    def _open_writer(self) -> Any:
        try:
            connection = self._database(self._path) if self._database else apsw.Connection(self._path)
            connection.set_busy_timeout(BUSY_MS)
            connection.pragma("page_size", PAGE_BYTES)
            connection.pragma("auto_vacuum", "incremental")
            connection.pragma("journal_mode", "wal")
            connection.pragma("synchronous", "full")
            connection.pragma("journal_size_limit", 64 * 1024 * 1024)
            connection.pragma("cache_size", -16 * 1024)
            connection.set_wal_hook(self._notice_length)
            connection.execute("begin immediate; " + statements("spool")["schema"] + "; commit")
        except TROUBLE as error:
            raise Unavailable(self._path, advised(str(error))) from error
        return connection

    def _open_reader(self) -> Any:
        try:
            connection = apsw.Connection(self._path, flags=apsw.SQLITE_OPEN_READONLY)
            connection.set_busy_timeout(BUSY_MS)
            connection.pragma("cache_size", -8 * 1024)
        except TROUBLE as error:
            raise Unavailable(self._path, advised(str(error))) from error
        return connection

    @contextlib.contextmanager
    def another_reader(self) -> Iterator[Any]:
        """A connection for one search, off the loop. That of the last search knows the tables, and has pages
        of them in memory: it serves again, unless a search broke off and may have left something open."""
        connection = self.writer if self._database else self._spare_or_new()
        ended = False
        try:
            yield connection
            ended = True
        finally:
            if ended and not self._database and not self._spare:
                self._spare.append(connection)
            elif connection is not self.writer:
                connection.close()

    def _spare_or_new(self) -> Any:
        try:
            return self._spare.pop()
        except IndexError:
            return self._open_reader()

    def checkpoint_when_long(self) -> None:
        """Copies the log into the database once it is long. Called between batches."""
        if self._log_pages >= CHECKPOINT_PAGES:
            self._log_pages = 0
            self.writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    def reopen(self) -> None:
        """After an error of the disk. The log is emptied before it is written to again.

        A failed fsync may have left a hole that only the page cache hides; what is appended behind a hole
        is lost with the power. So the log's frames are written into the database, that is synced, and a new
        log begun.
        """
        self.writer.close()
        self.writer = self._open_writer()
        if self._database:
            self.reader = self.writer
        left, _ = self.writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        if left:
            raise Unavailable(self._path, "the log could not be emptied")

    def close(self) -> None:
        while self._spare:
            self._spare.pop().close()
        if self.reader is not self.writer:
            self.reader.close()
        self.writer.close()

    def _notice_length(self, connection: Any, name: str, pages: int) -> int:
        self._log_pages = pages
        return 0
