"""Ended deliveries to reports: the end is durable first, then the report and the row's end are one
transaction.

Whatever crashes in between, the rows stand in the table, and the next start reports them. A message without
a return path is never reported on to a sender (RFC 5321 4.5.5): the postmaster is told, or it is counted.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Protocol

from msgspec import Struct

from sekisho.mail.return_path import mark_of
from sekisho.model.action import Performed
from sekisho.model.delivery import Delivery, State
from sekisho.model.envelope import Envelope, Message, Origin
from sekisho.model.event import Bounced, Event
from sekisho.model.ident import make_id
from sekisho.model.letter import BOUNCE_ACCOUNT, BOUNCE_MARK, BOUNCE_OF, DOUBLE, Draft, Letter, Settled
from sekisho.model.text import printable
from sekisho.model.verdict import Reply
from sekisho.queue.bounce import Kind
from sekisho.queue.retry import SECOND
from sekisho.service.addressing import Addressing
from sekisho.service.boundary import Record, boundary
from sekisho.store.spool import Spool
from sekisho.store.spool_claims import delay_mark
from sekisho.world import Unavailable, World

GATHER_S = 30.0
"""Longest wait for other recipients' tries that are under way, so that they share one report."""

AGAIN_S = 2.0
"""Pause between two looks at a message that is still being tried, or at a spool that does not answer."""

LEAST_LOOK_S, LONGEST_LOOK_S = 0.5, 600.0
"""How often what waits is looked through for what has waited long."""

LATE = Reply(451, "4.4.7", "it has not been tried yet")
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
        self,
        letter: Letter,
        ended: Sequence[tuple[Delivery, Reply]],
        message: str,
        at: int,
        kind: Kind = "failed",
    ) -> Report | None:
        """The report of this message id, None if none is owed."""


class Reporter:
    """`run` until cancelled. `dropped` counts failed deliveries without return path that nobody heard of."""

    def __init__(
        self, world: World, spool: Spool, addressing: Addressing, make: Maker, record: Callable[[Event], None]
    ) -> None:
        self._world = world
        self._spool = spool
        self._addressing = addressing
        self._make = make
        self._record = record
        self._waiting: dict[str, int] = {}
        self.dropped = 0
        self._wake = asyncio.Event()

    def failed(self, message: str) -> None:
        """A delivery of this message has failed, durably."""
        self._waiting.setdefault(message, self._world.clock.ticks())
        self._wake.set()

    async def look(self) -> None:
        """Finds what the table says is owed."""
        for message in await self._spool.failed_messages():
            self.failed(message)

    async def warn(self, trouble: Record) -> None:
        """Tells senders, once, of what waits for long; until cancelled."""
        while True:
            wait_s = self._spool.settings.delay_warning_s
            await self._world.clock.sleep(min(max(wait_s / 4, LEAST_LOOK_S), LONGEST_LOOK_S))
            async with boundary(trouble, "delay warnings"):
                await self._warn_all(wait_s)

    async def _warn_all(self, wait_s: int) -> None:
        with suppress(Unavailable):
            while wait_s and (late := await self._late(wait_s)):
                for message in late:
                    await self._warn(message)

    async def _late(self, wait_s: int) -> list[str]:
        return await self._spool.late_messages(self._world.clock.now() - wait_s * SECOND)

    async def _warn(self, message: str) -> None:
        letter = await self._spool.letter(message)
        at = self._world.clock.now()
        waiting = [
            each for each in await self._spool.deliveries(message)
            if each.state is State.WAITING and not each.held_by
            and letter.envelope.wish(each.recipient).wants("DELAY")
        ]  # fmt: skip
        once = Performed(delay_mark(message), "spool", at, (message,), count=len(waiting))
        told = [(each, each.last_reply or LATE) for each in waiting]
        bounce = self._ident(at)
        report = self._make(letter, told, bounce, at, "delayed") if told else None
        deliveries = self._addressing.deliveries(bounce, report.recipient) if report else ()
        if report is None or not deliveries:
            await self._spool.remember("delay", once)
            return
        draft = _draft(bounce, report, deliveries, letter, at)
        await self._spool.submit(draft, (report.body,), performed=once)
        for each in waiting:
            self._record(self._event(letter, each, bounce, "delayed"))

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

    async def _report(self, message: str, ended: Sequence[Delivery]) -> None:
        """One report for each kind; those that nobody wants to hear of end without."""
        letter = await self._spool.letter(message)
        silent = list(ended)
        for kind, group in _kinds(letter, ended, self._spool.settings.double_bounces):
            if await self._tell(letter, kind, group):
                silent = [each for each in silent if each not in group]
        if silent:
            await self._spool.settled([Settled(each.id, message, State.DONE) for each in silent])
        for delivery in silent:
            dropped = letter.envelope.sender is None
            self.dropped += dropped
            self._record(self._event(letter, delivery, "", "dropped" if dropped else "failed"))

    async def _tell(self, letter: Letter, kind: Kind, ended: Sequence[Delivery]) -> bool:
        """False when nobody is to be told. The report is kept in the step that ends these deliveries."""
        at = self._world.clock.now()
        bounce = self._ident(at)
        told = [(delivery, delivery.last_reply or LOST) for delivery in ended]
        report = self._make(letter, told, bounce, at, kind)
        deliveries = self._addressing.deliveries(bounce, report.recipient) if report else ()
        if report is None or not deliveries or _same_place(deliveries, ended):
            return False
        draft = _draft(bounce, report, deliveries, letter, at)
        await self._spool.submit(draft, (report.body,), ended)
        for delivery in ended:
            self._record(self._event(letter, delivery, bounce, kind))
        return True

    def _event(self, letter: Letter, delivery: Delivery, bounce: str, kind: str) -> Bounced:
        origin, at = letter.envelope.origin, self._world.clock.now()
        reply = delivery.last_reply or LOST
        return Bounced(
            id=self._ident(at), at=at, source="front", session=origin.session, account=origin.account,
            address=origin.address, message=delivery.message, recipient=printable(delivery.recipient),
            bounce=bounce, reply=Reply(reply.code, reply.status, printable(reply.text)), kind=kind,
        )  # fmt: skip

    def _ident(self, at: int) -> str:
        return make_id(at, self._world.chance.bits(30))


def _kinds(letter: Letter, ended: Sequence[Delivery], double: str) -> Iterator[tuple[Kind, list[Delivery]]]:
    """Who is to be told of what (RFC 3461 4.1). A state of "failed" with a positive reply is a success."""
    envelope = letter.envelope
    good = [each for each in ended if each.last_reply is not None and each.last_reply.positive]
    bad = [each for each in ended if each not in good]
    if envelope.sender is None:
        if bad and double == "postmaster" and DOUBLE not in envelope.options:
            yield "double", bad
        return
    wanted = [each for each in bad if envelope.wish(each.recipient).wants("FAILURE")]
    if wanted:
        yield "failed", wanted
    if good:
        yield "delivered", good


def _same_place(deliveries: Sequence[Delivery], ended: Sequence[Delivery]) -> bool:
    """The mailbox that a bounce could not be delivered to is not told of it."""
    failed = {each.recipient for each in ended}
    return all(each.recipient in failed for each in deliveries)


def _draft(bounce: str, report: Report, deliveries: Sequence[Delivery], letter: Letter, at: int) -> Draft:
    origin, cause = Origin(session="", listener="bounce", at=at), letter.envelope.origin
    options = {
        BOUNCE_OF: letter.message.id,
        BOUNCE_ACCOUNT: cause.account,
        BOUNCE_MARK: str(mark_of(cause.network)),
    }
    if letter.envelope.sender is None:  # what the bounce that failed was about is what this is about
        options |= {name: value for name, value in letter.envelope.options.items() if name in options}
        options[DOUBLE] = "1"
    envelope = Envelope(None, (report.recipient,), origin, options)
    return Draft(
        envelope,
        Message(bounce, len(report.body), report.digest),
        report.head,
        tuple(deliveries),
        printable(report.subject),
    )
