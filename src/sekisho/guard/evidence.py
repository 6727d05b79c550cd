"""What each kind of event changes in an account's memory. One function per kind; grades are given in
`grading`."""

from sekisho.guard import bounces, letters, logins, volume
from sekisho.guard.logins import Standpoint
from sekisho.guard.memory import (
    FAILED_KEPT,
    FINGERPRINTS_KEPT,
    HANDS_KEPT,
    SECOND,
    TERMS_KEPT,
    Flow,
    Memory,
    Place,
    Term,
    digest,
    know,
    push,
)
from sekisho.mail.return_path import mark_of
from sekisho.model.envelope import Network
from sekisho.model.event import Accepted, DeliveryTried, LoginTried, RecipientGiven, Returned
from sekisho.model.ident import id_time, is_id
from sekisho.model.incident import Grade

SENDING = frozenset({"smtp", "smtps", "submission", "submissions"})
"""Services by which mail is sent; all others read it."""
SAME_LOGIN = 120 * SECOND
"""Rule 13: a policy request and a log line about one login of one address are this close."""


def see_login(
    memory: Memory, event: LoginTried, network: Network, standpoint: Standpoint, grade: Grade
) -> float:
    """A right password. Returns the weight of the first sight of a network, 0 for places seen before."""
    at, address = event.at, event.address
    if standpoint == "nowhere":
        return 0.0
    place = memory.confirmed.get(network.key) or memory.provisional.get(network.key)
    if place is not None and _is_same_login(place, event):
        return 0.0
    if standpoint == "confirmed":
        assert place is not None
        _owner_login(memory, place, event)
        return 0.0
    if grade >= Grade.CONTAIN:
        if place is not None and network.key in memory.lodgings():
            logins.revisit(memory, place, address, at, quiet=False)
        else:
            memory.denied += 1  # rule 3: what was denied neither raises nor lowers anything
        return 0.0
    weight = 0.0 if place else _first_sight(memory, event, network, grade)
    quiet = grade == Grade.CLEAR and logins.score_at(memory, at) < logins.QUIET
    if place is None:
        place = logins.enter(memory, network, address, at)
    else:
        logins.revisit(memory, place, address, at, quiet=quiet)
    place.source = event.source
    if event.fingerprint and event.fingerprint in memory.fingerprints:
        place.proof = True
    if quiet and logins.may_confirm(memory, place, at):
        logins.confirm(memory, network.key, at)
    return weight


def _is_same_login(place: Place, event: LoginTried) -> bool:
    return (
        place.address == event.address
        and place.source != event.source
        and 0 <= event.at - place.last < SAME_LOGIN
    )


def _owner_login(memory: Memory, place: Place, event: LoginTried) -> None:
    logins.revisit(memory, place, event.address, event.at, quiet=True)
    logins.lower_score(memory, event.at)
    place.source = event.source
    if event.fingerprint:
        push(memory.fingerprints, event.fingerprint, FINGERPRINTS_KEPT)


def _first_sight(memory: Memory, event: LoginTried, network: Network, grade: Grade) -> float:
    reading = event.service not in SENDING
    new_country = not logins.is_known_country(memory, network, event.at)
    weight = logins.weigh_first_sight(memory, network, event.at, reading=reading)
    logins.learn_first_sight(memory, event.at, new_country=new_country)
    if weight and event.fingerprint and memory.fingerprints:
        familiar = event.fingerprint in memory.fingerprints
        weight = max(0.0, weight - logins.FINGERPRINT) if familiar else weight + logins.FINGERPRINT
    if grade == Grade.CLEAR and logins.score_at(memory, event.at) < logins.EPISODE:
        memory.first_stranger, memory.passed, memory.terms = event.at, 0, []
    add_term(
        memory,
        Term(
            event.at,
            "country" if new_country else "network",
            weight,
            network.key,
            network.country,
            event.address,
            event.id,
        ),
    )
    logins.raise_score(memory, weight, event.at)
    return weight


def add_term(memory: Memory, term: Term) -> None:
    """Sums that grow (volume, refusals) stand once, with their latest value."""
    if term.weight <= 0:
        return
    if term.term in ("letters", "volume", "refused"):
        memory.terms = [other for other in memory.terms if other.term != term.term]
    memory.terms.append(term)
    del memory.terms[:-TERMS_KEPT]


def name_recipient(memory: Memory, event: RecipientGiven, flow: Flow) -> int:
    """Returns how many first-time recipients the message in hand has by now."""
    volume.settle_fresh(memory, event.at)
    key = digest(event.recipient)
    if volume.is_fresh(memory, key, event.at):
        volume.count_fresh(memory, flow, key, event.at)
        memory.hands[event.session] = memory.hands.pop(event.session, 0) + 1
        if len(memory.hands) > HANDS_KEPT:
            del memory.hands[next(iter(memory.hands))]
    return memory.hands.get(event.session, 0)


def take_message(memory: Memory, event: Accepted, flow: Flow, network: Network) -> int:
    """A message is taken on. Returns how many of its recipients were never written to before."""
    volume.settle_fresh(memory, event.at)
    keys = [digest(recipient) for recipient in event.recipients]
    known = sum(1 for key in keys if key in memory.recipients or memory.fresh.get(key, 0) > 0)
    new = [key for key in keys if volume.is_fresh(memory, key, event.at)]
    for key in new:
        volume.count_fresh(memory, flow, key, event.at)
    in_hand = memory.hands.pop(event.session, 0)
    fresh = in_hand + len(new)
    if (unnamed := event.recipient_count - len(keys)) > 0 and not in_hand:
        more = unnamed * len(new) // len(keys) if keys else unnamed
        volume.add_fresh(memory, flow, more, event.at)
        fresh += more
    flow.messages += 1
    if flow is memory.own:
        letters.weigh_letter(memory, flow, max(len(keys), event.recipient_count) - fresh, fresh, event.at)
        letters.learn_letter(memory, known=max(len(keys), event.recipient_count) > fresh)
        know(memory.recipients, (key for key in keys if key in memory.recipients))
        volume.today(memory, event.at).sent += max(len(keys), event.recipient_count)
    else:
        letters.weigh_letter(memory, flow, known, fresh, event.at)
        place = memory.provisional.get(network.key)
        if place is not None and known > fresh:
            place.proof = True
    return fresh


def see_result(memory: Memory, event: DeliveryTried, flow: Flow) -> None:
    """A delivery of a message of this account ended. Deferred ones, local ones and known recipients say
    nothing."""
    if event.local or event.result == "deferred":
        return
    refused = event.result == "failed"
    if refused and not bounces.speaks_of_mailbox(event):
        return
    if digest(event.recipient) in memory.recipients:
        return
    if refused:
        _is_first_failure(memory, event)
    weight = bounces.weigh_strange(refused) if flow is memory.strange else bounces.weigh_own(memory, refused)
    bounces.add_result(flow, weight, refused, event.at)
    if flow is memory.own:
        day = volume.today(memory, event.at)
        day.tried += 1
        day.refused += refused


def see_return(memory: Memory, event: Returned) -> None:
    """Rule 6: a signed return path came back. It counts once for each delivery, and only for one that there
    was of late: a first-time recipient named in the last 24 hours. Nobody can make more of them up.
    """
    if event.stale or not event.recipient or not bounces.speaks_of_mailbox(event):
        return
    if digest(event.recipient) not in memory.fresh or not _is_first_failure(memory, event):
        return
    own = event.mark in {mark_of(key) for key in ("", *memory.confirmed)}
    flow = memory.own if own else memory.strange
    weight = bounces.weigh_own(memory, True) if own else bounces.weigh_strange(True)
    bounces.add_result(flow, weight, True, event.at)
    flow.tried = max(flow.refused, flow.tried - 1)  # it had been counted when the other host took it
    if own:
        volume.today(memory, event.at).refused += 1


def _is_first_failure(memory: Memory, event: DeliveryTried | Returned) -> bool:
    """Remembers deliveries that failed, whether they were refused to our face or came back. Those of a
    message older than all that are remembered are never the first.
    """
    sent = id_time(event.message) if is_id(event.message) else 0
    key = digest(f"{event.message} {event.recipient.lower()}")
    if key in memory.failed or sent < memory.failed_from:
        return False
    memory.failed[key] = sent
    if len(memory.failed) > FAILED_KEPT:
        oldest = min(memory.failed, key=memory.failed.__getitem__)
        memory.failed_from = max(memory.failed_from, memory.failed.pop(oldest) + 1)
    return True
