"""What came back to a signed return path, as events: one for each recipient that the report speaks of."""

from functools import partial

from sekisho.mail.report import READ_BYTES, Told, read_report
from sekisho.model.event import Returned
from sekisho.model.text import printable
from sekisho.model.verdict import Reply
from sekisho.service.drafting import InHand, returned_to
from sekisho.store.bodies import BigBody
from sekisho.world import Unavailable

TEXT_SHOWN = 320

NOTHING_SAID = Told("", action="failed")
"""A letter to a signed return path that nobody understands is a bounce all the same."""

CODES = {"2": 250, "4": 450, "5": 550}


async def returned(letter: InHand, kept: tuple[bytes, ...] | BigBody) -> tuple[Returned, ...]:
    """Nothing for mail that answers nothing of ours."""
    found = returned_to(letter.transaction)
    if found is None:
        return ()
    start = await _start(letter, kept)
    session = letter.session
    return tuple(
        Returned(
            **{**session.traits(letter.at), "account": found.account},
            message=found.seal.message,
            recipient=printable(told.original or told.recipient, TEXT_SHOWN),
            bounce=letter.transaction.message,
            reply=_reply(told),
            mark=found.seal.mark,
            stale=not found.fresh,
        )
        for told in read_report(start) or (NOTHING_SAID,)
    )


async def _start(letter: InHand, kept: tuple[bytes, ...] | BigBody) -> bytes:
    if isinstance(kept, tuple):
        return b"".join(kept)
    world = letter.session.front.world
    try:
        start: bytes = await world.spawn.thread(partial(world.disk.read_part, kept.path, 0, READ_BYTES))
    except FileNotFoundError as error:
        raise Unavailable(kept.path, "the file of the message is gone") from error
    return start


def _reply(told: Told) -> Reply:
    """As a host would have said it in a session."""
    status = told.status or {"failed": "5.0.0", "delayed": "4.0.0"}.get(told.action, "")
    if told.action == "delayed" and status[:1] == "5":
        status = "4.0.0"
    return Reply(CODES.get(status[:1], 250), status, printable(told.text, TEXT_SHOWN))
