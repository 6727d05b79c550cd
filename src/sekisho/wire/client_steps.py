"""What the SMTP client machine is told and what it answers: settings, a transaction, steps."""

from enum import StrEnum

from msgspec import Struct

from sekisho.model.delivery import Tls
from sekisho.model.secret import Secret
from sekisho.model.verdict import Reply

NO_TLS = Reply(451, "4.7.10", "the server offers no encryption, which is required")
INJECTED = Reply(451, "4.7.5", "the server spoke between STARTTLS and the handshake")
NO_LOGIN = Reply(451, "4.7.0", "the server offers no login that we know")
NO_PLAIN_LOGIN = Reply(451, "4.7.10", "no password is sent without encryption")


class ClientSettings(Struct, frozen=True):
    """`tls` none, may, must or verify; with `user` the session logs in before it is Ready.

    `lmtp`: the server keeps mailboxes, and answers the final dot once for each recipient (RFC 2033).
    """

    helo: str
    tls: Tls = Tls.MAY
    user: str = ""
    password: Secret | None = None
    reply_s: int = 300
    final_dot_s: int = 600
    lmtp: bool = False


class Transaction(Struct, frozen=True):
    """One message for some recipients. `sender` "" is the null path; `size` in bytes of wire form."""

    sender: str
    recipients: tuple[str, ...]
    size: int
    eight_bit: bool = False


class Encrypt(Struct, frozen=True):
    """The handshake is due: afterwards `tls_started`."""


class Ready(Struct, frozen=True):
    """The session takes a transaction."""


class SendBody(Struct, frozen=True):
    """354: give `body` every part of the letter, then `end_body`."""


class Ended(Struct, frozen=True):
    """The transaction is over: a reply per recipient, in order.

    `undecided` are the places of recipients that the server did not judge before the session ended: their
    reply is the session's, and another host may be asked at once.
    """

    replies: tuple[Reply, ...]
    undecided: tuple[int, ...] = ()


class Refused(Struct, frozen=True):
    """There will be no session here. `stage`: greeting, hello, tls, login, idle."""

    stage: str
    reply: Reply


Step = Encrypt | Ready | SendBody | Ended | Refused


class Verb(StrEnum):
    GREETING = "greeting"
    EHLO = "ehlo"
    HELO = "helo"
    STARTTLS = "starttls"
    AUTH = "auth"
    USER = "user"
    RSET = "rset"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    END = "end"


STAGES = {
    Verb.GREETING: "greeting",
    Verb.EHLO: "hello",
    Verb.HELO: "hello",
    Verb.STARTTLS: "tls",
    Verb.AUTH: "login",
    Verb.USER: "login",
}
