"""What one line of somebody else's log says, before it is joined with its neighbours and becomes an Event.

Text in a fact has passed `printable`. No fact ever holds a password.
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Literal

from msgspec import Struct

from sekisho.logs.refusals import Kind
from sekisho.model.address import normal
from sekisho.model.text import printable

Why = Literal["", "password", "unknown_user", "denied", "malformed", "guard"]


_BYTE = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4 = re.compile(rf"(?a:{_BYTE}(?:\.{_BYTE}){{3}})")


class Login(Struct, frozen=True):
    """A password was judged. Two lines that differ only in time and process make one and the same Login."""

    service: str
    ok: bool
    account: str
    address: str
    mechanism: str = ""
    why: str = ""
    digest: str = ""
    fingerprint: str = ""


class NewMessage(Struct, frozen=True, gc=False):
    number: int


class MessageInfo(Struct, frozen=True, gc=False):
    """`qp` is the process that queued it, `uid` its user; `sender` "" for a bounce."""

    number: int
    size: int
    sender: str
    qp: int
    uid: int


class DeliveryStarted(Struct, frozen=True, gc=False):
    """`where` as the log names it: b"remote user@example.net", b"local example.com-hello@example.com"."""

    delivery: int
    number: int
    where: bytes

    @property
    def local(self) -> bool:
        return self.where.startswith(b"local ")

    @property
    def recipient(self) -> str:
        return recipient_of(self.where)


class DeliveryEnded(Struct, frozen=True, gc=False):
    """`cause` as in `DeliveryTried`; `code` and `status` as the remote host gave them, 0 and "" if it did
    not; `kind` in an operator's words."""

    delivery: int
    result: Literal["delivered", "failed", "deferred"]
    cause: str = ""
    code: int = 0
    status: str = ""
    kind: Kind = ""


class BounceQueued(Struct, frozen=True, gc=False):
    """The report on message `number` was queued by process `qp`."""

    number: int
    qp: int


class BounceDropped(Struct, frozen=True, gc=False):
    number: int


class MessageEnded(Struct, frozen=True, gc=False):
    number: int


class SenderIdle(Struct, frozen=True, gc=False):
    """qmail-send's `status:` line: deliveries under way of those allowed."""

    local: tuple[int, int]
    remote: tuple[int, int]


class SenderSaid(Struct, frozen=True, gc=False):
    """A warning, an alert, the end of the daemon: `text` is for people."""

    level: Literal["warning", "alert", "exiting"]
    text: str


class SpamConnected(Struct, frozen=True):
    host: str
    address: str
    port: int


class SpamUserUnknown(Struct, frozen=True):
    user: str


class SpamProcessing(Struct, frozen=True):
    message_id: str
    user: str
    uid: int


class SpamScored(Struct, frozen=True):
    spam: bool
    score: float
    threshold: float
    user: str
    uid: int
    seconds: float
    size: int


class SpamResult(Struct, frozen=True):
    spam: bool
    score: float
    tests: tuple[str, ...]
    user: str
    size: int
    threshold: float
    address: str
    message_id: str


QmailFact = (
    NewMessage | MessageInfo | DeliveryStarted | DeliveryEnded | BounceQueued | BounceDropped | MessageEnded
    | SenderIdle | SenderSaid
)  # fmt: skip
SpamFact = SpamConnected | SpamUserUnknown | SpamProcessing | SpamScored | SpamResult
Fact = Login | QmailFact | SpamFact


def recipient_of(where: bytes) -> str:
    """The address of `where`. qmail puts the virtual domain before the user:
    `example.com-hello@example.com`."""
    kind, _, raw = where.partition(b" ")
    address = normal(printable(raw))
    local, _, domain = address.rpartition("@")
    prefix = domain + "-"
    return address[len(prefix) :] if kind == b"local" and domain and local.startswith(prefix) else address


def ip_address(text: str) -> str:
    """The one spelling of an IP address, an IPv4 address mapped into IPv6 as IPv4; "" for what is none."""
    if _IPV4.fullmatch(text):
        return text
    try:
        if ":" not in text:
            return str(IPv4Address(text))
        address = IPv6Address(text.partition("%")[0])
    except AddressValueError:
        return ""
    return str(address.ipv4_mapped or address)
