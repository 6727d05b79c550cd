"""The settings of a listener at which another mail server asks: a booth of the checkpoint."""

from typing import Annotated, Literal

from sekisho.model.config_base import Settings, about

BOOTHS = ("policy",)
"""Protocols of listeners where no mail comes in, only questions about it."""


class Booth(Settings, frozen=True):
    """A part of `Listen`: what the other protocols do not use."""

    peers: Annotated[
        tuple[str, ...],
        about(
            "Networks of the mail servers that may ask here (protocol policy); "
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
    domain: Annotated[
        str, about("Stands behind the login names that come without one; empty: the hostname.")
    ] = ""
