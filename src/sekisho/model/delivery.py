"""One recipient of one message on its way (Delivery), the road it takes (Route) and how a try ended
(Outcome)."""

from enum import StrEnum

from msgspec import Struct

from sekisho.model.verdict import Reply


class State(StrEnum):
    WAITING = "waiting"
    TRYING = "trying"
    DONE = "done"
    FAILED = "failed"
    PURGED = "purged"


class Kind(StrEnum):
    MAILDIR = "maildir"
    LMTP = "lmtp"
    MX = "mx"
    RELAY = "relay"
    PIPE = "pipe"
    REFUSE = "refuse"
    LIST = "list"


class Tls(StrEnum):
    NONE = "none"
    OPPORTUNISTIC = "opportunistic"
    REQUIRED = "required"
    """REQUIRED: encrypted, certificate not examined; VERIFY: certificate valid for the host's name; DANE:
    matches the TLSA records, which there must be (RFC 7672)."""
    VERIFY = "verify"
    DANE = "dane"


class Route(Struct, frozen=True):
    """The road of a delivery. `host` is a mailbox folder, `host:port`, a domain whose MX is asked, or a
    reason.

    `lane` names the queue it stands in: one lane per (route, destination), with its own concurrency and
    back-off.
    """

    kind: Kind
    host: str
    lane: str
    source: str = ""
    tls: Tls = Tls.OPPORTUNISTIC
    credentials: str = ""


class Delivery(Struct, frozen=True):
    """It moves only while `held_by` is empty; an action adds and removes its own id there. Times in
    microseconds."""

    id: str
    message: str
    recipient: str
    route: Route
    tries: int
    next_at: int
    expires_at: int
    held_by: frozenset[str] = frozenset()
    state: State = State.WAITING
    last_reply: Reply | None = None


class Delivered(Struct, frozen=True, tag="delivered"):
    """`host` is the peer that took it, "" for our own mailboxes.

    `handed_on`: the peer offers DSN and was told NOTIFY, so that success is its to report (RFC 3461 5.2.2).
    `onward`: the addresses that its owner forwards it to, which the front does in the same step; `owner` is
    where bounces of those go, "" for the sender. `answer`: a letter of the recipient's to the sender, with LF
    lines.
    """

    reply: Reply
    host: str = ""
    handed_on: bool = False
    onward: tuple[str, ...] = ()
    owner: str = ""
    answer: bytes = b""


class Deferred(Struct, frozen=True, tag="deferred"):
    """Not now. `cause` as in the event DeliveryTried: 4yz, dns, timeout, tls, connect."""

    reply: Reply
    cause: str = "4yz"
    host: str = ""


class Failed(Struct, frozen=True, tag="failed"):
    """Never. `cause` as in the event DeliveryTried: 5yz, dns."""

    reply: Reply
    cause: str = "5yz"
    host: str = ""


Outcome = Delivered | Deferred | Failed
