"""The tables of house.db. A change here is a new SCHEMA number and a step that brings older files to it.

The type of a target or a sender is text: whether it is a good address was decided before it was written.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

from sekisho.store.database import notes_table

SCHEMA = 2

UPGRADES = {
    1: (
        "alter table domains add column quota varchar not null default ''",
        "alter table accounts add column quota varchar not null default ''",
    ),
}
"""What brings a file of that schema to the next one."""

metadata = MetaData()

notes = notes_table(metadata)

domains = Table(
    "domains",
    metadata,
    Column("name", String, primary_key=True),
    Column("delimiters", String, nullable=False),
    Column("postmaster", String, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("quota", String, nullable=False, server_default=""),
)

accounts = Table(
    "accounts",
    metadata,
    Column("address", String, primary_key=True),
    Column("domain", ForeignKey("domains.name", ondelete="cascade"), nullable=False, index=True),
    Column("language", String, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("sends", Boolean, nullable=False),
    Column("receives", Boolean, nullable=False),
    Column("locked_at", BigInteger, nullable=False),
    Column("locked_why", String, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("quota", String, nullable=False, server_default=""),
)

senders = Table(
    "senders",
    metadata,
    Column("account", ForeignKey("accounts.address", ondelete="cascade"), primary_key=True),
    Column("address", String, primary_key=True),
)

aliases = Table(
    "aliases",
    metadata,
    Column("address", String, primary_key=True),
    Column("domain", ForeignKey("domains.name", ondelete="cascade"), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
)

targets = Table(
    "targets",
    metadata,
    Column("alias", ForeignKey("aliases.address", ondelete="cascade"), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("target", String, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("by", String, nullable=False),
    Column("what", String, nullable=False),
    Column("subject", String, nullable=False, index=True),
    Column("detail", String, nullable=False),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", String, primary_key=True),
    Column("subject", String, nullable=False, index=True),
    Column("opened", BigInteger, nullable=False),
    Column("closed", BigInteger, nullable=False, index=True),
    Column("record", LargeBinary, nullable=False),
)

actions = Table(
    "actions",
    metadata,
    Column("id", String, primary_key=True),
    Column("incident", String, nullable=False, index=True),
    Column("subject", String, nullable=False, index=True),
    Column("kind", String, nullable=False),
    Column("status", String, nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("record", LargeBinary, nullable=False),
)

performed = Table(
    "performed",
    metadata,
    Column("action", ForeignKey("actions.id", ondelete="cascade"), primary_key=True),
    Column("owner", String, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("record", LargeBinary, nullable=False),
)

states = Table(
    "states",
    metadata,
    Column("name", String, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

Index("actions_open", actions.c.status, actions.c.at)
