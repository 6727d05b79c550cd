"""house.db: domains, accounts without their secrets, aliases, incidents, actions, audit, the guard's memory.

Calls block for a disk sync: from a loop they go through `world.spawn.thread`. Importing this file costs half
a second (SQLAlchemy); what is on the way of a message asks `Directory` instead.
"""

import os
from typing import Self

from sekisho.store.cases import Cases
from sekisho.store.database import Database
from sekisho.store.residents import Change, Residents
from sekisho.store.tables import SCHEMA, UPGRADES, metadata

__all__ = ["FILE", "Change", "House"]

FILE = "house.db"


class House(Residents, Cases):
    """Opened once by a role and used from any of its threads."""

    def __init__(self, database: Database) -> None:
        Residents.__init__(self, database)

    @classmethod
    def create(cls, state: str) -> Self:
        """Raises FileExistsError."""
        return cls(Database.create(os.path.join(state, FILE), metadata, SCHEMA))

    @classmethod
    def open(cls, state: str) -> Self:
        """A file of an older sekisho is brought up to date. Raises Unavailable: absent, not ours, or made by
        a newer one."""
        return cls(Database.open(os.path.join(state, FILE), metadata, SCHEMA, UPGRADES))

    def close(self) -> None:
        self._database.close()
