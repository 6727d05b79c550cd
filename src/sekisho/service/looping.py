"""Whether a letter goes round in a circle: asked wherever one is sent on."""

from sekisho.mail.headers import HEAD_BYTES
from sekisho.mail.loops import DELIVERED_MAX, delivered_to
from sekisho.model.account import key_of
from sekisho.model.delivery import Failed
from sekisho.model.letter import Letter
from sekisho.model.verdict import Reply
from sekisho.service.parts import Parts
from sekisho.world import World

LOOPING = Failed(Reply(554, "5.4.6", "This message is looping: it already has my Delivered-To line"))
TOO_FAR = Failed(Reply(554, "5.4.6", "This message has been forwarded too often"))


async def loops(world: World, recipient: str, letter: Letter) -> Failed | None:
    """Why it may not be sent on by this recipient; None when it may."""
    seen = delivered_to(await Parts(world, letter).start(HEAD_BYTES))
    if key_of(recipient) in map(key_of, seen):
        return LOOPING
    return TOO_FAR if len(seen) >= DELIVERED_MAX else None
