"""Incidents, actions, what was performed, and the guard's snapshots: what must survive a restart.

Written by one role (watch), or by the command line while no server runs. Records are the model's own Structs
as JSON; the columns beside them are only what is searched for. Saving the same thing twice changes nothing.
"""

from collections.abc import Mapping
from typing import TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy import Select, Table, delete, select
from sqlalchemy.dialects.sqlite import insert

from sekisho.model.action import Action, Performed
from sekisho.model.incident import Incident
from sekisho.store.database import Database
from sekisho.store.tables import actions, incidents, performed, states

Record = TypeVar("Record", bound=Struct)


class Cases:
    def __init__(self, database: Database) -> None:
        self._database = database

    def save_incident(self, incident: Incident) -> None:
        self._save(incidents, ["id"], {
            "id": incident.id, "subject": incident.subject, "opened": incident.opened,
            "closed": incident.closed, "record": msgspec.json.encode(incident),
        })  # fmt: skip

    def incident(self, ident: str) -> Incident | None:
        found = self._read(select(incidents.c.record).where(incidents.c.id == ident), Incident)
        return found[0] if found else None

    def incidents(self, *, open_only: bool = False, subject: str = "", limit: int = 10_000) -> list[Incident]:
        """The newest first."""
        query = select(incidents.c.record)
        if open_only:
            query = query.where(incidents.c.closed == 0)
        if subject:
            query = query.where(incidents.c.subject == subject)
        return self._read(
            query.order_by(incidents.c.opened.desc(), incidents.c.id.desc()).limit(limit), Incident
        )

    def save_action(self, action: Action) -> None:
        self._save(actions, ["id"], {
            "id": action.id, "incident": action.incident, "subject": action.subject, "kind": action.kind,
            "status": action.status, "at": action.at, "record": msgspec.json.encode(action),
        })  # fmt: skip

    def action(self, ident: str) -> Action | None:
        found = self._read(select(actions.c.record).where(actions.c.id == ident), Action)
        return found[0] if found else None

    def actions(self, incident: str) -> list[Action]:
        """In the order they were planned."""
        query = select(actions.c.record).where(actions.c.incident == incident)
        return self._read(query.order_by(actions.c.at, actions.c.id), Action)

    def planned(self) -> list[Action]:
        """What a restart must finish, the oldest first."""
        query = select(actions.c.record).where(actions.c.status == "planned")
        return self._read(query.order_by(actions.c.at, actions.c.id), Action)

    def save_performed(self, done: Performed) -> None:
        """The action must have been saved. One record an owner; a second report replaces the first."""
        self._save(performed, ["action", "owner"], {
            "action": done.action, "owner": done.owner, "at": done.at,
            "record": msgspec.json.encode(done),
        })  # fmt: skip

    def performed(self, action: str) -> list[Performed]:
        query = select(performed.c.record).where(performed.c.action == action)
        return self._read(query.order_by(performed.c.at, performed.c.owner), Performed)

    def save_state(self, name: str, data: bytes, at: int) -> None:
        self.save_states({name: data}, at)

    def save_states(self, data: Mapping[str, bytes], at: int) -> None:
        """All of them or none: one transaction, one sync."""
        with self._database.writing() as connection:
            for name, value in data.items():
                statement = insert(states).values(name=name, at=at, data=value)
                fresh = {"at": at, "data": value}
                connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=fresh))

    def state(self, name: str) -> bytes | None:
        with self._database.reading() as connection:
            return connection.scalar(select(states.c.data).where(states.c.name == name))

    def states(self, prefix: str) -> dict[str, bytes]:
        """All whose name begins so, by name."""
        query = select(states.c.name, states.c.data).where(states.c.name.startswith(prefix, autoescape=True))
        with self._database.reading() as connection:
            return {row.name: row.data for row in connection.execute(query)}

    def drop_state(self, name: str) -> None:
        with self._database.writing() as connection:
            connection.execute(delete(states).where(states.c.name == name))

    def _save(self, table: Table, key: list[str], row: dict[str, object]) -> None:
        statement = insert(table).values(**row)
        with self._database.writing() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=key, set_=row))

    def _read(self, query: Select[bytes], kind: type[Record]) -> list[Record]:
        with self._database.reading() as connection:
            return [msgspec.json.decode(record, type=kind) for record in connection.scalars(query)]
