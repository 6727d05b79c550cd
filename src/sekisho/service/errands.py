"""A front's way to mailboxes and programs: the local role, which alone may touch them, carries the letter."""

from sekisho.model.delivery import Delivered, Delivery, Outcome
from sekisho.model.letter import Letter
from sekisho.service.channel import Channel
from sekisho.service.forwarding import Forwarder
from sekisho.service.messages import Carried, Carry


class Errands:
    """A Carrier. Unavailable while the local role does not answer: the deliveries wait."""

    def __init__(self, local: Channel, forwarder: Forwarder) -> None:
        self._local = local
        self._forwarder = forwarder

    async def carry(self, batch: tuple[Delivery, ...], letter: Letter) -> dict[str, Outcome]:
        outcomes = (await self._local.ask(Carry(batch, letter), Carried)).outcomes
        for delivery in batch:
            done = outcomes.get(delivery.id)
            if isinstance(done, Delivered) and done.answer:
                await self._forwarder.answer(letter, done.answer)
            if isinstance(done, Delivered) and done.onward:
                outcomes[delivery.id] = await self._forwarder.forward(delivery, letter, done)
        return outcomes
