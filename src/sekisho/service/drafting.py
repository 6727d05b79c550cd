"""What is kept of a letter that is taken: envelope with origin, our fields above it, a delivery for each
address.

Also the event that tells of it, which the guard judges before anything is kept.
"""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from sekisho.checks.ask import Client
from sekisho.mail.received import Trace, date_field, message_id_field, received, with_protocol
from sekisho.mail.words import readable
from sekisho.model.address import domain_of
from sekisho.model.delivery import Delivery
from sekisho.model.envelope import NO_WISH, USUAL, Envelope, Message, Origin, Wish
from sekisho.model.event import RECIPIENTS_KEPT, Accepted, Returned
from sekisho.model.letter import BOUNCE_ACCOUNT, BOUNCE_MARK, BOUNCE_OF, DELAYED_BY, Draft
from sekisho.model.text import printable
from sekisho.service.addressing import Road
from sekisho.service.arriving import Arriving
from sekisho.service.returns import Comeback
from sekisho.service.session import Session
from sekisho.service.transaction import Given, Transaction

SECOND = 1_000_000
TEXT_SHOWN = 320
"""Most characters of a subject or a Message-ID in lists and events."""


class InHand(Struct, frozen=True):
    """A letter that has arrived whole, at the moment of the decision. `returned`: what it says of letters of
    ours.
    """

    session: Session
    client: Client
    transaction: Transaction
    recipients: tuple[str, ...]
    body: Arriving
    at: int
    returned: tuple[Returned, ...] = ()


def accepted(letter: InHand) -> Accepted:
    transaction, session, recipients = letter.transaction, letter.session, letter.recipients
    returned = returned_to(transaction)
    return Accepted(
        **session.traits(letter.at),
        message=transaction.message,
        sender=transaction.sender,
        recipients=recipients[:RECIPIENTS_KEPT],
        recipient_count=len(recipients),
        size=letter.body.size,
        login=session.login,
        subject=_text(letter, b"subject"),
        bounce_of=returned.seal.message if returned is not None else "",
        tls=letter.client.tls,
        message_id=_text(letter, b"message-id") or _own_message_id(letter),
    )


def draft(letter: InHand, event: Accepted) -> Draft:
    transaction, body = letter.transaction, letter.body
    return Draft(
        _envelope(letter),
        Message(transaction.message, body.size, body.digest),
        _head(letter),
        _deliveries(letter),
        event.subject,
    )


def _envelope(letter: InHand) -> Envelope:
    transaction, front = letter.transaction, letter.session.front
    options = _options(transaction, letter.body) if transaction.options else {}
    if (returned := returned_to(transaction)) is not None:
        options = {**options, **_cause(returned)}
    if transaction.delayed_by:
        options = {**options, DELAYED_BY: transaction.delayed_by}
    envelope = Envelope(
        transaction.sender or None,
        letter.recipients,
        _origin(letter),
        options,
        _wishes(transaction.given),
    )
    if letter.client.account:
        path = front.returns.path_for(transaction.message, envelope, letter.session.asking.place)
    else:
        path = _path_onward(letter)
    return replace(envelope, return_path=path) if path else envelope


def _path_onward(letter: InHand) -> str:
    """For a letter that names of ours send on to other hosts. What is only relayed keeps its sender."""
    front, transaction = letter.session.front, letter.transaction
    if all(road.recipient == given.recipient for given in transaction.given for road in given.roads):
        return ""  # no name led to another one
    ours = front.stores.directory.is_local_domain
    names = [
        given
        for given in transaction.given
        if not all(ours(domain_of(road.recipient)) for road in given.roads)
    ]
    if not names or not all(ours(domain_of(given.recipient)) for given in names):
        return ""
    return front.returns.path_onward(transaction.sender, domain_of(names[0].recipient), letter.at)


def returned_to(transaction: Transaction) -> Comeback | None:
    """The signed return path that a letter without one of its own has come to."""
    if transaction.sender:
        return None
    return next((given.returned for given in transaction.given if given.returned is not None), None)


def _cause(returned: Comeback) -> dict[str, str]:
    seal = returned.seal
    return {BOUNCE_OF: seal.message, BOUNCE_ACCOUNT: returned.account, BOUNCE_MARK: str(seal.mark)}


def _options(transaction: Transaction, body: Arriving) -> dict[str, str]:
    """SMTPUTF8 only where it is needed (RFC 6531 3.4): a letter in ASCII reaches hosts that have it not."""
    options = transaction.options
    if "SMTPUTF8" not in options:
        return options
    ascii_only = all(field.value.isascii() for field in body.head.fields) and transaction.sender.isascii()
    if not ascii_only or not all(road.recipient.isascii() for road in _roads(transaction)):
        return options
    return {name: value for name, value in options.items() if name != "SMTPUTF8"}


def _wishes(given: Sequence[Given]) -> dict[str, Wish]:
    """By final address. Where two names lead to one, whoever wants to be told is told (RFC 3461 5.2.7)."""
    if all(each.wish == NO_WISH for each in given):
        return {}
    found: dict[str, Wish] = {}
    for each in given:
        for road in each.roads:
            before = found.get(road.recipient)
            found[road.recipient] = _either(before, each.wish) if before is not None else each.wish
    return found


def _either(one: Wish, other: Wish) -> Wish:
    notify = {word for wish in (one, other) for word in (wish.notify.split(",") if wish.notify else USUAL)}
    if len(notify) > 1:
        notify.discard("NEVER")
    return Wish(",".join(sorted(notify)), one.original or other.original)


def _text(letter: InHand, name: bytes) -> str:
    value = letter.body.head.first(name)
    if not value:
        return ""
    return printable(readable(value) if b"=?" in value else value, TEXT_SHOWN)


def _own_message_id(letter: InHand) -> str:
    hostname = letter.session.front.config.hostname
    return f"<{letter.transaction.message}@{hostname}>" if letter.client.account else ""


def _origin(letter: InHand) -> Origin:
    client = letter.client
    return Origin(
        session=client.session,
        listener=client.listener,
        at=letter.at,
        address=client.address,
        via=client.via,
        account=client.account,
        helo=client.helo,
        tls=client.tls,
        login=letter.session.login,
        network=client.network,
        suspect=letter.transaction.suspect,
    )


def _head(letter: InHand) -> bytes:
    """The fields we write above the letter."""
    front, client, transaction = letter.session.front, letter.client, letter.transaction
    head = received(_trace(letter), front.zone)
    if not client.account:
        return letter.session.asking.proofs.fields() + head  # RFC 5321 6.4: a relay mends nothing
    if not letter.body.head.count(b"date"):
        head += date_field(letter.at, front.zone)  # RFC 6409 8.1
    if not letter.body.head.count(b"message-id"):
        head += message_id_field(transaction.message, front.config.hostname)  # RFC 6409 8.3
    return head


def _trace(letter: InHand) -> Trace:
    config, client, transaction = letter.session.front.config, letter.client, letter.transaction
    shown = not client.account or config.show_client == "address"
    machine = letter.session.machine
    logged_in = bool(client.account) and not client.names
    return Trace(
        hello=client.helo if shown else "",
        address=client.address if shown else "",
        hostname=config.hostname,
        protocol=with_protocol(machine.protocol, encrypted=bool(client.tls), known=logged_in),
        ident=transaction.message,
        at=letter.at,
        tls=client.tls,
        recipient=transaction.given[0].recipient if len(transaction.given) == 1 else "",
        token=letter.session.login if client.account and config.show_client == "token" else "",
    )


def _deliveries(letter: InHand) -> tuple[Delivery, ...]:
    """One for each final address, however many names led to it."""
    front, transaction = letter.session.front, letter.transaction
    held_by = frozenset(transaction.held_by)
    next_at = letter.at + transaction.delay_s * SECOND
    return tuple(
        Delivery(
            id=front.ident(letter.at),
            message=transaction.message,
            recipient=road.recipient,
            route=road.route,
            tries=0,
            next_at=next_at,
            expires_at=letter.at + front.addressing.lifetime_s(road.route, transaction.sender) * SECOND,
            held_by=held_by,
        )
        for road in _roads(transaction)
    )


def _roads(transaction: Transaction) -> list[Road]:
    """Each once."""
    roads = [road for given in transaction.given for road in given.roads]
    if len(roads) == 1:
        return roads
    return list({(road.recipient, road.route): road for road in roads}.values())
