"""Which deliveries of a queue are meant: every selector given must match (AND); none given means all."""

from msgspec import Struct

from sekisho.model.delivery import State


class Selector(Struct, frozen=True, omit_defaults=True):
    """`sender`, `recipient`: an address, "@domain" or a glob with `*`; `older_s` age of the message in
    seconds.

    `subject`, `body`, `header` (of one field) and `reply` are looked for as text without regard to case;
    after "re:" each of these, and the addresses, is a regular expression of RE2. `address` is the client's,
    or a network in CIDR form. `bounces_of` is a message id: null-sender messages that report on it. `held_by`
    an action id. `spare` and `networks` are guard network keys of the origin: not these, only these.
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
