"""Settings of the takeover guard (`docs/guard.md`)."""

from typing import Annotated

from sekisho.model.config_base import Settings
from sekisho.model.config_base import about as _about


class Allow(Settings, frozen=True):
    until: Annotated[str, _about("The last day of it (UTC), as in 2027-03-31; then it is as if it were not.")]
    networks: Annotated[
        tuple[str, ...], _about("Networks that the guard takes for no place; empty: everywhere.")
    ] = ()
    accounts: Annotated[tuple[str, ...], _about("For these accounts only; empty: for all.")] = ()
    why: Annotated[str, _about("For the audit: who asked for it, and why.")] = ""


class Guard(Settings, frozen=True):
    enabled: Annotated[bool, _about("Off: standings are always clear, nothing is held.")] = True
    watch: Annotated[float, _about("Evidence at which mail from unfamiliar networks waits.", gt=0)] = 3.5
    contain: Annotated[
        float, _about("Evidence at which mail and logins from unfamiliar networks are stopped.", gt=0)
    ] = 9.0
    whole_account: Annotated[
        float, _about("Evidence at which the account's outgoing mail is held wherever it comes from.", gt=0)
    ] = 13.0
    watch_delay_s: Annotated[
        int, _about("How long mail from unfamiliar networks waits under watch.", ge=0)
    ] = 300
    first_time_recipients: Annotated[
        int, _about("Most recipients in 24 hours that the account never wrote to before.", ge=1)
    ] = 200
    held_messages: Annotated[int, _about("Most messages held for one account; then 452.", ge=1)] = 500
    held_bytes: Annotated[int, _about("Most bytes held for one account; then 452.", ge=1)] = 100 * 1024 * 1024
    networks: Annotated[
        str, _about("A network table to use instead of the built-in one (see `sekisho networks update`).")
    ] = ""
    webmail: Annotated[
        tuple[str, ...],
        _about("Addresses of our own web mail, whose forwarded client addresses are believed."),
    ] = ()
    blocklists: Annotated[
        tuple[str, ...],
        _about(
            "DNS block lists that are asked whether our own addresses stand on them, as in zen.spamhaus.org: "
            "daily, and hourly while a case is open. Empty: none."
        ),
    ] = ()
    allow: Annotated[
        dict[str, Allow],
        _about(
            "Exceptions by name, each with an end: sign-ins from there are neither evidence nor refused, and "
            "confirm nothing; limits of volume and refusals by other hosts count as ever."
        ),
    ] = {}
    help_url: Annotated[str, _about("Where a locked-out user finds help; stands in the reply.")] = ""
