"""The event of one try for one recipient; the guard learns from it, `trace` shows it."""

from typing import Literal

from msgspec.structs import replace

from sekisho.model.delivery import Delivered, Delivery, Kind, Outcome, State
from sekisho.model.event import DeliveryTried
from sekisho.model.ident import make_id
from sekisho.model.letter import Letter, Settled
from sekisho.model.text import printable
from sekisho.model.verdict import Reply
from sekisho.world import World

SOURCE = "front"

HERE = (Kind.MAILDIR, Kind.LMTP, Kind.PIPE, Kind.LIST)
"""Roads that end at our own house."""

RESULTS: dict[State, Literal["delivered", "deferred", "failed"]] = {
    State.DONE: "delivered",
    State.WAITING: "deferred",
    State.FAILED: "failed",
}


def tried(
    world: World, letter: Letter | None, delivery: Delivery, outcome: Outcome, change: Settled
) -> DeliveryTried:
    """`letter` is None when it could not be read; who sent it is then not known either."""
    at = world.clock.now()
    origin = letter.envelope.origin if letter is not None else None
    reply = change.reply or outcome.reply
    return DeliveryTried(
        id=make_id(at, world.chance.bits(30)),
        at=at,
        source=SOURCE,
        session=origin.session if origin else "",
        account=origin.account if origin else "",
        address=origin.address if origin else "",
        message=delivery.message,
        delivery=delivery.id,
        recipient=printable(delivery.recipient),
        result=RESULTS[change.state],
        reply=_shown(reply),
        cause="" if isinstance(outcome, Delivered) else outcome.cause,
        host=outcome.host,
        next_at=change.next_at,
        local=delivery.route.kind in HERE,
        login=origin.login if origin else "",
    )


def _shown(reply: Reply) -> Reply:
    text = printable(reply.text)
    return reply if text == reply.text else Reply(reply.code, reply.status, text)


def reported(change: Settled, outcome: Outcome, letter: Letter, delivery: Delivery) -> Settled:
    """A success that the sender wants to hear of ends as a failure does, by a report; unless the host that
    took it will write one (RFC 3461 5.2.2).
    """
    if not isinstance(outcome, Delivered) or outcome.handed_on or letter.envelope.sender is None:
        return change
    wanted = letter.envelope.wish(delivery.recipient).wants("SUCCESS")
    return replace(change, state=State.FAILED) if wanted else change
