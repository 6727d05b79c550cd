"""Reads the vault for the role that verifies passwords: stored hashes and SCRAM keys, remembered until the
file changes. It writes SCRAM keys for a password that has just been right, and which app passwords are
revoked.
"""

import contextlib
import os
import sqlite3
from typing import Self

from sekisho.store import app_passwords
from sekisho.store.app_passwords import AppPassword
from sekisho.store.bounded import Bounded
from sekisho.store.paths import uri
from sekisho.store.remedies import advised
from sekisho.store.scram_keys import ScramKeys
from sekisho.store.window import Window
from sekisho.world import Clock, Unavailable

FILE = "vault.db"
SCHEMA = 1
DIGEST_KEY = "digest"

KEPT = 20_000
"""Most stored hashes remembered."""


BUSY_S = 5.0
"""Longest wait for an account command's commit; in a thread."""

# The first makes what an older file does not have. The second adds nothing if the password is another by now.
_KEEP = (
    """create table if not exists scram (address varchar not null primary key, salt blob not null,
    rounds integer not null, stored blob not null, server blob not null)""",
    """insert or replace into scram select ?1, ?3, ?4, ?5, ?6
    where exists (select 1 from passwords where address = ?1 and hash = ?2)""",
    "update notes set value = value + 1 where name = 'changes'",
)


class Hashes:
    def __init__(self, path: str, clock: Clock) -> None:
        self._path = path
        self._window = Window(path, SCHEMA, clock)
        self._stored: Bounded[str, str] = Bounded(KEPT)
        self._keys: Bounded[str, ScramKeys | bool] = Bounded(KEPT)
        self._apps: Bounded[str, tuple[AppPassword, ...]] = Bounded(KEPT)
        self._digest_key = b""

    @classmethod
    def open(cls, state: str, clock: Clock) -> Self:
        """Opens nothing yet: the file is looked for at the first question."""
        return cls(os.path.join(state, FILE), clock)

    def stored(self, address: str) -> str:
        """The hash of this account's password; "" if it has none. Raises Unavailable."""
        self._look()
        known = self._stored.get(address)
        if known is None:
            rows = self._window.rows("select hash from passwords where address = ?", address)
            known = rows[0][0] if rows else ""
            self._stored.put(address, known)
        return known

    def scram(self, address: str) -> ScramKeys | None:
        """The keys of this account; None if it has none yet. Raises Unavailable."""
        self._look()
        known = self._keys.get(address)
        if known is None:
            known = self._read_keys(address) or False
            self._keys.put(address, known)
        return known if isinstance(known, ScramKeys) else None

    def app_passwords(self, address: str) -> tuple[AppPassword, ...]:
        """Also those that are revoked. Raises Unavailable."""
        self._look()
        known = self._apps.get(address)
        if known is None:
            there = self._window.rows(app_passwords.THERE)
            rows = self._window.rows(app_passwords.SELECT, address) if there else ()
            known = tuple(app_passwords.read(row) for row in rows)
            self._apps.put(address, known)
        return known

    def revoke(self, address: str, action: str, at: int) -> tuple[str, ...]:
        """Blocks. Raises Unavailable."""
        with app_passwords.changing(self._path) as connection:
            changed = app_passwords.revoke(connection, address, action, at)
        self._apps.clear()
        return changed

    def restore(self, action: str) -> tuple[str, ...]:
        """Blocks. Raises Unavailable."""
        with app_passwords.changing(self._path) as connection:
            changed = app_passwords.restore(connection, action)
        self._apps.clear()
        return changed

    def keep(self, address: str, stored: str, keys: ScramKeys) -> None:
        """Keys for the password whose hash is `stored`. It blocks. Raises Unavailable."""
        values = (address, stored, keys.salt, keys.rounds, keys.stored, keys.server)
        try:
            with contextlib.closing(
                sqlite3.connect(uri(self._path), uri=True, timeout=BUSY_S, isolation_level=None)
            ) as connection:
                connection.execute("pragma synchronous = extra")
                connection.execute("begin immediate")
                connection.execute(_KEEP[0])
                connection.execute(_KEEP[1], values)
                connection.execute(_KEEP[2])
                connection.execute("commit")
        except sqlite3.Error as error:
            raise Unavailable(self._path, advised(str(error))) from error

    def _read_keys(self, address: str) -> ScramKeys | None:
        if not self._window.rows("select 1 from sqlite_master where type = 'table' and name = 'scram'"):
            return None
        query = "select salt, rounds, stored, server from scram where address = ?"
        rows = self._window.rows(query, address)
        return ScramKeys(*rows[0]) if rows else None

    def _look(self) -> None:
        if self._window.changed():
            self._stored.clear()
            self._keys.clear()
            self._apps.clear()
            self._digest_key = b""

    def digest_key(self) -> bytes:
        """The vault's own key for telling wrong passwords apart. Raises Unavailable."""
        if not self._digest_key:
            rows = self._window.rows("select data from secrets where name = ?", DIGEST_KEY)
            if not rows:
                raise Unavailable(FILE, "it has no digest key")
            self._digest_key = rows[0][0]
        return self._digest_key

    def close(self) -> None:
        self._window.close()
