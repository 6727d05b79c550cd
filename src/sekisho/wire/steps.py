"""What a client of the SMTP server machine does, one Struct a step.

Most steps owe exactly one reply: `SmtpServer.reply` must be called before the next step comes. `Refused`,
`Violated` and the parts of a body (plain `bytes` in wire form) owe none.
"""

from msgspec import Struct

from sekisho.model.secret import Secret
from sekisho.model.verdict import Reply


class Opened(Struct, frozen=True):
    """The connection stands: owed is 220, or 554 or 421 to send the client away."""


class Hello(Struct, frozen=True):
    """HELO or, `extended`, EHLO or LHLO. `name` is ASCII and one line, whatever the client sent."""

    name: str
    extended: bool


class StartTls(Struct, frozen=True):
    """Owed is 220, after which the handshake is wanted, or 454."""


class XClient(Struct, frozen=True):
    """The peer speaks for this address, "" if it does not know it: owed is 220, or the reply that sends that
    client away.
    """

    address: str


class Login(Struct, frozen=True):
    """A password was offered: owed is 235, 454 or 535. `authorization` is "" or the identity to act as."""

    mechanism: str
    identity: str
    authorization: str
    password: Secret
    fingerprint: str


class ScramBegun(Struct, frozen=True):
    """SCRAM (RFC 5802) names who logs in, with the client's nonce: owed is 334 with what the server says
    first, as plain text, or a refusal.
    """

    identity: str
    authorization: str
    nonce: str
    fingerprint: str


class ScramProof(Struct, frozen=True):
    """`proof` (in base64) that the client knows the password, over `message`: owed is 334 with what the
    server says last, 454 or 535.
    """

    identity: str
    authorization: str
    message: bytes
    proof: str
    fingerprint: str


class ScramDone(Struct, frozen=True):
    """The client has taken the server's own proof: owed is 235."""


class Token(Struct, frozen=True):
    """A token of an identity provider was offered, for `identity` or, "", for whom it names: owed is 235, 454
    or 535, or 334 with the reason of a refusal, which the machine then ends with 535.
    """

    mechanism: str
    identity: str
    token: Secret
    fingerprint: str


class Mail(Struct, frozen=True):
    """`path` is "" for the null sender; `size` as declared, else 0; the keys of `params` are in capitals."""

    path: str
    params: dict[str, str]
    size: int


class Rcpt(Struct, frozen=True):
    """`path` is an address, or `postmaster` alone (RFC 5321 4.5.1)."""

    path: str
    params: dict[str, str]


class Data(Struct, frozen=True):
    """Owed is 354, after which the body's parts come, or a refusal."""


class Chunk(Data, frozen=True):
    """The same for the first BDAT. The 354 is not said: the body's parts are here already."""


class BodyEnd(Struct, frozen=True):
    """The final dot, or the last chunk. `size` in bytes of wire form. Owed is `flaw`, if there is one.
    `bare_lf`: how many lines ended in LF alone, and were given a CR.
    """

    size: int
    flaw: Reply | None = None
    bare_lf: int = 0


class Reset(Struct, frozen=True):
    pass


class Noop(Struct, frozen=True):
    pass


class Verify(Struct, frozen=True):
    argument: str


class Help(Struct, frozen=True):
    pass


class Quit(Struct, frozen=True):
    """Owed is 221; the connection closes whatever is said."""


class Refused(Struct, frozen=True):
    """The machine has answered: syntax, order, unknown verb. `verb` in capitals, "" for what is none."""

    reply: Reply
    verb: str


class Violated(Struct, frozen=True):
    """The machine has answered and closed, as going on would be unsafe. `what` is one of `VIOLATIONS`."""

    reply: Reply
    what: str


VIOLATIONS = (
    "early_talker",  # spoke before the greeting (RFC 5321 4.3.1)
    "glued",  # bytes behind STARTTLS that an attacker may have put there (CVE-2011-0411)
    "pipelined",  # did not wait where it must (RFC 2920 3.1)
    "bare_newline",  # a CR or LF alone within commands
    "long_line",
    "http",  # a browser was made to talk to us (ALPACA)
    "proxy",  # a PROXY header where none belongs
    "bdat",  # a chunk whose length cannot be known: its bytes would be read as commands
    "flood",  # went on sending while a reply was owed
)

Sasl = Login | ScramBegun | ScramProof | ScramDone | Token
Owing = (
    Opened | Hello | StartTls | XClient | Sasl | Mail | Rcpt | Data | BodyEnd | Reset | Noop
    | Verify | Help | Quit
)  # fmt: skip
Step = Owing | Refused | Violated | bytes
