"""One SQLite file on SQLAlchemy Core and the standard library's sqlite3: how it is made, opened and written.

`journal_mode=DELETE, synchronous=EXTRA`: the combination that survived every power cut (the standard
library's SQLite may have the WAL-reset bug, so no WAL). When a commit returns, it is on the disk.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    select,
)
from sqlalchemy.exc import DatabaseError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from sekisho.store.paths import uri
from sekisho.store.remedies import advised
from sekisho.world import Unavailable

BUSY_S = 5.0
"""Longest wait for another process's commit."""

NO_UPGRADES: Mapping[int, Sequence[str]] = MappingProxyType({})

CONNECTIONS = 4
"""Most threads inside one database at once; a fifth waits."""


def notes_table(metadata: MetaData) -> Table:
    """Named numbers every file has: `schema`, and `changes`, which caches of this file watch."""
    name = Column("name", String, primary_key=True)
    return Table("notes", metadata, name, Column("value", Integer, nullable=False))


class Database:
    """`reading` sees one state; `writing` is a transaction; `changing` also tells the caches. All block."""

    def __init__(self, path: str, metadata: MetaData) -> None:
        self._path = path
        self._notes = metadata.tables["notes"]
        self._engine = _engine(path)
        self._writer = self._engine.execution_options(begin="BEGIN IMMEDIATE")

    @classmethod
    def create(cls, path: str, metadata: MetaData, schema: int) -> "Database":
        """A new file, 0600 whatever the umask. Raises FileExistsError."""
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        database = cls(path, metadata)
        with database.writing() as connection:
            metadata.create_all(connection)
            notes = [{"name": "schema", "value": schema}, {"name": "changes", "value": 0}]
            connection.execute(database._notes.insert(), notes)
        return database

    @classmethod
    def open(
        cls, path: str, metadata: MetaData, schema: int, upgrades: Mapping[int, Sequence[str]] = NO_UPGRADES
    ) -> "Database":
        """`upgrades`: by the schema of a file, what brings it to the next. Raises Unavailable: no such file,
        not ours, or made by a newer sekisho."""
        if not os.path.isfile(path):
            raise Unavailable(path, "no such file; `sekisho init` makes it")
        database = cls(path, metadata)
        try:
            database._upgrade(schema, upgrades)
            database._check(schema)
        except Unavailable:
            database.close()
            raise
        return database

    def _upgrade(self, schema: int, upgrades: Mapping[int, Sequence[str]]) -> None:
        """All steps in one transaction, by whoever comes first."""
        if self._schema() not in upgrades:
            return
        with self.changing() as connection:
            value, name = self._notes.c.value, self._notes.c.name
            found = connection.scalar(select(value).where(name == "schema"))
            while found is not None and found < schema and found in upgrades:
                for step in upgrades[found]:
                    connection.exec_driver_sql(step)
                found += 1
            connection.execute(self._notes.update().where(name == "schema").values(value=found))

    def _schema(self) -> int | None:
        with self.reading() as connection:
            found = connection.scalar(select(self._notes.c.value).where(self._notes.c.name == "schema"))
            return None if found is None else int(found)

    def _check(self, schema: int) -> None:
        found = self._schema()
        if found != schema:
            raise Unavailable(self._path, wrong_schema(found, schema))

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        with self._door(), self._engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        with self._door(), self._writer.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def changing(self) -> Iterator[Connection]:
        with self.writing() as connection:
            yield connection
            changes, name = self._notes.c.value, self._notes.c.name
            connection.execute(self._notes.update().where(name == "changes").values(value=changes + 1))

    @contextlib.contextmanager
    def _door(self) -> Iterator[None]:
        try:
            yield
        except DatabaseError as error:
            raise Unavailable(self._path, advised(str(error.orig))) from error
        except PoolTimeout as error:
            raise Unavailable(self._path, "too many threads wait for it") from error

    def close(self) -> None:
        self._engine.dispose()


def wrong_schema(found: int | None, known: int) -> str:
    if found is None:
        return "this file is not sekisho's"
    if found > known:
        return f"made by a newer sekisho (schema {found}, this one knows {known}); install that version again"
    return f"made by an older sekisho (schema {found}, this one needs {known})"


def _engine(path: str) -> Engine:
    engine = create_engine(
        "sqlite://",
        creator=lambda: _connect(path),
        poolclass=QueuePool,
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=BUSY_S,
    )
    event.listen(engine, "begin", _begin)
    return engine


def _connect(path: str) -> sqlite3.Connection:
    """Never creates a file. We begin the transactions: sqlite3 would begin them late and unlocked."""
    connection = sqlite3.connect(
        uri(path), uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False
    )
    connection.execute("pragma journal_mode=delete")
    connection.execute("pragma synchronous=extra")
    connection.execute("pragma foreign_keys=on")
    return connection


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))
