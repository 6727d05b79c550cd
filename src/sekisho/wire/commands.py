"""What a command that is in order means: verb and argument become a step, or the reply that refuses them."""

from typing import Literal

from msgspec import Struct

from sekisho.model.text import printable
from sekisho.model.verdict import Reply
from sekisho.wire import replies
from sekisho.wire.arguments import parse_mail, parse_rcpt
from sekisho.wire.sasl import MECHANISMS
from sekisho.wire.steps import Data, Hello, Help, Noop, Owing, Quit, Reset, StartTls, Verify
from sekisho.wire.verbs import ELSEWHERE, HTTP
from sekisho.wire.xclient import OFFERED, parse_xclient

HELLO_OCTETS = 255  # RFC 5321 4.5.3.1.2

_MAIL_PARAMS = frozenset({"SIZE", "BODY", "SMTPUTF8", "RET", "ENVID"})
_MAIL_PARAMS_TLS = _MAIL_PARAMS | {"REQUIRETLS"}  # RFC 8689 2: never without TLS
_MAIL_PARAMS_AUTH = _MAIL_PARAMS_TLS | {"AUTH"}  # RFC 4954 5
_RCPT_PARAMS = frozenset({"NOTIFY", "ORCPT"})
_UNNAMED = {"sekisho": b"", "qmail": b"unknown"}  # netqmail takes HELO without a name


QMAIL = "qmail"
Speaks = Literal["sekisho", "qmail"]


class ServerSettings(Struct, frozen=True):
    """`starttls`, `auth`: if they are offered, AUTH under TLS only, with these `mechanisms`. `implicit_tls`:
    TLS from the start. `recipients`: most of one message. `lmtp`: the protocol is LMTP (RFC 2033). `speaks`:
    in whose words (see `qmail_voice.py`). `xclient`: peers must name their clients first. `bare_lf`:
    lines of a letter may end in LF alone (see `lenient.py`).
    """

    hostname: str
    size_limit: int
    starttls: bool
    auth: bool
    implicit_tls: bool = False
    command_s: int = 300
    data_s: int = 180
    recipients: int = 100
    lmtp: bool = False
    mechanisms: tuple[str, ...] = MECHANISMS
    speaks: Speaks = "sekisho"
    xclient: bool = False
    bare_lf: bool = False


class Session(Struct):
    """What the client has reached so far. RFC 3207 4.2: a handshake begins it anew.

    `smtputf8` and `recipients` (how many were accepted) are of the transaction.
    """

    encrypted: bool
    authenticated: bool = False
    hello: str = ""
    extended: bool = False
    smtputf8: bool = False
    recipients: int = 0


def step_of(verb: str, argument: bytes, settings: ServerSettings, session: Session) -> Owing | Reply:
    """For every verb of the table except AUTH and BDAT, which have files of their own."""
    match verb:
        case "MAIL":
            return parse_mail(argument, _mail_params(settings, session), settings.size_limit)
        case "RCPT":
            return parse_rcpt(argument, _RCPT_PARAMS, smtputf8=session.smtputf8)
        case "EHLO" | "HELO" | "LHLO":
            return _hello(verb, argument or _UNNAMED[settings.speaks])
        case "XCLIENT":
            return parse_xclient(argument)
        case "VRFY":
            return Verify(printable(argument)) if argument else replies.ARGUMENT
        case "NOOP":
            return Noop()
        case "HELP":
            return Help()
    return replies.NO_ARGUMENT if argument else _alone(verb, settings, session)


def auth_refusal(settings: ServerSettings, session: Session) -> Reply | None:
    """Why no password may be offered now."""
    if not settings.auth:
        return replies.NOT_HERE
    if not session.encrypted:
        return replies.TLS_FIRST
    return replies.AUTH_TWICE if session.authenticated else None  # RFC 4954 4: one AUTH a session


def refusal_of(word: bytes) -> tuple[Reply, str]:
    """For a word (in capitals) that is not in the table: the reply, and the violation it amounts to or ""."""
    if word in HTTP:
        return replies.HTTP, "http"
    if word == b"PROXY":
        return replies.PROXY, "proxy"
    return replies.NOT_HERE if word in ELSEWHERE else replies.UNKNOWN, ""


def capabilities(settings: ServerSettings, session: Session) -> list[str]:
    """The lines of an EHLO reply below the first: what may be used now."""
    plain = settings.speaks == QMAIL
    offers = ["PIPELINING", "8BITMIME"] if plain else _offers(settings)
    if session.encrypted:
        offers += [] if plain else ["REQUIRETLS"]
    elif settings.starttls:
        offers.append("STARTTLS")
    if settings.xclient:
        offers.append("XCLIENT " + " ".join(OFFERED))
    if auth_refusal(settings, session) is None:
        offers.append("AUTH " + " ".join(settings.mechanisms))
    return offers


def _offers(settings: ServerSettings) -> list[str]:
    offers = ["PIPELINING", f"SIZE {settings.size_limit}", "8BITMIME", "ENHANCEDSTATUSCODES"]
    return [*offers, "DSN", "CHUNKING", "SMTPUTF8", f"LIMITS RCPTMAX={settings.recipients}"]  # RFC 9422 4


def _mail_params(settings: ServerSettings, session: Session) -> frozenset[str]:
    if not session.encrypted:
        return _MAIL_PARAMS
    return _MAIL_PARAMS_AUTH if settings.auth else _MAIL_PARAMS_TLS


def _hello(verb: str, argument: bytes) -> Hello | Reply:
    """RFC 5321 4.1.1.1. The name need not be true, or even a name: that is for the checks."""
    if not argument or b" " in argument or len(argument) > HELLO_OCTETS:
        return replies.HELLO_NAME
    name = printable(argument).encode("ascii", "backslashreplace").decode("ascii")
    return Hello(name, verb != "HELO")


def _alone(verb: str, settings: ServerSettings, session: Session) -> Owing | Reply:
    match verb:
        case "DATA":
            return Data()
        case "RSET":
            return Reset()
        case "QUIT":
            return Quit()
    if not settings.starttls:
        return replies.NOT_HERE
    return replies.TLS_ACTIVE if session.encrypted else StartTls()
