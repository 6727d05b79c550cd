"""Automatic replies, made where the mailbox is: this role knows what was delivered, and the front sends them.

The reply travels back with the outcome of the delivery. Whom an account has answered is written down before
that, so that whatever crashes, nobody is answered twice.
"""

import asyncio
from datetime import tzinfo
from functools import partial
from typing import Protocol

from msgspec.structs import replace

from sekisho.mail.autoreply import Away, declined, letter, person
from sekisho.mail.headers import HEAD_BYTES, Head, TooLarge, head_of
from sekisho.model.account import key_of
from sekisho.model.config import Config
from sekisho.model.delivery import Delivered, Delivery, Outcome
from sekisho.model.letter import Letter
from sekisho.service.parts import Parts
from sekisho.service.zone import zone_of
from sekisho.store import autoreplies
from sekisho.store.paths import divided
from sekisho.world import Unavailable, World


class Inner(Protocol):
    async def carry(self, batch: tuple[Delivery, ...], letter: Letter) -> dict[str, Outcome]: ...


class AnsweringCarrier:
    """A Carrier around the one that delivers."""

    def __init__(self, world: World, config: Config, inner: Inner) -> None:
        self._world = world
        self._inner = inner
        self._turn = asyncio.Lock()
        self.reload(config)

    def reload(self, config: Config) -> None:
        self._config = config
        self._zone: tzinfo = zone_of(config.zone)

    async def carry(self, batch: tuple[Delivery, ...], letter: Letter) -> dict[str, Outcome]:
        outcomes = await self._inner.carry(batch, letter)
        if not letter.envelope.sender:  # RFC 3834 2
            return outcomes
        for delivery in batch:
            done = outcomes.get(delivery.id)
            file = autoreplies.path_of(self._config.state, delivery.route.host)
            if isinstance(done, Delivered) and self._world.disk.exists(file):
                outcomes[delivery.id] = replace(done, answer=await self._answer(delivery, letter))
        return outcomes

    async def _answer(self, delivery: Delivery, letter: Letter) -> bytes:
        """b"" for none. An answer that cannot be made is none: the letter itself has been delivered."""
        try:
            head = await self._head(letter)
            return b"" if head is None else await self._made(delivery, letter, head)
        except (Unavailable, OSError):
            return b""

    async def _made(self, delivery: Delivery, given: Letter, head: Head) -> bytes:
        account = divided(key_of(delivery.recipient), delivery.route.host)[0]
        state, now, sender = self._config.state, self._world.clock.now(), given.envelope.sender or ""
        reply = await self._world.spawn.thread(partial(autoreplies.read, state, account))
        if reply is None or not reply.holds(now):
            return b""
        away = Away(account, delivery.recipient, reply)
        if declined(head, sender, away):
            return b""
        told = autoreplies.Telling(account, person(sender), reply.days, now)
        remember = partial(autoreplies.tell, self._world.disk, state, told)
        async with self._turn:
            if not await self._world.spawn.thread(remember):
                return b""
        return letter(head, sender, away, (f"{delivery.id}.away", self._config.hostname, now, self._zone))

    async def _head(self, given: Letter) -> Head | None:
        start = await Parts(self._world, given).start(HEAD_BYTES)
        try:
            return head_of(start) or head_of(start + b"\r\n\r\n")
        except TooLarge:
            return None
