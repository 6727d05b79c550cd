"""What happened. Past tense, append-only; replaying the same ids changes nothing.

One union for our own sessions, other servers' log lines and the questions they ask us. Text in an event
has passed `text.printable`. Every event has a consumer: the guard, `trace`, `explain`, `scan`'s report.
"""

from typing import Literal

from msgspec import Struct

from sekisho.model.envelope import Network
from sekisho.model.verdict import Reply

Trust = Literal["sealed", "open"]
"""`sealed` sources (our own sessions, local files) may contain an account; `open` ones may only alert."""


class Happened(Struct, frozen=True, kw_only=True, tag_field="event", omit_defaults=True):
    """`at` in microseconds since the epoch. `source` says who told us: "front", "log:NAME", "history",
    "demo"."""

    id: str
    at: int
    source: str
    trust: Trust = "sealed"
    v: int = 1
    session: str = ""
    account: str = ""
    address: str = ""
    network: Network | None = None


class Connected(Happened, frozen=True, kw_only=True, tag="connected"):
    listener: str
    via: str = ""


class LoginTried(Happened, frozen=True, kw_only=True, tag="login_tried"):
    """A password was judged. `service` as in logs: smtp, submission, smtps, imap, pop3, webmail ...

    `why` of a failure: password, unknown_user, denied, revoked, malformed, guard. `digest` tells two wrong
    passwords apart without telling either: 16 bits of a keyed hash, "" when unknown. `fingerprint` is how
    the client speaks. `credential`: the app password that it was, "" for the account's own.
    """

    service: str
    ok: bool
    mechanism: str = ""
    why: str = ""
    digest: str = ""
    fingerprint: str = ""
    credential: str = ""


class RecipientGiven(Happened, frozen=True, kw_only=True, tag="recipient_given"):
    """An authenticated client named a recipient that was (or is about to be) accepted."""

    sender: str
    recipient: str


class Accepted(Happened, frozen=True, kw_only=True, tag="accepted"):
    """A message was taken on. `login` is the LoginTried it belongs to: exact for ours, a guess from logs.

    `recipients` may be cut to the first `RECIPIENTS_KEPT`; `recipient_count` is the true number. `subject` is
    printable text, "" when unknown, and so is `message_id`, the Message-ID field. `bounce_of` names the
    message that a null-sender message reports on. `tls` is the encryption it came over, "" for none.
    """

    message: str
    sender: str
    recipients: tuple[str, ...] = ()
    recipient_count: int = 0
    size: int = 0
    login: str = ""
    confidence: float = 1.0
    subject: str = ""
    bounce_of: str = ""
    held_by: str = ""
    message_id: str = ""
    tls: str = ""


class Refused(Happened, frozen=True, kw_only=True, tag="refused"):
    """The peer was told no (4yz or 5yz) at this stage, by this check or by the protocol itself."""

    stage: str
    by: str
    reply: Reply
    sender: str = ""
    recipient: str = ""


class Judged(Happened, frozen=True, kw_only=True, tag="judged"):
    """One check's answer in one session, for `explain`; `won` when it was the verdict that stood."""

    stage: str
    check: str
    act: str
    why: str = ""
    won: bool = False


class DeliveryTried(Happened, frozen=True, kw_only=True, tag="delivery_tried"):
    """One try for one recipient. `account`, `address` and `network` are those of the message's origin, and
    `login` is the id of the LoginTried that brought it.

    `cause` of what was not delivered: 5yz, 4yz, dns, timeout, tls, connect.
    """

    message: str
    delivery: str
    recipient: str
    result: Literal["delivered", "deferred", "failed"]
    reply: Reply
    cause: str = ""
    host: str = ""
    next_at: int = 0
    local: bool = False
    login: str = ""


class BareNewlines(Happened, frozen=True, kw_only=True, tag="bare_newlines"):
    """`count` lines of a letter ended in LF alone, and it was taken all the same (`bare_lf`)."""

    message: str
    sender: str
    hello: str
    count: int


class TlsCounted(Happened, frozen=True, kw_only=True, tag="tls_counted"):
    """So many sessions with this host ended so on this day (UTC): what reports are made of (RFC 8460).

    `policy`: tlsa, sts or no-policy-found; `result` as in RFC 8460 4.3, "" for success.
    """

    day: str
    domain: str
    policy: str
    host: str
    host_address: str
    result: str
    count: int


class Bounced(Happened, frozen=True, kw_only=True, tag="bounced"):
    """A delivery status notification was made for `recipient` of `message`; "" for `bounce` means none was
    owed. `kind`: failed, delayed, delivered; double or dropped when the message itself had no return path.
    """

    message: str
    recipient: str
    bounce: str
    reply: Reply
    kind: str = "failed"


class Returned(Happened, frozen=True, kw_only=True, tag="returned"):
    """Mail without return path came to the signed one of `message` and says this of one recipient of it.

    `account` sent the message, from the network that `mark` stands for; `address` is who brought the report,
    `bounce` the report's own message id. `recipient` and `reply` are what a stranger says: "" if it says
    nothing. `stale`: it came so late that it proves nothing.
    """

    message: str
    recipient: str
    bounce: str
    reply: Reply
    mark: int = 0
    stale: bool = False


class ActionDone(Happened, frozen=True, kw_only=True, tag="action_done"):
    """An action was performed (or undone): what it is called, on whom, how many things it changed."""

    action: str
    kind: str
    subject: str
    changed: int
    incident: str = ""
    text: str = ""


class Troubled(Happened, frozen=True, kw_only=True, tag="troubled"):
    """A bug or a failed door of ours; `trace` is the stack without values."""

    what: str
    about: str
    trace: str = ""


RECIPIENTS_KEPT = 100

Event = (
    Connected
    | LoginTried
    | RecipientGiven
    | Accepted
    | Refused
    | Judged
    | DeliveryTried
    | BareNewlines
    | TlsCounted
    | Bounced
    | Returned
    | ActionDone
    | Troubled
)
