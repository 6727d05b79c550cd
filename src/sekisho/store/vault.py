"""vault.db: password hashes, and nothing that anybody but the vault needs. Written by the account commands.

The file is 0600. The role that verifies reads it through `hashes.py`, which needs no SQLAlchemy, and adds
SCRAM keys to it.
"""

import os
from typing import Self

from msgspec import structs
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    delete,
    select,
)
from sqlalchemy.dialects.sqlite import insert

from sekisho.store import app_passwords
from sekisho.store.app_passwords import AppPassword
from sekisho.store.database import Database, notes_table
from sekisho.store.hashes import DIGEST_KEY, FILE, SCHEMA
from sekisho.store.scram_keys import ScramKeys
from sekisho.world import Unavailable

metadata = MetaData()

notes = notes_table(metadata)

passwords = Table(
    "passwords",
    metadata,
    Column("address", String, primary_key=True),
    Column("hash", String, nullable=False),
    Column("at", BigInteger, nullable=False),
)

scram = Table(
    "scram",
    metadata,
    Column("address", String, primary_key=True),
    Column("salt", LargeBinary, nullable=False),
    Column("rounds", Integer, nullable=False),
    Column("stored", LargeBinary, nullable=False),
    Column("server", LargeBinary, nullable=False),
)
"""Made when first needed in a file that is older than it (`hashes.py` says the same in SQL)."""

secrets = Table(
    "secrets",
    metadata,
    Column("name", String, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)


class Vault:
    def __init__(self, database: Database, path: str) -> None:
        self._database = database
        self._path = path

    @classmethod
    def create(cls, state: str, digest_key: bytes) -> Self:
        """`digest_key`: 32 bytes of chance, for telling wrong passwords apart. Raises FileExistsError."""
        path = os.path.join(state, FILE)
        database = Database.create(path, metadata, SCHEMA)
        with database.writing() as connection:
            connection.execute(insert(secrets).values(name=DIGEST_KEY, data=digest_key))
        return cls(database, path)

    @classmethod
    def open(cls, state: str) -> Self:
        """Raises Unavailable: absent, not ours, or made by a newer sekisho."""
        path = os.path.join(state, FILE)
        return cls(Database.open(path, metadata, SCHEMA), path)

    def save(
        self, address: str, stored: str, at: int, keys: ScramKeys | None = None, *, redeems: bytes = b""
    ) -> bool:
        """Without `keys`, those of the password before go all the same, and so do links. `redeems`: the mark
        of the link by which it is done; False if there is none that is good.
        """
        row = {"hash": stored, "at": at}
        statement = insert(passwords).values(address=address, **row)
        with self._database.changing() as connection:
            connection.exec_driver_sql(app_passwords.CREATE_RESETS)
            if redeems and not _is_good(connection, redeems, address, at):
                return False
            connection.exec_driver_sql("delete from resets where address = ?", (address,))
            connection.execute(statement.on_conflict_do_update(index_elements=["address"], set_=row))
            scram.create(connection, checkfirst=True)
            connection.execute(delete(scram).where(scram.c.address == address))
            if keys is not None:
                connection.execute(insert(scram).values(address=address, **structs.asdict(keys)))
        return True

    def save_reset(self, address: str, mark: bytes, until: int) -> None:
        """One for each account: an older link opens nothing any more."""
        with app_passwords.changing(self._path) as connection:
            connection.execute("delete from resets where address = ?", (address,))
            connection.execute("insert into resets values (?, ?, ?)", (mark, address, until))

    def reset_for(self, mark: bytes, now: int) -> str:
        """Whose link this is; "" if it is none that is good."""
        with app_passwords.changing(self._path) as connection:
            query = "select address from resets where mark = ? and until > ?"
            row = connection.execute(query, (mark, now)).fetchone()
        return str(row[0]) if row else ""

    def remove(self, address: str) -> None:
        with self._database.changing() as connection:
            connection.execute(delete(passwords).where(passwords.c.address == address))
            connection.exec_driver_sql(app_passwords.CREATE)
            connection.exec_driver_sql("delete from app_passwords where address = ?", (address,))
            connection.exec_driver_sql(app_passwords.CREATE_RESETS)
            connection.exec_driver_sql("delete from resets where address = ?", (address,))
            scram.create(connection, checkfirst=True)
            connection.execute(delete(scram).where(scram.c.address == address))

    def app_passwords(self, address: str) -> list[AppPassword]:
        with self._database.reading() as connection:
            if connection.exec_driver_sql(app_passwords.THERE).first() is None:
                return []
            rows = connection.exec_driver_sql(app_passwords.SELECT, (address,)).fetchall()
        return [app_passwords.read(tuple(row)) for row in rows]

    def save_app_password(self, one: AppPassword) -> None:
        with app_passwords.changing(self._path) as connection:
            app_passwords.save(connection, one)

    def remove_app_password(self, address: str, ident: str) -> None:
        with app_passwords.changing(self._path) as connection:
            app_passwords.remove(connection, address, ident)

    def digest_key(self) -> bytes:
        """Raises Unavailable."""
        with self._database.reading() as connection:
            key = connection.scalar(select(secrets.c.data).where(secrets.c.name == DIGEST_KEY))
        if key is None:
            raise Unavailable(FILE, "it has no digest key")
        return bytes(key)

    def changed_at(self, address: str) -> int:
        """When the password was set, in microseconds; 0: there is none."""
        with self._database.reading() as connection:
            return connection.scalar(select(passwords.c.at).where(passwords.c.address == address)) or 0

    def close(self) -> None:
        self._database.close()


def _is_good(connection: Connection, mark: bytes, address: str, now: int) -> bool:
    query = "select 1 from resets where mark = ? and address = ? and until > ?"
    return connection.exec_driver_sql(query, (mark, address, now)).first() is not None
