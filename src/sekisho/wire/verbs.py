"""The order of SMTP commands (RFC 5321 4.1.4) as one table, from which `docs/wire.md` draws its own.

Rule: what decides whether a verb is in order stands here and nowhere else. The table does not know what the
verbs mean, nor whether TLS or AUTH are on offer.
"""

from enum import Enum

from sekisho.model.verdict import Reply
from sekisho.wire.replies import HELLO_FIRST, IN_CHUNKS, IN_TRANSACTION, MAIL_FIRST, NESTED, RCPT_FIRST


class State(Enum):
    """The first five wait for a command; the others for something else."""

    FRESH = "fresh"  # connected, or encrypted a moment ago: no hello yet
    READY = "ready"  # has said hello
    SENDER = "sender"  # MAIL was accepted
    RECIPIENT = "recipient"  # at least one RCPT was accepted
    CHUNKS = "chunks"  # a first part of the message has come by BDAT
    GREETING = "greeting"  # the 220 is still owed
    SASL = "sasl"  # within an AUTH exchange
    BODY = "body"  # after 354
    HANDSHAKE = "handshake"  # after 220 to STARTTLS
    CLOSED = "closed"

    __hash__ = object.__hash__  # Enum's own is a Python function, and every command looks into a table


COMMAND_STATES = (State.FRESH, State.READY, State.SENDER, State.RECIPIENT, State.CHUNKS)

_F, _R, _S, _T, _C = COMMAND_STATES

# A state: in order, and the state after a positive reply. A Reply: out of order, and what is said.
# BODY, HANDSHAKE and SASL stand for 354 to DATA, 220 to STARTTLS and the exchange that AUTH begins.
_ROWS: dict[str, tuple[State | Reply, State | Reply, State | Reply, State | Reply, State | Reply]] = {
    # verb       FRESH              READY            SENDER           RECIPIENT        CHUNKS
    "HELO":     (_R,                _R,              _R,              _R,              _R),
    "EHLO":     (_R,                _R,              _R,              _R,              _R),
    "LHLO":     (_R,                _R,              _R,              _R,              _R),
    "STARTTLS": (HELLO_FIRST,       State.HANDSHAKE, IN_TRANSACTION,  IN_TRANSACTION,  IN_TRANSACTION),
    "XCLIENT":  (_F,                _F,              IN_TRANSACTION,  IN_TRANSACTION,  IN_TRANSACTION),
    "AUTH":     (HELLO_FIRST,       State.SASL,      IN_TRANSACTION,  IN_TRANSACTION,  IN_TRANSACTION),
    "MAIL":     (HELLO_FIRST,       _S,              NESTED,          NESTED,          NESTED),
    "RCPT":     (HELLO_FIRST,       MAIL_FIRST,      _T,              _T,              IN_CHUNKS),
    "DATA":     (HELLO_FIRST,       MAIL_FIRST,      RCPT_FIRST,      State.BODY,      IN_CHUNKS),
    "BDAT":     (HELLO_FIRST,       MAIL_FIRST,      RCPT_FIRST,      _C,              _C),
    "RSET":     (_F,                _R,              _R,              _R,              _R),
    "NOOP":     (_F,                _R,              _S,              _T,              _C),
    "VRFY":     (_F,                _R,              _S,              _T,              _C),
    "HELP":     (_F,                _R,              _S,              _T,              _C),
    "QUIT":     (State.CLOSED,      State.CLOSED,    State.CLOSED,    State.CLOSED,    State.CLOSED),
}  # fmt: skip

ORDER: dict[str, dict[State, State | Reply]] = {
    verb: dict(zip(COMMAND_STATES, row, strict=True)) for verb, row in _ROWS.items()
}

# netqmail wants no hello, and lets MAIL begin anew at any time; it knows no BDAT.
QMAIL_ORDER: dict[str, dict[State, State | Reply]] = {
    **{verb: row for verb, row in ORDER.items() if verb not in ("BDAT", "LHLO", "XCLIENT")},
    "MAIL": dict.fromkeys(COMMAND_STATES, _S),
    "RCPT": {**ORDER["RCPT"], _F: MAIL_FIRST},
    "DATA": {**ORDER["DATA"], _F: MAIL_FIRST},
}

# RFC 2033 4.1: LMTP has a greeting of its own, so that neither protocol is taken for the other.
VERBS: dict[bytes, str] = {verb.encode(): verb for verb in ORDER if verb not in ("LHLO", "XCLIENT")}
LMTP_VERBS: dict[bytes, str] = {
    verb.encode(): verb for verb in ORDER if verb not in ("HELO", "EHLO", "XCLIENT")
}

QMAIL_VERBS: dict[bytes, str] = {verb.encode(): verb for verb in QMAIL_ORDER}

Spoken = tuple[dict[bytes, str], dict[str, dict[State, State | Reply]]]


def spoken(*, lmtp: bool, qmail: bool, xclient: bool) -> Spoken:
    """The verbs of a listener, and their order."""
    words = LMTP_VERBS if lmtp else QMAIL_VERBS if qmail else VERBS
    order = QMAIL_ORDER if qmail else ORDER
    if xclient:
        return {**words, b"XCLIENT": "XCLIENT"}, {**order, "XCLIENT": ORDER["XCLIENT"]}
    return words, order


# RFC 2920 3.1: these end a group of commands, because the reply decides what the next bytes mean.
LAST_IN_GROUP = frozenset({"HELO", "EHLO", "LHLO", "DATA", "AUTH", "STARTTLS", "XCLIENT"})

# Known, and never offered.
ELSEWHERE = frozenset({
    b"EXPN", b"TURN", b"ETRN", b"ATRN", b"SEND", b"SOML", b"SAML", b"BURL", b"XCLIENT", b"XFORWARD", b"LHLO",
})  # fmt: skip

HTTP = frozenset({
    b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"OPTIONS", b"CONNECT", b"TRACE", b"PATCH", b"PRI",
    b"HOST:", b"USER-AGENT:", b"CONTENT-TYPE:", b"CONTENT-LENGTH:", b"ACCEPT:", b"CONNECTION:",
})  # fmt: skip

COMMAND_OCTETS = 2048  # RFC 5321 4.5.3.1.4: 512, and extensions may add to it
PATH_COMMAND_OCTETS = 4096  # MAIL and RCPT, whose parameters are many
BEFORE_XCLIENT = frozenset({"HELO", "EHLO", "LHLO", "XCLIENT", "STARTTLS", "NOOP", "RSET", "QUIT", "HELP"})
"""What a peer may say before it has named its client, where it must."""

AUTH_OCTETS = 12_288  # RFC 4954 4


def longest_line(start: bytes) -> int:
    """Most octets, with the line's end, of the command that begins so."""
    match start[:5].upper():
        case b"AUTH ":
            return AUTH_OCTETS
        case b"MAIL " | b"RCPT ":
            return PATH_COMMAND_OCTETS
        case _:
            return COMMAND_OCTETS
