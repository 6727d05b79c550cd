"""The end of a letter: the last checks, then into the spool, and 250 only when it is safe there.

To hold a letter is to keep it with the incident's mark on every delivery, and to answer 250 all the same.
"""

from msgspec.structs import replace

from sekisho.checks.ask import BodyFacts
from sekisho.mail.received import Trace, date_field, message_id_field, received, with_protocol
from sekisho.mail.words import readable
from sekisho.model.delivery import Delivery
from sekisho.model.envelope import Envelope, Message, Origin
from sekisho.model.event import RECIPIENTS_KEPT, Accepted, Judged
from sekisho.model.letter import Draft
from sekisho.model.text import printable
from sekisho.model.verdict import Reply
from sekisho.service.arriving import Arriving
from sekisho.service.checking import rule
from sekisho.service.session import Session
from sekisho.service.transaction import Transaction
from sekisho.wire.smtp_server import BodyEnd

SECOND = 1_000_000


async def accept(session: Session, step: BodyEnd) -> Reply:
    transaction = session.transaction
    assert transaction is not None and transaction.body is not None, "a letter ends only after it has begun"
    try:
        with session.front.underway.message_of(session.account):
            return await _take(session, transaction, transaction.body, step)
    finally:
        session.end_transaction()


async def _take(session: Session, transaction: Transaction, body: Arriving, step: BodyEnd) -> Reply:
    front = session.front
    if step.flaw is not None:
        return session.refused("body", "protocol", step.flaw)
    kept = await body.finish()
    if body.flaw is not None:
        return session.refused("body", "header", body.flaw)
    at = front.now()
    event = _accepted(session, transaction, body, at)
    session.asking.event = event if session.account else None
    facts = BodyFacts(
        at,
        session.client(),
        transaction.sender,
        body.size,
        transaction.recipients,
        body.head,
        front.config.limits.hops,
    )
    ruling = await rule(front.policy, front.policy.stages["body"], facts, session.asking)
    session.judged("body", ruling)
    if ruling.refused is not None:
        return session.refused("body", ruling.verdict.by, ruling.refused)
    transaction.obey(ruling)
    await front.stores.spool.submit(_draft(session, transaction, body, event), kept)
    transaction.body = None
    front.record(replace(event, held_by=" ".join(sorted(transaction.held_by))))
    _tell_asked(session, transaction)
    return Reply(250, "2.6.0", f"queued as {transaction.message}")


def _accepted(session: Session, transaction: Transaction, body: Arriving, at: int) -> Accepted:
    recipients = transaction.recipients
    return Accepted(
        **session.traits(at),
        message=transaction.message,
        sender=transaction.sender,
        recipients=recipients[:RECIPIENTS_KEPT],
        recipient_count=len(recipients),
        size=body.size,
        login=session.login,
        subject=_text(body, b"subject"),
        message_id=_text(body, b"message-id") or _own_message_id(session, transaction),
    )


def _text(body: Arriving, name: bytes) -> str:
    value = body.head.first(name)
    return printable(readable(value), 320) if value else ""


def _own_message_id(session: Session, transaction: Transaction) -> str:
    return f"<{transaction.message}@{session.front.config.hostname}>" if session.client().known else ""


def _draft(session: Session, transaction: Transaction, body: Arriving, event: Accepted) -> Draft:
    client, at = session.client(), event.at
    origin = Origin(
        client.session,
        client.listener,
        at,
        client.address,
        client.via,
        client.account,
        client.helo,
        client.tls,
        session.login,
        client.network,
    )
    return Draft(
        Envelope(transaction.sender or None, transaction.recipients, origin, transaction.options),
        Message(transaction.message, body.size, body.digest),
        _head(session, transaction, body, at),
        tuple(_deliveries(session, transaction, at)),
        event.subject,
    )


def _head(session: Session, transaction: Transaction, body: Arriving, at: int) -> bytes:
    """The fields we write above the letter."""
    front, client = session.front, session.client()
    shown = not client.account or front.config.show_client
    trace = Trace(
        client.helo if shown else "",
        client.address if shown else "",
        front.config.hostname,
        with_protocol(session.machine.extended, bool(client.tls), bool(client.account)),
        transaction.message,
        at,
        client.tls,
        transaction.given[0].recipient if len(transaction.given) == 1 else "",
    )
    head = received(trace, front.zone)
    if not client.known:
        return head  # RFC 5321 6.4: a relay mends nothing
    if not body.head.count(b"date"):
        head += date_field(at, front.zone)  # RFC 6409 8.1
    if not body.head.count(b"message-id"):
        head += message_id_field(transaction.message, front.config.hostname)  # RFC 6409 8.3
    return head


def _deliveries(session: Session, transaction: Transaction, at: int) -> list[Delivery]:
    """One for each final address, however many names led to it."""
    front = session.front
    queue = front.config.queue
    lifetime_s = queue.lifetime_s if transaction.sender else queue.bounce_lifetime_s
    held_by = frozenset(transaction.held_by)
    next_at = at + transaction.delay_s * SECOND
    targets = dict.fromkeys(target for given in transaction.given for target in given.targets)
    return [
        Delivery(
            front.ident(at),
            transaction.message,
            target,
            front.route(target),
            0,
            next_at,
            at + lifetime_s * SECOND,
            held_by,
        )
        for target in targets
    ]


def _tell_asked(session: Session, transaction: Transaction) -> None:
    """One event says which checks had nothing against it."""
    front = session.front
    front.record(
        Judged(
            **session.traits(front.now()),
            stage="body",
            check=front.policy.asked,
            act="pass",
            why=f"message {transaction.message}",
        )
    )
