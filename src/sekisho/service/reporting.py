"""Failed deliveries to bounces: the failure is durable first, then the report and its end are one
transaction.

Whatever crashes in between, the failed rows stand in the table, and the next start reports them. A message
without a return path is never reported on (RFC 5321 4.5.5): its failure is an event, no more.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from sekisho.mail.return_path import mark_of
from sekisho.model.delivery import Delivery, State
from sekisho.model.envelope import Envelope, Message, Origin
from sekisho.model.event import Bounced, Event
from sekisho.model.ident import make_id
from sekisho.model.letter import BOUNCE_ACCOUNT, BOUNCE_MARK, BOUNCE_OF, Draft, Letter, Settled
from sekisho.model.text import printable
from sekisho.model.verdict import Reply
from sekisho.queue.retry import SECOND
from sekisho.service.addressing import Addressing
from sekisho.service.boundary import Record, boundary
from sekisho.store.spool import Spool
from sekisho.world import Unavailable, World

GATHER_S = 30.0
"""Longest wait for other recipients' tries that are under way, so that they share one report."""

AGAIN_S = 2.0
"""Pause between two looks at a message that is still being tried, or at a spool that does not answer."""

LOST = Reply(554, "5.0.0", "the delivery failed")


class Report(Struct, frozen=True):
    """A bounce as a letter: `head` and `body` in wire form, dot-stuffed; `digest` SHA-256 of the body in
    hex."""

    recipient: str
    head: bytes
    body: bytes
    digest: str
    subject: str


class Maker(Protocol):
    def __call__(
        self, letter: Letter, failed: Sequence[tuple[Delivery, Reply]], message: str, at: int
    ) -> Report | None:
        """The bounce with this message id, None if none is owed."""


class Reporter:
    """`run` until cancelled."""

    def __init__(
        self, world: World, spool: Spool, addressing: Addressing, make: Maker, record: Callable[[Event], None]
    ) -> None:
        self._world = world
        self._spool = spool
        self._addressing = addressing
        self._make = make
        self._record = record
        self._waiting: dict[str, int] = {}
        self._wake = asyncio.Event()

    def failed(self, message: str) -> None:
        """A delivery of this message has failed, durably."""
        self._waiting.setdefault(message, self._world.clock.ticks())
        self._wake.set()

    async def look(self) -> None:
        """Finds what the table says is owed."""
        for message in await self._spool.failed_messages():
            self.failed(message)

    async def run(self, trouble: Record) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            for message in list(self._waiting):
                with boundary(trouble, "bounce", message):
                    await self._turn(message)
            if self._waiting:
                await self._world.clock.sleep(AGAIN_S)
                self._wake.set()

    async def _turn(self, message: str) -> None:
        since = self._waiting[message]
        try:
            deliveries = await self._spool.deliveries(message)
            trying = any(delivery.state is State.TRYING for delivery in deliveries)
            if trying and self._world.clock.ticks() - since < GATHER_S * SECOND:
                return
            del self._waiting[message]
            failed = [delivery for delivery in deliveries if delivery.state is State.FAILED]
            if failed:
                await self._report(message, failed)
        except Unavailable:
            self._waiting.setdefault(message, since)

    async def _report(self, message: str, failed: Sequence[Delivery]) -> None:
        letter = await self._spool.letter(message)
        at = self._world.clock.now()
        bounce = self._ident(at)
        report = None
        if letter.envelope.sender is not None:
            told = [(delivery, delivery.last_reply or LOST) for delivery in failed]
            report = self._make(letter, told, bounce, at)
        deliveries = self._addressing.deliveries(bounce, report.recipient) if report else ()
        if report is None or not deliveries:
            await self._spool.settled([Settled(each.id, message, State.DONE) for each in failed])
            bounce = ""
        else:
            draft = _draft(bounce, report, deliveries, letter, at)
            await self._spool.submit(draft, (report.body,), failed)
        for delivery in failed:
            self._record(self._event(letter, delivery, bounce, at))

    def _event(self, letter: Letter, delivery: Delivery, bounce: str, at: int) -> Bounced:
        origin = letter.envelope.origin
        reply = delivery.last_reply or LOST
        return Bounced(
            id=self._ident(at), at=at, source="front", session=origin.session, account=origin.account,
            address=origin.address, message=delivery.message, recipient=printable(delivery.recipient),
            bounce=bounce, reply=Reply(reply.code, reply.status, printable(reply.text)),
        )  # fmt: skip

    def _ident(self, at: int) -> str:
        return make_id(at, self._world.chance.bits(30))


def _draft(bounce: str, report: Report, deliveries: Sequence[Delivery], letter: Letter, at: int) -> Draft:
    origin, cause = Origin(session="", listener="bounce", at=at), letter.envelope.origin
    options = {
        BOUNCE_OF: letter.message.id,
        BOUNCE_ACCOUNT: cause.account,
        BOUNCE_MARK: str(mark_of(cause.network)),
    }
    envelope = Envelope(None, (report.recipient,), origin, options)
    return Draft(
        envelope,
        Message(bounce, len(report.body), report.digest),
        report.head,
        tuple(deliveries),
        printable(report.subject),
    )
