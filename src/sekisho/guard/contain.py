"""What is done about an account, as actions: planned here, shown with their effect, performed by their
owners.

Undo and release are actions too, made from the actions they take back. Kinds without inverse say so.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct

from sekisho.model.action import LOG, Action, Kind
from sekisho.model.incident import Grade, Incident
from sekisho.model.phrase import Phrase, phrase

Ident = Callable[[], str]

NOWHERE_KEY = ""
"""The network of loopback and of our own web mail, which is no place: spared by a containment."""


class Wish(Struct, frozen=True):
    """Who wants it, and whom to tell. `spare` are the account's confirmed networks; `gentle`: deny no
    login. `alarm`: LOG, and names of webhooks. `revoke`: app passwords go too, or on
    a release come back."""

    by: str
    at: int
    spare: tuple[str, ...] = ()
    tell: tuple[str, ...] = ()
    alarm: tuple[str, ...] = ()
    gentle: bool = False
    revoke: bool = False


def plan_containment(incident: Incident, wish: Wish, ident: Ident) -> tuple[Action, ...]:
    """Hold the queue, end the strangers' sessions, refuse their logins, tell owner and operator.

    The first hold bears the incident's own id, as the mail does that reception holds. A locked account's mail
    is held wherever it came from.
    """
    spare = () if incident.grade >= Grade.LOCK else (*wish.spare, NOWHERE_KEY)
    hold = incident.id if incident.grade <= Grade.CONTAIN else ident()
    kinds: list[tuple[str, Kind, tuple[str, ...]]] = [(hold, "hold_queue", spare)]
    if incident.grade >= Grade.CONTAIN and not wish.gentle:
        kinds.append((ident(), "refuse_logins", (*wish.spare, NOWHERE_KEY)))
        if wish.revoke:
            kinds.append((ident(), "revoke_access", ()))
        kinds.append((ident(), "drop_sessions", (*wish.spare, NOWHERE_KEY)))
    actions = [_action(incident, wish, kind, name, spared) for name, kind, spared in kinds]
    return (*actions, *plan_notices(incident, wish, ident))


def plan_notices(incident: Incident, wish: Wish, ident: Ident) -> tuple[Action, ...]:
    """By mail, then in the other ways: those are the operator's alone."""
    letters = [_action(incident, wish, "notify", ident(), (), to=address) for address in wish.tell]
    alarms = [_action(incident, wish, "alarm", ident(), (), to=name) for name in wish.alarm]
    return (*letters, *alarms)


def plan_release(
    incident: Incident, actions: Sequence[Action], wish: Wish, ident: Ident
) -> tuple[Action, ...]:
    """Let what is held go, and the strangers log in again. `wish.spare`: networks that are the owner's
    from now on."""
    holds = [action.id for action in actions if action.kind == "hold_queue"]
    marks = list(dict.fromkeys([incident.id, *holds]))
    released = [_action(incident, wish, "release_queue", ident(), (), undoes=mark) for mark in marks]
    revoked = [each.id for each in actions if each.kind == "revoke_access" and each.status == "done"]
    restored = [
        _action(incident, wish, "restore_access", ident(), (), undoes=mark)
        for mark in (revoked if wish.revoke else ())
    ]
    allowed = _action(incident, wish, "allow_logins", ident(), wish.spare, undoes=incident.id)
    return (*released, *restored, allowed)


def plan_undo(incident: Incident, action: Action, wish: Wish, ident: Ident) -> Action | None:
    """The inverse of one action, or None for kinds without inverse."""
    inverse: dict[Kind, Kind] = {
        "hold_queue": "release_queue",
        "release_queue": "hold_queue",
        "refuse_logins": "allow_logins",
        "allow_logins": "refuse_logins",
        "revoke_access": "restore_access",
        "restore_access": "revoke_access",
    }
    kind = inverse.get(action.kind)
    if kind is None:
        return None
    return _action(
        incident, wish, kind, ident(), action.spare if kind == "refuse_logins" else (), undoes=action.id
    )


def _action(
    incident: Incident,
    wish: Wish,
    kind: Kind,
    ident: str,
    spare: tuple[str, ...],
    *,
    undoes: str = "",
    to: str = "",
) -> Action:
    return Action(ident, kind, incident.subject, incident.id, wish.at, wish.by, spare, undoes, to=to)


def describe(action: Action) -> Phrase:
    """What an action does, for plans and timelines."""
    account = action.subject
    match action.kind:
        case "hold_queue" if action.spare:
            return phrase("hold the waiting mail of {account} from unfamiliar networks", account=account)
        case "hold_queue":
            return phrase("hold all waiting mail of {account}", account=account)
        case "release_queue":
            return phrase("release the held mail of {account}", account=account)
        case "refuse_logins":
            return phrase("refuse logins to {account} from unfamiliar networks", account=account)
        case "allow_logins" if action.spare:
            return phrase("allow logins to {account} and count the strangers as its own", account=account)
        case "allow_logins":
            return phrase("allow logins to {account} from everywhere", account=account)
        case "revoke_access":
            return phrase("revoke the app passwords of {account}", account=account)
        case "restore_access":
            return phrase("let the revoked app passwords of {account} open again", account=account)
        case "drop_sessions":
            return phrase("end the sessions of {account} from unfamiliar networks", account=account)
        case "notify":
            return phrase("tell {address}", address=action.to)
        case "alarm" if action.to == LOG:
            return phrase("write a line of the log")
        case "alarm":
            return phrase("tell the webhook {name}", name=action.to)
        case _:
            return phrase("{kind} {account}", kind=action.kind, account=account)
