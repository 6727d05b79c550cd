"""The settings of a listener."""

from collections.abc import Mapping
from typing import Annotated, Literal

from sekisho.model.config_base import about
from sekisho.model.config_booth import Booth

Protocol = Literal[
    "smtp", "submission", "submissions", "lmtp", "local",
    "policy", "sasl", "milter", "wforce", "socketmap", "tcp_table", "syslog",
]  # fmt: skip
SYSLOG = "syslog"
Speaks = Literal["sekisho", "qmail"]


class Listen(Booth, frozen=True, kw_only=True):
    address: Annotated[str, about('"IP:PORT", "[IPV6]:PORT" or "unix:PATH" (relative to the state folder).')]
    protocol: Annotated[
        Protocol,
        about(
            "smtp (mail for our domains), submission (STARTTLS, then AUTH), submissions (TLS at once), "
            "lmtp (mail for our domains from a server in front of us), local (sekisho-sendmail here: a unix "
            "socket that every system user may use). At the others no mail comes in: another mail server "
            "asks there (docs/beside.md), or at syslog sends its log to `sekisho watch`: datagrams and "
            "streams to an IP:PORT, datagrams to a unix socket (docs/watch.md)."
        ),
    ]
    requires_proxy: Annotated[
        bool, about("Every connection must begin with a PROXY v1 or v2 header; without one it is closed.")
    ] = False
    proxy_from: Annotated[
        tuple[str, ...],
        about('Networks that may send the PROXY header; "unix" stands for a unix socket. Empty: nobody.'),
    ] = ()
    requires_xclient: Annotated[
        bool,
        about(
            "For peers that hand on connections: each must name its client by XCLIENT (as Postfix has it) "
            "before anything else; other peers are sent away."
        ),
    ] = False
    xclient_from: Annotated[
        tuple[str, ...],
        about('Networks whose XCLIENT is believed; "unix" stands for a unix socket. Empty: nobody.'),
    ] = ()
    speaks: Annotated[
        Speaks,
        about(
            "sekisho, or qmail: the reply codes and texts of netqmail-1.06 and fewer extensions, for "
            "programs that depend on them."
        ),
    ] = "sekisho"
    bare_lf: Annotated[
        Literal["refuse", "observe"],
        about(
            "Letters whose lines end in LF alone: refuse, or observe (take them with CR LF, where that is "
            "safe, and count their clients for `sekisho newlines`)."
        ),
    ] = "refuse"
    bare_lf_from: Annotated[
        tuple[str, ...], about("Networks whose letters are taken as under observe, whatever bare_lf says.")
    ] = ()
    greeting_wait_s: Annotated[
        int,
        about(
            "How long the greeting waits: who speaks before it is no mail server and is sent away with 554.",
            ge=0,
            le=60,  # RFC 5321 4.5.3.2.1: a client waits for 300
        ),
    ] = 0


def served(listeners: Mapping[str, Listen]) -> dict[str, Listen]:
    """Those that a server opens; the others are `sekisho watch`'s."""
    return {name: each for name, each in listeners.items() if each.protocol != SYSLOG}


def heard(listeners: Mapping[str, Listen]) -> dict[str, Listen]:
    """Those at which `sekisho watch` hears syslog."""
    return {name: each for name, each in listeners.items() if each.protocol == SYSLOG}
