"""What happened to a message, from the login that sent it to the last reply; and what was asked in a session.

Both read the event archive once per pass. A message is found by its id, its Message-ID field, a delivery,
a session, an address that sent or was to receive it, or the account that sent it.
"""

from collections.abc import Callable, Iterable, Iterator

from sekisho.model.event import Accepted, Bounced, DeliveryTried, Event, Returned

Archive = Callable[[], Iterable[Event]]
"""Gives the events anew each time it is called."""

MESSAGES_MAX = 1000


def trace(archive: Archive, key: str) -> list[Event]:
    """The events of every message that `key` names, in order of time; the newest MESSAGES_MAX messages."""
    wanted = key.strip().strip("<>").lower()
    messages = set(list(_messages(archive(), wanted))[-MESSAGES_MAX:])
    taken = [event for event in archive() if isinstance(event, Accepted) and event.message in messages]
    sessions = {event.session for event in taken if event.session}
    logins = {event.login for event in taken if event.login}
    return list(_related(archive(), messages, sessions, logins))


def _messages(events: Iterable[Event], wanted: str) -> dict[str, None]:
    """Ids of the messages that are meant, oldest first."""
    found: dict[str, None] = {}
    for event in events:
        match event:
            case Accepted() if _names(event, wanted):
                found[event.message] = None
            case DeliveryTried(delivery=name) | Bounced(bounce=name) | Returned(bounce=name) if (
                name == wanted
            ):
                found[event.message] = None
    return found


def _names(event: Accepted, wanted: str) -> bool:
    return wanted in (
        event.message,
        event.session,
        event.sender.lower(),
        event.account,
        event.message_id.strip("<>").lower(),
        event.login,
    ) or any(wanted == recipient.lower() for recipient in event.recipients)


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
