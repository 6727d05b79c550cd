"""Which clients end lines in LF alone: what `sekisho newlines` shows, counted from the event archive."""

from collections.abc import Iterable

from msgspec import Struct

from sekisho.model.event import BareNewlines, Event, Refused
from sekisho.wire.replies import BARE_NEWLINE

CLIENTS_MAX = 10_000
"""Most clients told apart; what comes from others is added up under no address."""

VIOLATION = "bare_newline"
"""As `wire/steps.py` calls a command that ends so."""


class Client(Struct):
    """One address: letters of it that were taken, letters and commands that were refused; microseconds."""

    address: str
    hello: str = ""
    taken: int = 0
    refused: int = 0
    first_at: int = 0
    last_at: int = 0
    sender: str = ""


def clients(events: Iterable[Event]) -> list[Client]:
    """Who did it most often comes first."""
    found: dict[str, Client] = {}
    for event in events:
        match event:
            case BareNewlines():
                client = _client(found, event)
                client.taken += 1
                client.hello, client.sender = event.hello, event.sender
            case Refused(by=by, reply=reply) if by == VIOLATION or reply == BARE_NEWLINE:
                client = _client(found, event)
                client.refused += 1
                client.sender = event.sender or client.sender
    return sorted(found.values(), key=lambda each: (-each.taken - each.refused, each.address))


def _client(found: dict[str, Client], event: Event) -> Client:
    address = event.address if event.address in found or len(found) < CLIENTS_MAX else ""
    client = found.setdefault(address, Client(address, first_at=event.at))
    client.last_at = max(client.last_at, event.at)
    return client
