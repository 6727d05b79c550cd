"""Delivery to other mail servers: one try for the recipients of one letter that stand in one lane.

Hosts are called in order until every recipient has an answer (RFC 5321 5.1). A host that does not let us
in, by silence or by its greeting, leaves its recipients to the next; what a host says of a recipient
stands.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sekisho.model.config import Config
from sekisho.model.delivery import Deferred, Delivered, Delivery, Failed, Kind, Outcome, Route
from sekisho.model.event import Event, Troubled
from sekisho.model.ident import make_id
from sekisho.model.letter import Letter
from sekisho.model.secret import Secret
from sekisho.model.text import LIMIT
from sekisho.model.verdict import Reply
from sekisho.net.dial import leads_home
from sekisho.queue.hops import Hop
from sekisho.queue.schedule import BATCH_RECIPIENTS
from sekisho.service.calling import Call, Manner, NoCall, Result, call
from sekisho.service.destinations import Destinations
from sekisho.service.parts import Parts
from sekisho.service.resting import Resting
from sekisho.wire.client_steps import Transaction
from sekisho.world import Unavailable, World

TOO_MANY = 452
"""RFC 5321 4.5.3.1.10: the rest of the recipients are to be sent at once in a transaction of their own."""

Remaining = dict[str, Delivery]


class RemoteCarrier:
    """A `Carrier` (service/delivery.py) for routes of kind mx, relay and lmtp. `close` at the end."""

    def __init__(
        self,
        world: World,
        config: Config,
        record: Callable[[Event], None],
        is_ours: Callable[[str], bool] = leads_home,
    ) -> None:
        self._world = world
        self._config = config
        self._record = record
        self._is_ours = is_ours
        self._destinations = Destinations(world, config, is_ours)
        self._resting = Resting(world, self._trouble)
        self._lanes: dict[str, _Lane] = {}

    async def carry(self, batch: tuple[Delivery, ...], letter: Letter) -> dict[str, Outcome]:
        """By delivery id. Whatever peers and world do becomes an Outcome."""
        errand = Errand(letter, Parts(self._world, letter), batch)
        async with self._place(batch[0].route.lane):
            try:
                await self._run(errand, batch[0].route)
            except Unavailable as trouble:  # our own disk or settings
                errand.defer(Reply(451, "4.3.0", f"{trouble.door}: {trouble.why}"), "4yz")
        return errand.outcomes

    def reload(self, config: Config) -> None:
        """Tries that begin from now on go by these settings."""
        self._config = config
        self._destinations = Destinations(self._world, config, self._is_ours)

    async def close(self) -> None:
        await self._resting.close()

    async def _run(self, errand: "Errand", route: Route) -> None:
        errand.eight_bit = await errand.parts.eight_bit()
        rested = self._resting.take(route)
        if rested is not None:
            await self._use(rested, errand, route)
            errand.troubles.clear()  # a session that ended while it rested says nothing about the host
            if not errand.remaining:
                return
        found = await self._destinations.find(route)
        if isinstance(found, Deferred | Failed):
            errand.settle_all(found)
            return
        manner = await self._manner(route)
        for hop in found:
            session = await call(self._world, hop, manner)
            if isinstance(session, NoCall):
                errand.troubles.append(session)
                continue
            await self._use(session, errand, route)
            if not errand.remaining:
                return
        errand.give_up()

    async def _use(self, session: Call, errand: "Errand", route: Route) -> None:
        """As many transactions as the host wants, then the session rests for the next letter."""
        again, finished = True, False
        try:
            while again and errand.remaining and session.usable:
                asked = tuple(errand.remaining.values())[:BATCH_RECIPIENTS]
                result = await session.deliver(errand.transaction(asked), aiter(errand.parts))
                again = errand.learn(asked, result, session.hop)
            finished = True
        finally:
            if not finished:  # we are being stopped: nobody must wait for this connection
                session.drop()
        if session.usable:
            await self._resting.put(route, session)

    async def _manner(self, route: Route) -> Manner:
        out = self._config.outbound
        user, password = "", None
        if route.credentials and out.smarthost is not None:
            user, password = out.smarthost.user, await self._password(out.smarthost.password_file)
        return Manner(
            out.helo or self._config.hostname, out, route.tls, user, password, route.source or out.source,
            route.kind is Kind.LMTP,
        )  # fmt: skip

    async def _password(self, path: str) -> Secret:
        try:
            content: bytes = await self._world.spawn.thread(lambda: self._world.disk.read(path))
        except FileNotFoundError as error:
            raise Unavailable(path, "the file with the password is not there") from error
        return Secret(content.strip(b"\r\n"))

    @asynccontextmanager
    async def _place(self, name: str) -> AsyncIterator[None]:
        """At most `lane_concurrency` sessions in a lane, resting ones among them: those are taken first."""
        lane = self._lanes.setdefault(name, _Lane(self._config.queue.lane_concurrency))
        lane.users += 1
        try:
            async with lane.places:
                yield
        finally:
            lane.users -= 1
            if not lane.users:
                del self._lanes[name]

    def _trouble(self, what: str, about: str, trace: str) -> None:
        now = self._world.clock.now()
        ident = make_id(now, self._world.chance.bits(30))
        self._record(Troubled(id=ident, at=now, source="front", what=what, about=about, trace=trace))


class _Lane:
    def __init__(self, concurrency: int) -> None:
        self.places = asyncio.Semaphore(concurrency)
        self.users = 0


class Errand:
    """One letter for some recipients: who has an outcome, who remains, and who did not let us in."""

    def __init__(self, letter: Letter, parts: Parts, batch: tuple[Delivery, ...]) -> None:
        self.parts = parts
        self.eight_bit = False
        self.outcomes: dict[str, Outcome] = {}
        self.remaining: Remaining = {delivery.id: delivery for delivery in batch}
        self.troubles: list[NoCall] = []
        ours = batch[0].route.kind is Kind.LMTP  # no other host is told: it writes the return path
        self._sender = (letter.envelope.sender or "") if ours else letter.envelope.told

    def transaction(self, asked: tuple[Delivery, ...]) -> Transaction:
        recipients = tuple(delivery.recipient for delivery in asked)
        return Transaction(self._sender, recipients, self.parts.size, self.eight_bit)

    def learn(self, asked: tuple[Delivery, ...], result: Result, hop: Hop) -> bool:
        """Settles who was judged. True when the others of these should be asked again in the same session."""
        delivered = any(reply.positive for reply in result.replies)
        for place, delivery in enumerate(asked):
            reply = result.replies[place]
            if place in result.undecided:
                self.troubles.append(NoCall(hop, reply, result.cause or "4yz", "idle"))
            elif delivered and reply.code == TOO_MANY and reply.status in ("", "4.5.3"):
                self.troubles.append(NoCall(hop, reply, "4yz", "idle"))
            else:
                self._settle(delivery, outcome(reply, result.cause, hop.name))
        return not result.undecided

    def defer(self, reply: Reply, cause: str) -> None:
        self.settle_all(Deferred(reply, cause))

    def settle_all(self, end: Deferred | Failed) -> None:
        for delivery in list(self.remaining.values()):
            self._settle(delivery, end)

    def give_up(self) -> None:
        """Nobody is left to call. For ever only if everybody refused for ever (RFC 5321 3.1, 4.2.4.2)."""
        last = next((each for each in self.troubles if not _final(each)), self.troubles[-1])
        reply = Reply(last.reply.code, last.reply.status, _together(self.troubles) or last.reply.text)
        end = Failed if _final(last) else Deferred
        self.settle_all(end(reply, last.cause, last.hop.name))

    def _settle(self, delivery: Delivery, end: Outcome) -> None:
        self.outcomes[delivery.id] = end
        del self.remaining[delivery.id]


def outcome(reply: Reply, cause: str, host: str) -> Outcome:
    """What a reply means for its recipient."""
    if reply.positive:
        return Delivered(reply, host)
    if reply.transient:
        return Deferred(reply, cause or "4yz", host)
    return Failed(reply, "5yz", host)


def _final(trouble: NoCall) -> bool:
    """A refusal for ever by greeting or EHLO. Encryption and logins are a matter between hosts, and pass."""
    return trouble.stage in ("greeting", "hello") and not trouble.reply.transient


def _together(troubles: list[NoCall]) -> str:
    """Every host's answer, once; "" when there is only one."""
    answers = dict.fromkeys(f"{each.hop}: {each.reply}" for each in troubles)
    return "; ".join(answers)[:LIMIT] if len(answers) > 1 else ""
