"""The end of a letter: the last checks, then into the spool, and 250 only when it is safe there.

To hold a letter is to keep it with the incident's mark on every delivery, and to answer 250 all the same.
"""

from functools import partial

from msgspec.structs import replace

from sekisho.checks.ask import BodyFacts
from sekisho.mail.srs import looks_forwarded
from sekisho.model.event import Accepted, BareNewlines
from sekisho.model.text import printable
from sekisho.model.verdict import Reply
from sekisho.service.answer import Answer, Later
from sekisho.service.arriving import Arriving
from sekisho.service.checking import rule
from sekisho.service.drafting import InHand, accepted, draft, returned_to
from sekisho.service.returning import returned
from sekisho.service.session import Session
from sekisho.service.transaction import Transaction
from sekisho.service.underway import Taking
from sekisho.wire.commands import QMAIL
from sekisho.wire.steps import BodyEnd
from sekisho.world import Promise

UTF8_HEADER = Reply(550, "5.6.0", "A header field is neither ASCII nor UTF-8")


async def accept(session: Session, step: BodyEnd) -> Answer:
    taking = session.front.underway.message_of(session.account)
    answer: Answer | None = None
    try:
        answer = await _judge(session, step, taking)
        return answer
    finally:
        if not isinstance(answer, Later):
            taking.end()
            session.end_transaction()


async def _judge(session: Session, step: BodyEnd, taking: Taking) -> Answer:
    front, transaction = session.front, session.transaction
    assert transaction is not None and transaction.body is not None, "a letter ends only after it has begun"
    body = transaction.body
    if step.flaw is not None:
        return session.refused("body", "protocol", step.flaw)
    kept = await body.finish()
    flaw = body.flaw or (_header_flaw(body) if "SMTPUTF8" in transaction.options else None)
    if flaw is not None:
        return session.refused("body", "header", flaw)
    session.asking.proofs.arrived(kept)
    client, policy = transaction.client, front.policy
    letter = InHand(session, client, transaction, transaction.recipients, body, front.now())
    event = accepted(letter)
    session.asking.event = event if session.account else None
    ruling = await rule(policy, policy.asked_of("body", client), _facts(letter), session.asking)
    session.judged("body", ruling)
    if ruling.refused is not None:
        return session.refused("body", ruling.verdict.by, ruling.refused)
    transaction.obey(ruling)
    if returned_to(transaction) is not None:
        letter = replace(letter, returned=await returned(letter, kept))
    promise = front.stores.spool.submit(draft(letter, event), kept)
    return Later(promise, partial(_taken, letter, event, promise, taking, step.bare_lf))


def _taken(letter: InHand, event: Accepted, promise: Promise, taking: Taking, bare_lf: int) -> Reply:
    """The spool has answered. Raises Unavailable if it does not have the letter."""
    session, transaction = letter.session, letter.transaction
    try:
        promise.result()
        transaction.body = None
        if transaction.held_by:
            event = replace(event, held_by=" ".join(sorted(transaction.held_by)))
        session.front.record(event)
        for back in letter.returned:
            session.front.record(back)
        if bare_lf:
            session.front.record(_newlines(letter, bare_lf))
        session.told_asked(letter.at)
        return _receipt(session, letter)
    finally:
        taking.end()
        session.end_transaction()


def _newlines(letter: InHand, count: int) -> BareNewlines:
    return BareNewlines(
        **letter.session.traits(letter.at),
        message=letter.transaction.message,
        sender=printable(letter.transaction.sender),
        hello=letter.client.helo,
        count=count,
    )


def _receipt(session: Session, letter: InHand) -> Reply:
    if session.door.settings.speaks == QMAIL:
        return Reply(250, "2.6.0", f"{letter.at // 1_000_000} qp {letter.transaction.message}")
    return Reply(250, "2.6.0", f"queued as {letter.transaction.message}")


def _header_flaw(body: Arriving) -> Reply | None:
    """RFC 6532 3: what asks for SMTPUTF8 is UTF-8, above all where it is to be read."""
    try:
        for field in body.head.fields:
            field.value.decode()
    except UnicodeDecodeError:
        return UTF8_HEADER
    return None


def _comes_back(transaction: Transaction) -> bool:
    """To a return path that we made: a signed one, or one of a letter that we have sent on."""
    if returned_to(transaction) is not None:
        return True
    return any(looks_forwarded(given.recipient) for given in transaction.given)


def _facts(letter: InHand) -> BodyFacts:
    transaction, config = letter.transaction, letter.session.front.config
    unwanted = config.returns.unsigned == "refuse" and config.returns.sign == "always"
    return BodyFacts(
        letter.at,
        letter.client,
        transaction.sender,
        letter.body.size,
        letter.recipients,
        letter.body.head,
        config.limits.hops,
        unwanted and not transaction.sender and not _comes_back(transaction),
        transaction.size,
    )

