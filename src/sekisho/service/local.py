"""Delivers to our own mailboxes. The letter comes in memory when it has just been accepted, else from the
spool."""

from collections.abc import Iterator
from functools import partial

from sekisho.model.delivery import Deferred, Delivered, Delivery, Outcome
from sekisho.model.letter import Letter
from sekisho.model.verdict import Reply
from sekisho.store.bodies import parts_of
from sekisho.store.maildir import Maildir, mailbox_form
from sekisho.world import Unavailable, World

TAKEN = Reply(250, "2.1.5", "delivered to the mailbox")
TAKEN_BEFORE = Reply(250, "2.1.5", "had been delivered to the mailbox before")


class LocalCarrier:
    """A Carrier. `state` is the folder that the mailbox folders of routes are relative to."""

    def __init__(self, world: World, state: str) -> None:
        self._world = world
        self._state = state

    async def carry(self, batch: tuple[Delivery, ...], letter: Letter) -> dict[str, Outcome]:
        outcomes: dict[str, Outcome] = await self._world.spawn.thread(partial(self._carry, batch, letter))
        return outcomes

    def _carry(self, batch: tuple[Delivery, ...], letter: Letter) -> dict[str, Outcome]:
        return {delivery.id: self._deliver(delivery, letter) for delivery in batch}

    def _deliver(self, delivery: Delivery, letter: Letter) -> Outcome:
        maildir = Maildir(self._world.disk, f"{self._state}/{delivery.route.host}")
        try:
            if delivery.tries and maildir.holds(delivery.id):
                return Delivered(TAKEN_BEFORE)
            maildir.deliver(delivery.id, self._parts(delivery, letter))
        except Unavailable as trouble:
            return Deferred(Reply(451, "4.3.0", f"mailbox is not available: {trouble.why}"))
        except FileNotFoundError:  # a folder inside, or the body's file, vanished meanwhile
            return Deferred(Reply(451, "4.3.0", "mailbox is not available: a file is missing"))
        return Delivered(TAKEN)

    def _parts(self, delivery: Delivery, letter: Letter) -> Iterator[bytes]:
        # RFC 5321 4.4: the one that makes final delivery writes the return path
        yield f"Return-Path: <{letter.envelope.sender or ''}>\n".encode()
        yield f"Delivered-To: {delivery.recipient}\n".encode()
        yield letter.head.replace(b"\r\n", b"\n")
        yield from mailbox_form(parts_of(letter, self._world.disk))
