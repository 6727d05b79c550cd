"""Sends letters on to where their recipients want them: new ones, kept in the step that ends the delivery.

What a crash leaves is either the delivery or the forwarded message, never neither and never both. The new
message has its own id and deliveries; account, client and login of the one who sent it stay with it, so that
what holds a thief's mail holds this too.
"""

import hashlib
from collections.abc import AsyncIterator

from msgspec.structs import replace

from sekisho.mail.form import wire_form
from sekisho.mail.loops import delivered_field
from sekisho.model.address import domain_of
from sekisho.model.delivery import Deferred, Delivered, Delivery, Kind, Outcome
from sekisho.model.envelope import Envelope, Message, Origin
from sekisho.model.ident import make_id
from sekisho.model.letter import Draft, Letter
from sekisho.model.verdict import Reply
from sekisho.service.addressing import Addressing
from sekisho.service.parts import Parts
from sekisho.service.spool_owner import subject_of
from sekisho.store.bodies import IN_DATABASE_MAX, BigBody
from sekisho.store.spool import Spool
from sekisho.world import Unavailable, World

SUBJECT_BYTES = 64 * 1024


class Forwarder:
    def __init__(self, world: World, spool: Spool, addressing: Addressing) -> None:
        self._world = world
        self._spool = spool
        self._addressing = addressing

    async def forward(self, delivery: Delivery, letter: Letter, done: Delivered) -> Outcome:
        """How the delivery ends: delivered once the new message is durable."""
        message = make_id(self._world.clock.now(), self._world.chance.bits(30))
        try:
            body = await self._body(letter, message)
            try:
                draft = await self._draft(delivery, letter, done, message)
                await self._spool.submit(draft, body, (delivery,))
            except Unavailable:
                if isinstance(body, BigBody):
                    await body.drop()
                raise
        except Unavailable as trouble:
            return Deferred(Reply(451, "4.3.0", f"{trouble.door} is not available"))
        return replace(done, reply=Reply(250, "2.0.0", f"forwarded as {message}"), handed_on=True, onward=())

    async def answer(self, letter: Letter, text: bytes) -> None:
        """An automatic reply to the letter's sender, without return path (RFC 3834 3.3). One that is lost in
        a crash, or with a disk that is full, is not made again."""
        at = self._world.clock.now()
        message, to = make_id(at, self._world.chance.bits(30)), letter.envelope.sender or ""
        body = wire_form(text)
        try:
            deliveries = tuple(self._addressing.deliveries(message, to))
            if deliveries:
                envelope = Envelope(None, (to,), Origin(session="", listener="autoreply", at=at))
                digest = hashlib.sha256(body).hexdigest()
                about = Message(message, len(body), digest)
                await self._spool.submit(
                    Draft(envelope, about, b"", deliveries, subject_of(body)), (body,)
                )
        except Unavailable:
            return

    async def _draft(self, delivery: Delivery, letter: Letter, done: Delivered, message: str) -> Draft:
        sender = letter.envelope.sender and (done.owner or letter.envelope.sender)
        deliveries = tuple(self._addressing.onward(message, done.onward, sender))
        path = "" if done.owner and sender else letter.envelope.return_path
        if not path and any(each.route.kind in (Kind.MX, Kind.RELAY) for each in deliveries):
            path = self._addressing.path_onward(sender, domain_of(delivery.recipient))
        wish = letter.envelope.wishes.get(delivery.recipient)
        envelope = Envelope(
            sender,
            done.onward,
            letter.envelope.origin,
            letter.envelope.options,
            {} if wish is None else {each.recipient: wish for each in deliveries},
            path,
        )
        start = await Parts(self._world, letter).start(len(letter.head) + SUBJECT_BYTES)
        return Draft(
            envelope,
            Message(message, letter.message.size, letter.message.digest),
            delivered_field(delivery.recipient) + letter.head,
            deliveries,
            subject_of(start),
        )

    async def _body(self, letter: Letter, message: str) -> tuple[bytes, ...] | BigBody:
        """Of its own: each message has its own end."""
        if not letter.path and sum(map(len, letter.body)) <= IN_DATABASE_MAX:
            return letter.body
        body = self._spool.big_body(message)
        try:
            digest = hashlib.sha256()
            async for part in self._wire(letter):
                digest.update(part)
                await body.write(part)
            await body.finish()
        except Unavailable:
            await body.drop()
            raise
        if digest.hexdigest() != letter.message.digest:
            await body.drop()
            raise Unavailable(letter.path, "the message has changed on the disk")
        return body

    async def _wire(self, letter: Letter) -> AsyncIterator[bytes]:
        async for part in Parts(self._world, replace(letter, head=b"")):
            yield part
