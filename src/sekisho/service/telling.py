"""Events as sentences: what `trace`, `explain`, an incident's timeline and the demo show of them."""

from sekisho.model.event import (
    Accepted,
    ActionDone,
    BareNewlines,
    Bounced,
    Connected,
    DeliveryTried,
    Event,
    Judged,
    LoginTried,
    RecipientGiven,
    Refused,
    Returned,
    TlsCounted,
    Troubled,
)
from sekisho.model.phrase import Phrase, Value, phrase, phrases


def sentence(event: Event) -> Phrase:
    """One sentence without the time. Every value in it has been through `printable` when the event was
    made."""
    match event:
        case Connected(listener=listener):
            return phrase("{address} connected to {listener}", address=place(event), listener=listener)
        case LoginTried():
            return _login(event)
        case RecipientGiven(recipient=recipient):
            return phrase("recipient {recipient} was named", recipient=recipient)
        case Accepted():
            return _accepted(event)
        case Refused(stage=stage, by=by, reply=reply):
            return phrase("refused at {stage} by {check}: {reply}", stage=stage, check=by, reply=str(reply))
        case Judged(stage=stage, check=check, act=act, why=why):
            return phrase("{stage}: {check} says {act} {why}", stage=stage, check=check, act=act, why=why)
        case DeliveryTried():
            return _tried(event)
        case Bounced(recipient=recipient, bounce=bounce, kind=kind):
            if kind == "dropped":
                return phrase("a bounce to {recipient} failed, and is dropped", recipient=recipient)
            if not bounce:
                return phrase("no bounce is owed for {recipient}", recipient=recipient)
            return _told(kind, recipient, bounce)
        case Returned():
            return _returned(event)
        case BareNewlines(message=message, count=count):
            return phrases(
                "{count} line of message {message} ended in LF alone",
                "{count} lines of message {message} ended in LF alone",
                count,
                message=message,
            )
        case TlsCounted():
            return _encryption(event)
        case ActionDone():
            return _done(event)
        case Troubled(what=what, about=about, trace=trace):
            return phrase("trouble in {what} {about}: {trace}", what=what, about=about, trace=trace)


def _encryption(event: TlsCounted) -> Phrase:
    return phrases(
        "one session with {host} for {domain} on {day} by {policy}: {result}",
        "{count} sessions with {host} for {domain} on {day} by {policy}: {result}",
        event.count,
        host=event.host or "?",
        domain=event.domain,
        day=event.day,
        policy=event.policy,
        result=event.result or "success",
    )


def place(event: Event) -> str:
    """The client's address with what is known of its network: "192.0.2.7 (AS64500 Example, DE)"."""
    network = event.network
    if network is None or not (network.name or network.country):
        return event.address or "?"
    words = [f"AS{network.asn}" if network.asn else "", network.name]
    name = " ".join(word for word in words if word)
    return f"{event.address} ({', '.join(word for word in (name, network.country) if word)})"


def _login(event: LoginTried) -> Phrase:
    values = {"account": event.account, "address": place(event), "service": event.service, "why": event.why}
    if event.ok:
        return phrase("{account} signed in from {address} ({service})", **values)
    return phrase("sign-in as {account} from {address} failed ({service}): {why}", **values)


def _accepted(event: Accepted) -> Phrase:
    values: dict[str, Value] = {
        "message": event.message,
        "sender": f"<{event.sender}>",
        "size": event.size,
        "action": event.held_by,
    }
    count = event.recipient_count or len(event.recipients)
    if event.held_by:
        return phrases(
            "message {message} from {sender} to {count} recipient ({size} bytes) is held by {action}",
            "message {message} from {sender} to {count} recipients ({size} bytes) is held by {action}",
            count,
            **values,
        )
    return phrases(
        "message {message} from {sender} to {count} recipient ({size} bytes) was accepted",
        "message {message} from {sender} to {count} recipients ({size} bytes) was accepted",
        count,
        **values,
    )


def _tried(event: DeliveryTried) -> Phrase:
    host = event.host or "-"
    values = {"recipient": event.recipient, "host": host, "reply": str(event.reply)}
    if event.result == "delivered":
        return phrase("delivered to {recipient} ({host}): {reply}", **values)
    if event.result == "deferred":
        return phrase("not yet delivered to {recipient} ({host}): {reply}", **values)
    return phrase("given up for {recipient} ({host}): {reply}", **values)


def _told(kind: str, recipient: str, bounce: str) -> Phrase:
    values = {"recipient": recipient, "bounce": bounce}
    match kind:
        case "delayed":
            return phrase("the sender was told in {bounce} that mail to {recipient} waits", **values)
        case "delivered":
            return phrase("the sender was told in {bounce} that mail to {recipient} was delivered", **values)
        case "double":
            return phrase("the postmaster was told about the bounce to {recipient} in {bounce}", **values)
    return phrase("the sender was told about {recipient} in {bounce}", **values)


def _returned(event: Returned) -> Phrase:
    values = {"recipient": event.recipient or "?", "bounce": event.bounce, "reply": str(event.reply)}
    if event.stale:
        return phrase("{bounce} came back late for {recipient}: {reply}", **values)
    return phrase("{bounce} came back for {recipient}: {reply}", **values)


def _done(event: ActionDone) -> Phrase:
    return phrases(
        "{kind} on {subject}: {count} changed ({action})",
        "{kind} on {subject}: {count} changed ({action})",
        event.changed,
        kind=event.kind,
        subject=event.subject,
        action=event.action,
    )
