"""What happened to a message, from the login that sent it to the last reply; and what was asked in a session.

Both read the event archive once per pass. A message is found by its id, its Message-ID field, a delivery,
a session, an address that sent or was to receive it, or the account that sent it.
"""

from collections.abc import Callable, Iterable, Iterator

from sekisho.model.event import Accepted, Bounced, DeliveryTried, Event

Archive = Callable[[], Iterable[Event]]
"""Gives the events anew each time it is called."""

MESSAGES_MAX = 1000


def trace(archive: Archive, key: str) -> list[Event]:
    """The events of every message that `key` names, in order of time; the newest MESSAGES_MAX messages."""
    wanted = key.strip().strip("<>").lower()
    found: dict[str, Accepted] = {}
    for event in archive():
        if isinstance(event, Accepted) and _names(event, wanted):
            found[event.message] = event
        elif isinstance(event, DeliveryTried | Bounced) and wanted in (event.id, _delivery(event)):
            found.setdefault(event.message, _unknown(event))
    messages = set(list(found)[-MESSAGES_MAX:])
    sessions = {event.session for name, event in found.items() if name in messages and event.session}
    logins = {event.login for name, event in found.items() if name in messages and event.login}
    return list(_related(archive(), messages, sessions, logins))


def _names(event: Accepted, wanted: str) -> bool:
    return wanted in (
        event.message,
        event.session,
        event.sender.lower(),
        event.account,
        event.message_id.strip("<>").lower(),
        event.login,
    ) or any(wanted == recipient.lower() for recipient in event.recipients)


def _delivery(event: DeliveryTried | Bounced) -> str:
    return event.delivery if isinstance(event, DeliveryTried) else event.bounce


def _unknown(event: DeliveryTried | Bounced) -> Accepted:
    """Stands for a message whose acceptance is no longer in the archive."""
    return Accepted(id=event.id, at=event.at, source=event.source, message=event.message, sender="")


def _related(
    events: Iterable[Event], messages: set[str], sessions: set[str], logins: set[str]
) -> Iterator[Event]:
    for event in events:
        message = getattr(event, "message", "")
        if message in messages or event.id in logins or (not message and event.session in sessions):
            yield event


def explain(archive: Archive, session: str) -> list[Event]:
    """All that one session said and was told: each check's verdict, and which one won."""
    return [event for event in archive() if event.session == session]
