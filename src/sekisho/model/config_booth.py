"""The settings of a listener at which another mail server asks: a booth of the checkpoint."""

from typing import Annotated, Literal

from sekisho.model.config_base import Settings, about

BOOTHS = ("policy", "sasl", "milter", "wforce", "socketmap", "tcp_table")
"""Protocols of listeners where no mail comes in, only questions about it."""


LONGEST_TARPIT_S = 8
"""Postfix waits 10 s for the answer about a password; Exim longer."""


class Booth(Settings, frozen=True):
    """A part of `Listen`: what the other protocols do not use."""

    peers: Annotated[
        tuple[str, ...],
        about(
            "Networks of the mail servers that may ask where no mail comes in; "
            '"unix" stands for a unix socket. What they say about logins and letters is believed.'
        ),
    ] = ("127.0.0.0/8", "::1/128", "unix")
    contained: Annotated[
        Literal["hold", "refuse", "defer"],
        about(
            "What the asking server is told to do with mail that the guard stops: hold (the client hears "
            "250, the letter waits in that server's queue), refuse (550) or defer (450)."
        ),
    ] = "hold"
    silent: Annotated[
        Literal["open", "closed"],
        about(
            "When the guard does not answer and nothing is known: open lets mail and logins pass, closed "
            "puts mail off (450)."
        ),
    ] = "open"
    tarpit_s: Annotated[
        int,
        about(
            "How long the answer to a wrong password waits (protocol sasl), or a login under watch (wforce): "
            "Postfix waits 10 s for us.",
            ge=0,
            le=LONGEST_TARPIT_S,
        ),
    ] = 2
    asked_twice: Annotated[
        bool,
        about(
            "The asking server asks before it looks at the password and once more after it, as Dovecot does "
            "with auth_policy_check_before_auth = yes (protocol wforce): the first question is answered yes."
        ),
    ] = False
    password_file: Annotated[
        str, about("File with the password that clients of protocol wforce show (HTTP Basic, any name).")
    ] = ""
    table: Annotated[
        Literal["locked", "senders"],
        about("Which table is asked for with protocol tcp_table, which names none (see docs/beside.md)."),
    ] = "locked"
    domain: Annotated[
        str,
        about(
            "Stands behind the login names that come without one; empty: the hostname, or with protocol sasl "
            "nothing."
        ),
    ] = ""
