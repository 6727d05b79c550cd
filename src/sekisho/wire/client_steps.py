"""What the SMTP client machine is told and what it answers: settings, a transaction, steps."""

from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

from sekisho.model.delivery import Tls
from sekisho.model.envelope import Wish
from sekisho.model.secret import Secret
from sekisho.model.verdict import Reply

NO_TLS = Reply(451, "4.7.10", "the server offers no encryption, which is required")
INJECTED = Reply(451, "4.7.5", "the server spoke between STARTTLS and the handshake")
NO_LOGIN = Reply(451, "4.7.0", "the server offers no login that we know")
NOT_PROVEN = Reply(451, "4.7.0", "the server could not prove that it knows the password")
CONFUSED = Reply(451, "4.5.0", "the letter before was refused, and what the server said next may be of it")
NO_PLAIN_LOGIN = Reply(451, "4.7.10", "no password is sent without encryption")


class ClientSettings(Struct, frozen=True):
    """With `user` the session logs in before it is Ready; `nonce` is chance for SCRAM (RFC 5802 5.1).

    `lmtp`: the server keeps mailboxes, and answers the final dot once for each recipient (RFC 2033).
    """

    helo: str
    tls: Tls = Tls.OPPORTUNISTIC
    user: str = ""
    password: Secret | None = None
    nonce: str = ""
    reply_s: int = 300
    final_dot_s: int = 600
    lmtp: bool = False


class Transaction(Struct, frozen=True):
    """One message for some recipients. `sender` "" is the null path; `size` in bytes of wire form.

    `utf8`: header or addresses need SMTPUTF8 (RFC 6531). `wishes` stand beside the recipients, or there are
    none. `question`: no letter follows; only the recipients' replies are wanted.
    """

    sender: str
    recipients: tuple[str, ...]
    size: int
    eight_bit: bool = False
    utf8: bool = False
    require_tls: bool = False
    ret: str = ""
    envid: str = ""
    wishes: tuple[Wish, ...] = ()
    question: bool = False


class Encrypt(Struct, frozen=True):
    """The handshake is due: afterwards `tls_started`."""


class Derive(Struct, frozen=True):
    """SCRAM's slow step, to be done off the loop: `work` gives the key for `derived` (RFC 5802 3)."""

    work: Callable[[], bytes]


class Ready(Struct, frozen=True):
    """The session takes a transaction."""


class SendBody(Struct, frozen=True):
    """354: give `body` every part of the letter, then `end_body`."""


class Ended(Struct, frozen=True):
    """The transaction is over: a reply per recipient, in order.

    `undecided` are the places of recipients that the server did not judge before the session ended: their
    reply is the session's, and another host may be asked at once. `told`: the server knows the wishes.
    """

    replies: tuple[Reply, ...]
    undecided: tuple[int, ...] = ()
    told: bool = False


class Refused(Struct, frozen=True):
    """There will be no session here. `stage`: greeting, hello, tls, login, idle."""

    stage: str
    reply: Reply


Step = Encrypt | Derive | Ready | SendBody | Ended | Refused


class Verb(StrEnum):
    GREETING = "greeting"
    EHLO = "ehlo"
    HELO = "helo"
    STARTTLS = "starttls"
    AUTH = "auth"
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
}
