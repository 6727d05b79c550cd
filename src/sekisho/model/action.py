"""What we do about it. Imperative; planned first, then performed by its owner, then marked with what it
changed.

An action is idempotent by its id. Undo is made from what was performed (`Performed`), applies only where
the value is still ours, and is an action too. Kinds without inverse say so: `reversible` is False.
"""

from typing import Literal

from msgspec import Struct

Kind = Literal[
    "hold_queue",
    "refuse_logins",
    "purge_bounces",
    "drop_sessions",
    "lock",
    "notify",
    "alarm",
    "release_queue",
    "allow_logins",
    "revoke_access",
    "restore_access",
]
Status = Literal["planned", "done", "undone", "failed"]
LOG = ""
"""`Action.to` of an alarm that is a line of the log."""

IRREVERSIBLE: frozenset[str] = frozenset({"drop_sessions", "notify", "alarm"})


class Action(Struct, frozen=True, omit_defaults=True):
    """`subject` is the account. `spare` are the network keys left alone. `by` is "guard", "operator NAME"
    or "account". `to` is whom a notice goes to; of an alarm LOG, or a
    webhook's name."""

    id: str
    kind: Kind
    subject: str
    incident: str
    at: int
    by: str
    spare: tuple[str, ...] = ()
    undoes: str = ""
    status: Status = "planned"
    v: int = 1
    to: str = ""

    @property
    def reversible(self) -> bool:
        return self.kind not in IRREVERSIBLE


class Performed(Struct, frozen=True, omit_defaults=True):
    """What an owner actually changed for one action: ids touched, and the value before where there was
    one."""

    action: str
    owner: str
    at: int
    changed: tuple[str, ...] = ()
    before: dict[str, str] = {}
    already_on_the_wire: int = 0
    count: int = 0
