"""Which deliveries of a queue are meant: every selector given must match (AND); none given means all."""

from msgspec import Struct

from sekisho.model.delivery import State
from sekisho.model.ident import id_time, is_id


class Cause(Struct, frozen=True, omit_defaults=True):
    """The letters of an incident, by which its bounces are known: those of the account, from `since` to
    `until` (0: now), but not from networks of these marks (`mail/return_path.py`); and those that the actions
    `holds` hold.
    """

    account: str
    since: int
    until: int = 0
    spare: tuple[int, ...] = ()
    holds: tuple[str, ...] = ()

    def covers(self, message: str, account: str, mark: str) -> bool:
        """Is this a letter of the incident? `account` sent it, from a network of this mark."""
        if account != self.account or not is_id(message) or not mark.isdecimal():
            return False
        at = id_time(message)
        return self.since <= at and (not self.until or at <= self.until) and int(mark) not in self.spare


class Selector(Struct, frozen=True, omit_defaults=True):
    """`sender`, `recipient`: an address, "@domain" or a glob with `*`; `older_s` age of the message in
    seconds.

    `subject`, `body`, `header` (of one field) and `reply` are looked for as text without regard to case;
    after "re:" each of these, and the addresses, is a regular expression of RE2. `address` is the client's,
    or a network in CIDR form. `bounces_of` is a message id: null-sender messages that report on it. `held_by`
    an action id. `cause`: held letters of an incident, and the bounces that it caused. `spare` and `networks`
    are guard network keys of the origin: not these, only these.
    """

    ids: tuple[str, ...] = ()
    sender: str = ""
    recipient: str = ""
    account: str = ""
    address: str = ""
    subject: str = ""
    body: str = ""
    header: str = ""
    older_s: int = 0
    reply: str = ""
    incident: str = ""
    bounces_of: str = ""
    held_by: str = ""
    states: tuple[State, ...] = ()
    spare: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    cause: Cause | None = None
