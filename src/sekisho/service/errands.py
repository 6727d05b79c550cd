"""A front's way to mailboxes and programs: the local role, which alone may touch them, carries the letter."""

from sekisho.model.delivery import Delivery, Outcome
from sekisho.model.letter import Letter
from sekisho.service.channel import Channel
from sekisho.service.messages import Carried, Carry


class Errands:
    """A Carrier. Unavailable while the local role does not answer: the deliveries wait."""

    def __init__(self, local: Channel) -> None:
        self._local = local

    async def carry(self, batch: tuple[Delivery, ...], letter: Letter) -> dict[str, Outcome]:
        return (await self._local.ask(Carry(batch, letter), Carried)).outcomes
