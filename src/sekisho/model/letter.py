"""A letter on its way: as it enters the queue (Draft), as a carrier gets it (Letter), how a try left it
(Settled)."""

from msgspec import Struct

from sekisho.model.delivery import Delivery, State
from sekisho.model.envelope import Envelope, Message
from sekisho.model.verdict import Reply

BOUNCE_OF, BOUNCE_ACCOUNT, BOUNCE_MARK = "bounce_of", "bounce_account", "bounce_mark"
"""Keys in `Envelope.options` of a report: the id of the message that it reports on, the account that sent
that, and the mark (`mail/return_path.py`) of the network that it was sent from.
"""

DELAYED_BY = "delayed_by"
"""Key in `Envelope.options`: the check that lets the letter wait at first, and why. For the operator only."""


class Draft(Struct, frozen=True):
    """What is to be kept, its body apart. `head` are the fields we add above the message, in wire form.

    `subject` is printable text, for lists of the queue; "" when unknown.
    """

    envelope: Envelope
    message: Message
    head: bytes
    deliveries: tuple[Delivery, ...]
    subject: str = ""


class Letter(Struct, frozen=True):
    """A kept message. Its body, in wire form without the final dot, is `body` or stands in the file `path`.
    """

    message: Message
    envelope: Envelope
    head: bytes
    body: tuple[bytes, ...] = ()
    path: str = ""


class Settled(Struct, frozen=True):
    """How a try left a delivery: done, failed (a report is owed), or waiting until `next_at`."""

    delivery: str
    message: str
    state: State
    reply: Reply | None = None
    tries: int = 0
    next_at: int = 0


DOUBLE = "double"
"""Key in `Envelope.options` of what the postmaster is told of a bounce that failed: the end of the line."""


def party_of(envelope: Envelope) -> str:
    """On whose behalf it is sent: parties take turns. A client without a login is its address."""
    return envelope.origin.account or envelope.origin.address
