"""Letters to aliases that have an owner go on as the owner's: who is gone is told to him, not to each writer.

The letter is sent on as one new message to all behind the alias, in the step that ends its delivery to the
list. A letter without return path keeps that: nobody is told of a bounce's bounce.
"""

from sekisho.model.delivery import Delivered, Delivery, Failed, Outcome
from sekisho.model.letter import Letter
from sekisho.model.verdict import Reply
from sekisho.service.addressing import Addressing
from sekisho.service.forwarding import Forwarder
from sekisho.service.looping import loops
from sekisho.world import World

NOBODY = Failed(Reply(550, "5.1.1", "There is no such list any more"))
SENT_ON = Reply(250, "2.0.0", "sent on to all of the list")


class ListCarrier:
    """A Carrier for routes of kind list."""

    def __init__(self, world: World, addressing: Addressing, forwarder: Forwarder) -> None:
        self._world = world
        self._addressing = addressing
        self._forwarder = forwarder

    async def carry(self, batch: tuple[Delivery, ...], letter: Letter) -> dict[str, Outcome]:
        return {delivery.id: await self._carry(delivery, letter) for delivery in batch}

    async def _carry(self, delivery: Delivery, letter: Letter) -> Outcome:
        loop = await loops(self._world, delivery.recipient, letter)
        if loop is not None:
            return loop
        name = delivery.route.host
        everybody = self._addressing.targets(name)
        if not everybody:
            return NOBODY
        done = Delivered(SENT_ON, onward=everybody, owner=self._addressing.list_owner(name))
        return await self._forwarder.forward(delivery, letter, done)
