"""Answers what others ask of a spool: incidents hold and release, the command line looks and changes,
notices come in.

The same object serves a running front, whose deliverer must stand still meanwhile, and a command that has
taken the lock of a spool whose server does not run.
"""

import hashlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import msgspec
from msgspec import Struct

from sekisho.mail.form import wire_form
from sekisho.model.action import Performed
from sekisho.model.delivery import Kind
from sekisho.model.envelope import Envelope, Message, Origin
from sekisho.model.ident import make_id
from sekisho.model.letter import Draft
from sekisho.model.selector import Selector
from sekisho.model.text import printable
from sekisho.service.addressing import Addressing
from sekisho.service.channel import NotDone
from sekisho.service.messages import (
    Deposit,
    HoldQueue,
    QueueAnswer,
    QueueAsk,
    QueueVerb,
    ReleaseQueue,
    Request,
    Sweep,
    Swept,
)
from sekisho.store.bodies import parts_of
from sekisho.store.spool import Spool
from sekisho.store.spool_actions import CHANGED_KEPT, Order, Verb
from sekisho.store.spool_patterns import BadPattern, check
from sekisho.store.spool_select import BY
from sekisho.world import World

HEAD_SHOWN = 64 * 1024
"""Most bytes of a letter's beginning that `queue show` carries."""

STOPS: tuple[Verb, ...] = ("hold", "purge", "bounce")
"""Nothing may start meanwhile: what waits in memory goes back to the table, where these find it."""

class Deliverer(Protocol):
    """The part of `service/delivery.py` that makes way."""

    def still(self) -> AbstractContextManager[None]: ...

    async def put_back(self) -> None: ...

    def refresh(self) -> None: ...

    def forgive(self) -> None: ...


async def _quiet(account: str) -> None:
    """Nobody is taking mail on."""


class SpoolOwner:
    """`quiet` returns once what is being taken on for an account is in the spool; `sweep` asks who may touch
    mailboxes, for the one of several spools that is to do it.
    """

    def __init__(
        self,
        world: World,
        spool: Spool,
        addressing: Addressing,
        deliverer: Deliverer | None = None,
        quiet: Callable[[str], Awaitable[None]] = _quiet,
        sweep: Callable[[Sweep], Awaitable[Swept]] | None = None,
    ) -> None:
        self._world = world
        self._spool = spool
        self._addressing = addressing
        self._deliverer = deliverer
        self._quiet = quiet
        self._sweep = sweep

    async def handle(self, request: Request) -> Struct | None:
        """Performed or QueueAnswer; None for requests that are somebody else's. Raises NotDone,
        Unavailable."""
        match request:
            case HoldQueue(action=action, selector=selector):
                if selector.account:
                    await self._quiet(selector.account)
                return await self._perform(Order(action, "hold", selector))
            case ReleaseQueue(action=action, held=held):
                return await self._perform(Order(action, "release", Selector(), held))
            case Deposit():
                return await self._deposit(request)
            case QueueAsk():
                return await self._queue(request)
        return None

    async def _queue(self, ask: QueueAsk) -> QueueAnswer:
        try:
            check(ask.selector)
        except BadPattern as error:
            raise NotDone(str(error)) from error
        if ask.verb in ("list", "show", "count"):
            return await self._look(ask)
        if not ask.action:
            raise NotDone("an action needs an id")
        order = _order(ask, ask.verb)
        census = await self._spool.preview(order)
        performed = await self._perform(order)
        answer = QueueAnswer(performed.count, census.messages, census.bytes, performed=performed)
        return await self._with_mailboxes(ask, ask.verb, answer)

    async def _with_mailboxes(self, ask: QueueAsk, verb: QueueVerb, answer: QueueAnswer) -> QueueAnswer:
        """Bounces of an incident that have arrived are taken out and brought back with those that wait."""
        selector = ask.selector
        alone = selector in (Selector(cause=selector.cause), Selector(held_by=selector.held_by))
        if self._sweep is None or not alone or verb not in ("purge", "restore"):
            return answer
        if verb == "purge" and selector.cause is None:
            return answer
        folders = self._mailboxes(selector.cause.account) if selector.cause is not None else ()
        request = Sweep(
            ask.action, "purge" if verb == "purge" else "restore", selector.cause, selector.held_by, folders,
            ask.verb == "count",
        )  # fmt: skip
        return _and_swept(answer, await self._sweep(request))

    def _mailboxes(self, account: str) -> tuple[str, ...]:
        """Where bounces to the account are, and what the postmaster was told of those that failed."""
        names = [account, self._addressing.postmaster(account)]
        targets = [target for name in names for target in self._addressing.targets(name)]
        routes = [self._addressing.route(target) for target in dict.fromkeys(targets)]
        return tuple(route.host for route in routes if route.kind is Kind.MAILDIR)

    async def _look(self, ask: QueueAsk) -> QueueAnswer:
        if ask.verb == "count" and ask.preview not in ("list", "show", "count"):
            census = await self._spool.preview(_order(ask, ask.preview))
            answer = QueueAnswer(census.deliveries, census.messages, census.bytes)
            return await self._with_mailboxes(ask, ask.preview, answer)
        census = await self._spool.count(ask.selector)
        answer = QueueAnswer(census.deliveries, census.messages, census.bytes)
        if ask.verb == "count":
            return answer
        if ask.by:
            if ask.by not in BY:
                raise NotDone(f"a list is not summed up by {printable(ask.by)}")
            groups = await self._spool.groups(ask.selector, ask.by, ask.limit)
            return msgspec.structs.replace(answer, groups=tuple(groups))
        rows = tuple(await self._spool.select(ask.selector, ask.limit))
        head = await self._head(rows[0].message) if rows and ask.verb == "show" else ""
        return msgspec.structs.replace(answer, rows=rows, head=head)

    async def _perform(self, order: Order) -> Performed:
        """Held within a second: nothing starts until the table says what may."""
        if self._deliverer is None:
            return await self._spool.perform(order)
        with self._deliverer.still() if order.verb in STOPS else nullcontext():
            if order.verb in STOPS:
                await self._deliverer.put_back()
            performed = await self._spool.perform(order)
        self._deliverer.refresh()
        if order.verb == "retry":
            self._deliverer.forgive()
        return performed

    async def _head(self, message: str) -> str:
        letter = await self._spool.letter(message)
        text = letter.head
        for part in parts_of(letter, self._world.disk):
            text += part[: HEAD_SHOWN - len(text)]
            if len(text) >= HEAD_SHOWN:
                break
        lines = text[:HEAD_SHOWN].replace(b"\r\n", b"\n").split(b"\n")
        return "\n".join(printable(line) for line in lines)

    async def _deposit(self, deposit: Deposit) -> Performed:
        done = await self._spool.performed(deposit.action)
        if done is not None:
            return done
        at = self._world.clock.now()
        message = make_id(at, self._world.chance.bits(30))
        deliveries = self._addressing.deliveries(message, deposit.recipient)
        if not deliveries:
            raise NotDone(f"{printable(deposit.recipient)} leads nowhere")
        body = wire_form(deposit.letter)
        origin = Origin(session="", listener="deposit", at=at)
        draft = Draft(
            Envelope(deposit.sender or None, (deposit.recipient,), origin),
            Message(message, len(body), hashlib.sha256(body).hexdigest()),
            b"",
            tuple(deliveries),
            subject_of(body),
        )
        performed = Performed(deposit.action, "spool", at, (message,), count=1)
        await self._spool.submit(draft, (body,), performed=performed)
        return performed


def _and_swept(answer: QueueAnswer, swept: Swept) -> QueueAnswer:
    count, done = len(swept.names), answer.performed
    if done is not None:
        changed = (*done.changed, *swept.names)[:CHANGED_KEPT]
        done = msgspec.structs.replace(done, changed=changed, count=done.count + count)
    return msgspec.structs.replace(
        answer, matched=answer.matched + count, messages=answer.messages + count,
        bytes=answer.bytes + swept.bytes, arrived=count, performed=done,
    )  # fmt: skip


def _order(ask: QueueAsk, verb: QueueVerb) -> Order:
    """A release takes one hold away if it names it, else all; the others find what an action stopped."""
    return Order(ask.action, verb, ask.selector, ask.selector.held_by)  # type: ignore[arg-type]


def subject_of(body: bytes) -> str:
    """The raw subject of a letter of ours, for lists."""
    for line in body[:HEAD_SHOWN].split(b"\r\n"):
        if not line:
            break
        if line.lower().startswith(b"subject:"):
            return printable(line[8:].strip(), 320)
    return ""
