"""Reads the vault for the role that verifies passwords: stored hashes, remembered until the file changes."""

import os
from typing import Self

from sekisho.store.bounded import Bounded
from sekisho.store.window import Window
from sekisho.world import Clock, Unavailable

FILE = "vault.db"
SCHEMA = 1
DIGEST_KEY = "digest"

KEPT = 20_000
"""Most stored hashes remembered."""


class Hashes:
    def __init__(self, window: Window) -> None:
        self._window = window
        self._stored: Bounded[str, str] = Bounded(KEPT)
        self._digest_key = b""

    @classmethod
    def open(cls, state: str, clock: Clock) -> Self:
        """Opens nothing yet: the file is looked for at the first question."""
        return cls(Window(os.path.join(state, FILE), SCHEMA, clock))

    def stored(self, address: str) -> str:
        """The hash of this account's password; "" if it has none. Raises Unavailable."""
        if self._window.changed():
            self._stored.clear()
            self._digest_key = b""
        known = self._stored.get(address)
        if known is None:
            rows = self._window.rows("select hash from passwords where address = ?", address)
            known = rows[0][0] if rows else ""
            self._stored.put(address, known)
        return known

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
