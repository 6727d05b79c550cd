"""Passwords that we made for one program of an account each: 100 bits of chance, so that a fast hash is
enough and nobody guesses one from a stolen file.

Written by the account commands and revoked by the vault while it runs: plain SQL, which needs no SQLAlchemy.
"""

import contextlib
import hashlib
import hmac
import sqlite3
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from sekisho.store.paths import uri
from sekisho.store.scram_keys import ScramKeys
from sekisho.world import Chance, Unavailable

ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
"""32 letters and digits, none of which looks like another."""

LETTERS, GROUP = 20, 5
"""Of five bits each, written in groups as people read them aloud."""

SALT_BYTES = 16
BUSY_S = 5.0
"""Longest wait for another process's commit; in a thread."""

KEPT_MAX = 20
"""App passwords of one account: more than anybody has devices."""

CREATE = """create table if not exists app_passwords (ident varchar not null primary key,
    address varchar not null, name varchar not null, services varchar not null, at integer not null,
    salt blob not null, hash blob not null, rounds integer not null, scram blob, stored blob, server blob,
    revoked integer not null default 0, revoked_by varchar not null default '')"""

COLUMNS = "ident, address, name, services, at, salt, hash, rounds, scram, stored, server, revoked, revoked_by"
SELECT = f"select {COLUMNS} from app_passwords where address = ? order by at, ident"
INSERT = """insert into app_passwords (ident, address, name, services, at, salt, hash, rounds, scram,
    stored, server) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
CREATE_RESETS = """create table if not exists resets (mark blob not null primary key,
    address varchar not null, until integer not null)"""
"""One-time links by which an owner sets a new password: hashes of their tokens."""

THERE = "select 1 from sqlite_master where type = 'table' and name = 'app_passwords'"
"""A file of an older sekisho has the table when its first app password is made."""

_CHANGED = "update notes set value = value + 1 where name = 'changes'"


class AppPassword(Struct, frozen=True):
    """`services`: where it opens, as in logins; empty: everywhere. `revoked`: when, 0 while it is good;
    `revoked_by`: the action that did it, "" for a person.
    """

    ident: str
    address: str
    name: str
    services: tuple[str, ...]
    at: int
    salt: bytes
    hash: bytes
    keys: ScramKeys | None = None
    revoked: int = 0
    revoked_by: str = ""

    def is_for(self, service: str) -> bool:
        return not self.services or service in self.services

    def opens(self, plain: bytes) -> bool:
        return hmac.compare_digest(self.hash, hashed(plain, self.salt))


def made(chance: Chance) -> str:
    """As it is shown, once: "k7mpq-2hxya-..."."""
    bits = chance.bits(5 * LETTERS)
    letters = "".join(ALPHABET[bits >> 5 * place & 31] for place in range(LETTERS))
    return "-".join(letters[start : start + GROUP] for start in range(0, LETTERS, GROUP))


def plain_of(typed: bytes) -> bytes:
    """Without what people leave out or add; b"" for what no app password looks like."""
    letters = typed.replace(b"-", b"").replace(b" ", b"").lower() if len(typed) < 3 * LETTERS else b""
    return letters if len(letters) == LETTERS else b""


def hashed(plain: bytes, salt: bytes) -> bytes:
    return hashlib.blake2b(plain, salt=salt, person=b"app password").digest()


def read(row: tuple[Any, ...]) -> AppPassword:
    """A row of SELECT."""
    ident, address, name, services, at, salt, digest, rounds, scram, stored, server, revoked, by = row
    keys = ScramKeys(scram, rounds, stored, server) if scram else None
    return AppPassword(ident, address, name, tuple(services.split()), at, salt, digest, keys, revoked, by)


def save(connection: sqlite3.Connection, one: AppPassword) -> None:
    keys = one.keys
    scram = (keys.rounds, keys.salt, keys.stored, keys.server) if keys else (0, None, None, None)
    values = (one.ident, one.address, one.name, " ".join(one.services), one.at, one.salt, one.hash, *scram)
    connection.execute(INSERT, values)


def remove(connection: sqlite3.Connection, address: str, ident: str) -> None:
    connection.execute("delete from app_passwords where address = ? and ident = ?", (address, ident))


def revoke(connection: sqlite3.Connection, address: str, action: str, at: int) -> tuple[str, ...]:
    """Ids of those that this action revoked, now or when it was first asked. Links that were made before open
    nothing either: who reads the mailbox may have one.
    """
    connection.execute("delete from resets where address = ?", (address,))
    statement = "update app_passwords set revoked = ?, revoked_by = ? where address = ? and revoked = 0"
    known = _revoked_by(connection, action)
    if not known:
        connection.execute(statement, (at, action, address))
    return known or _revoked_by(connection, action)


def restore(connection: sqlite3.Connection, action: str) -> tuple[str, ...]:
    """Ids of those that this action had revoked."""
    known = _revoked_by(connection, action)
    connection.execute(
        "update app_passwords set revoked = 0, revoked_by = '' where revoked_by = ?", (action,)
    )
    return known


def _revoked_by(connection: sqlite3.Connection, action: str) -> tuple[str, ...]:
    rows = connection.execute("select ident from app_passwords where revoked_by = ?", (action,))
    return tuple(row[0] for row in rows.fetchall())


@contextlib.contextmanager
def changing(path: str) -> Iterator[sqlite3.Connection]:
    """One transaction, whose end is on the disk and known to all caches. It blocks. Raises Unavailable."""
    try:
        with contextlib.closing(
            sqlite3.connect(uri(path), uri=True, timeout=BUSY_S, isolation_level=None)
        ) as connection:
            connection.execute("pragma synchronous = extra")
            connection.execute("begin immediate")
            connection.execute(CREATE)
            connection.execute(CREATE_RESETS)
            yield connection
            connection.execute(_CHANGED)
            connection.execute("commit")
    except sqlite3.Error as error:
        raise Unavailable(path, str(error)) from error
