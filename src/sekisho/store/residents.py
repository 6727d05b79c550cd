"""Domains, accounts and aliases as the house database keeps them.

No rule about names stands here: `service/accounts.py` decides what may be written. Every change is written
with its line in the audit, in one transaction, and moves the change counter that every `Directory` watches.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Select, delete, func, select
from sqlalchemy.dialects.sqlite import insert

from sekisho.model.account import Account, Alias, Domain, split
from sekisho.store.database import Database
from sekisho.store.tables import accounts, aliases, audit, domains, senders, targets

LAST = 2**62
"""Later than any time."""


class Change(Struct, frozen=True):
    """One line of the audit: who did what to whom. `by` is "operator NAME", "guard" or "account"."""

    at: int
    by: str
    what: str
    subject: str
    detail: str = ""


class Residents:
    def __init__(self, database: Database) -> None:
        self._database = database

    def domains(self) -> list[Domain]:
        with self._database.reading() as connection:
            rows = connection.execute(select(domains).order_by(domains.c.created_at, domains.c.name))
            return [Domain(**row._mapping) for row in rows]

    def domain(self, name: str) -> Domain | None:
        with self._database.reading() as connection:
            row = connection.execute(select(domains).where(domains.c.name == name)).one_or_none()
            return Domain(**row._mapping) if row else None

    def accounts(self, domain: str = "") -> list[Account]:
        query = select(accounts).order_by(accounts.c.domain, accounts.c.address)
        if domain:
            query = query.where(accounts.c.domain == domain)
        with self._database.reading() as connection:
            return _accounts(connection, query)

    def account(self, address: str) -> Account | None:
        with self._database.reading() as connection:
            found = _accounts(connection, select(accounts).where(accounts.c.address == address))
            return found[0] if found else None

    def aliases(self, domain: str = "") -> list[Alias]:
        query = select(aliases).order_by(aliases.c.domain, aliases.c.address)
        if domain:
            query = query.where(aliases.c.domain == domain)
        with self._database.reading() as connection:
            return _aliases(connection, query)

    def alias(self, address: str) -> Alias | None:
        with self._database.reading() as connection:
            found = _aliases(connection, select(aliases).where(aliases.c.address == address))
            return found[0] if found else None

    def save_domain(self, domain: Domain, change: Change) -> None:
        row = {"name": domain.name, "delimiters": domain.delimiters, "postmaster": domain.postmaster}
        row["quota"] = domain.quota
        with self._database.changing() as connection:
            statement = insert(domains).values(**row, created_at=domain.created_at)
            connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))
            _write(connection, change)

    def save_account(self, account: Account, change: Change) -> None:
        row = _account_row(account)
        with self._database.changing() as connection:
            statement = insert(accounts).values(**row, created_at=account.created_at)
            connection.execute(statement.on_conflict_do_update(index_elements=["address"], set_=row))
            connection.execute(delete(senders).where(senders.c.account == account.address))
            for address in account.send_as:
                connection.execute(insert(senders).values(account=account.address, address=address))
            _write(connection, change)

    def save_alias(self, alias: Alias, change: Change) -> None:
        row = {"address": alias.address, "domain": split(alias.address)[1]}
        with self._database.changing() as connection:
            statement = insert(aliases).values(**row, created_at=alias.created_at)
            connection.execute(statement.on_conflict_do_nothing())
            connection.execute(delete(targets).where(targets.c.alias == alias.address))
            for place, target in enumerate(alias.targets):
                connection.execute(insert(targets).values(alias=alias.address, place=place, target=target))
            _write(connection, change)

    def remove_alias(self, address: str, change: Change) -> None:
        with self._database.changing() as connection:
            connection.execute(delete(aliases).where(aliases.c.address == address))
            _write(connection, change)

    def remove_account(self, address: str, change: Change) -> None:
        with self._database.changing() as connection:
            connection.execute(delete(accounts).where(accounts.c.address == address))
            _write(connection, change)

    def remove_domain(self, name: str, change: Change) -> None:
        """With its accounts and aliases."""
        with self._database.changing() as connection:
            connection.execute(delete(domains).where(domains.c.name == name))
            _write(connection, change)

    def count(self, domain: str) -> tuple[int, int]:
        """How many accounts and aliases a domain has."""
        with self._database.reading() as connection:
            people = select(func.count()).select_from(accounts).where(accounts.c.domain == domain)
            names = select(func.count()).select_from(aliases).where(aliases.c.domain == domain)
            return connection.scalar(people) or 0, connection.scalar(names) or 0

    def note(self, change: Change) -> None:
        """A line of the audit about something that is not kept here, such as a new password."""
        with self._database.writing() as connection:
            _write(connection, change)

    def noted_at(self, subject: str, what: str) -> int:
        """When that was last done to this one, in microseconds; 0: never."""
        return self.noted_between(subject, what, 0, LAST)

    def noted_between(self, subject: str, what: str, since: int, until: int) -> int:
        """The last time within these; 0: not once."""
        query = select(func.max(audit.c.at)).where(audit.c.subject == subject, audit.c.what == what)
        with self._database.reading() as connection:
            return connection.scalar(query.where(audit.c.at > since, audit.c.at <= until)) or 0

    def audit(self, subject: str = "", limit: int = 1000) -> list[Change]:
        """The newest first."""
        query = select(audit.c.at, audit.c.by, audit.c.what, audit.c.subject, audit.c.detail)
        if subject:
            query = query.where(audit.c.subject == subject)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(audit.c.number.desc()).limit(limit))
            return [Change(**row._mapping) for row in rows]


def _write(connection: Connection, change: Change) -> None:
    connection.execute(insert(audit).values(**msgspec.structs.asdict(change)))


def _account_row(account: Account) -> dict[str, object]:
    return {
        "address": account.address,
        "domain": split(account.address)[1],
        "language": account.language,
        "active": account.active,
        "sends": account.sends,
        "receives": account.receives,
        "locked_at": account.locked_at,
        "locked_why": account.locked_why,
        "quota": account.quota,
    }


def _accounts(connection: Connection, query: Select[*tuple[Any, ...]]) -> list[Account]:
    chosen = query.with_only_columns(accounts.c.address).order_by(None)
    names = select(senders.c.account, senders.c.address).where(senders.c.account.in_(chosen))
    send_as = _gather(connection.execute(names.order_by(senders.c.address)))
    rows = [dict(row._mapping) for row in connection.execute(query)]
    for row in rows:
        del row["domain"]
    return [Account(**row, send_as=send_as.get(row["address"], ())) for row in rows]


def _aliases(connection: Connection, query: Select[*tuple[Any, ...]]) -> list[Alias]:
    chosen = query.with_only_columns(aliases.c.address).order_by(None)
    places = select(targets.c.alias, targets.c.target).where(targets.c.alias.in_(chosen))
    found = _gather(connection.execute(places.order_by(targets.c.place)))
    rows = connection.execute(query)
    return [Alias(row.address, found.get(row.address, ()), row.created_at) for row in rows]


def _gather(rows: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for owner, value in rows:
        found.setdefault(owner, []).append(value)
    return {owner: tuple(values) for owner, values in found.items()}
