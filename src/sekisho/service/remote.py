"""Delivery to other mail servers: one try for the recipients of one letter that stand in one lane.

Hosts are called in order until every recipient has an answer (RFC 5321 5.1). A host that does not let us
in, by silence or by its greeting, leaves its recipients to the next; what a host says of a recipient
stands.
"""

from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from sekisho.model.config import Config
from sekisho.model.delivery import Deferred, Delivery, Failed, Kind, Outcome
from sekisho.model.event import Event, Troubled
from sekisho.model.ident import make_id
from sekisho.model.letter import Letter
from sekisho.model.verdict import Reply
from sekisho.net.dial import leads_home
from sekisho.queue.hops import Hop
from sekisho.queue.limits import Limits
from sekisho.queue.places import Full, Places, Seat
from sekisho.queue.sources import way_for
from sekisho.service.callforward import CallForward
from sekisho.service.calling import Call, Manner, NoCall, call
from sekisho.service.destinations import Destinations
from sekisho.service.errand import Errand
from sekisho.service.logins import Logins, encrypted_for
from sekisho.service.parts import Parts
from sekisho.service.roads import Place, Roads
from sekisho.service.securing import NOT_LISTED, NOT_PROVABLE, Demand, Securing
from sekisho.service.sts import Policies
from sekisho.service.tls_tally import TlsTally
from sekisho.wire.client_steps import Transaction
from sekisho.world import Unavailable, World

CHANCE_BITS = 30
Sign = Callable[[Letter], Awaitable[bytes]]
"""Fields that stand above a letter that leaves; raises Unavailable."""

SHY_MAX = 10_000
"""Most hosts remembered that cannot be given two letters in one segment."""


class RemoteCarrier:
    """A `Carrier` (service/delivery.py) for routes of kind mx, relay and lmtp. `close` at the end."""

    def __init__(
        self,
        world: World,
        config: Config,
        record: Callable[[Event], None],
        is_ours: Callable[[str], bool] = leads_home,
        policies: str = "",
    ) -> None:
        """`policies` is the file in which other people's MTA-STS policies are kept."""
        self._world = world
        self._config = config
        self._record = record
        self._is_ours = is_ours
        self._destinations = Destinations(world, config, is_ours)
        self._roads = Roads(world, self._trouble)
        self._limits = Limits(config.queue)
        self.places = Places(self._limits)
        self._policies = Policies(world, policies, self._private, self._trouble)
        self._securing = Securing(world, config, self._policies)
        self._tally = TlsTally(world, record)
        self._logins = Logins(world, self._trouble)
        self.callforward = CallForward(world, self._logins)
        self.callforward.configure(config, self._destinations, self._securing)
        self._shy: set[str] = set()
        self.sign: Sign | None = None

    async def carry(self, batch: tuple[Delivery, ...], letter: Letter) -> dict[str, Outcome | Full]:
        """By delivery id. Whatever peers and world do becomes an Outcome; who finds no place is `Full`."""
        try:
            if self.sign is not None and batch[0].route.kind is not Kind.LMTP:
                above = await self.sign(letter)
                letter = replace(letter, head=above + letter.head) if above else letter
        except Unavailable as trouble:
            wait = Deferred(Reply(451, "4.3.0", f"{trouble.door}: {trouble.why}"), "4yz")
            return {delivery.id: wait for delivery in batch}
        errand = Errand(letter, Parts(self._world, letter), batch)
        errand.way = way_for(letter.envelope, self._config)
        key = (errand.route, errand.way, errand.requires_tls)
        try:
            await errand.prepare()
            while errand.remaining:
                place = await self._roads.enter(key, self._sessions(errand), errand)
                try:
                    await self._work(place, errand)
                finally:
                    await place.give_back()
        except Unavailable as trouble:  # our own disk or settings
            errand.defer(Reply(451, "4.3.0", f"{trouble.door}: {trouble.why}"), "4yz")
        return errand.outcomes

    def reload(self, config: Config) -> None:
        """Tries that begin from now on go by these settings."""
        self._config = config
        self._destinations = Destinations(self._world, config, self._is_ours)
        self._securing = Securing(self._world, config, self._policies)
        self.callforward.configure(config, self._destinations, self._securing)
        self._limits = Limits(config.queue)
        self.places.reload(self._limits)

    async def check(self) -> None:
        """Tells the operator when DANE was asked for and is not to be had. Once, at the start."""
        if self._config.outbound.dnssec_probe and (why := await self._world.dns.validates()):
            self._trouble("DANE is not used: nobody validates DNSSEC for us", why, "")

    async def close(self) -> None:
        await self._roads.close()
        await self._policies.close()
        self._tally.tell()

    def _private(self) -> bool:
        return self._config.outbound.private_networks

    def _sessions(self, errand: Errand) -> int:
        return self._limits.lane(errand.route.lane).concurrency

    async def _work(self, place: Place, errand: Errand) -> None:
        if place.session is not None:
            await self._use(place, errand)
            errand.troubles.clear()  # a session that ended while it rested says nothing about the host
        while errand.remaining and place.held:
            await self._open(place, errand)
            if place.session is not None:
                await self._use(place, errand)

    async def _open(self, place: Place, errand: Errand) -> None:
        """A session with the next host that lets us in; else the errand is over."""
        if errand.hops is None:
            found = await self._destinations.find(errand.route, errand.way)
            if isinstance(found, Deferred | Failed):
                errand.settle_all(found)
                return
            errand.hops = found
            errand.guide = await self._securing.guide(errand.route)
            if errand.guide.trouble:
                self._tally.count(errand.guide.domain, "sts", "", "", errand.guide.trouble)
        while errand.hops and not errand.waits_before(errand.hops[0]):
            session = await self._enter(errand, errand.hops.pop(0))
            if isinstance(session, Call):
                place.opened()
                place.session = session
                return
        place.opened()
        errand.give_up()

    async def _enter(self, errand: Errand, hop: Hop) -> Call | None:
        """Unless the host has been silent of late, or has as many of our connections as it may."""
        now = self._world.clock.now()
        if silent_until := self.places.silent_until(hop, now):
            errand.silent(silent_until)
            return None
        seat = self.places.enter(errand.route.lane, hop, now)
        if isinstance(seat, Full):
            errand.full = (hop.rank, seat)
            return None
        session: Call | NoCall | None = None
        try:
            session = await self._call(errand, hop)
        finally:
            if not isinstance(session, Call):
                self.places.leave(seat, self._world.clock.now())
        if isinstance(session, NoCall):
            errand.troubles.append(session)
            if session.stage in ("connect", "greeting") and session.cause in ("connect", "timeout"):
                self.places.unanswered(hop, self._world.clock.now())
            return None
        self.places.answered(hop)
        session.when_closed = lambda: self._left(seat)
        session.wanted = lambda: self.places.wanted(seat)
        return session

    def _left(self, seat: Seat) -> None:
        self.places.leave(seat, self._world.clock.now())

    async def _call(self, errand: Errand, hop: Hop) -> Call | NoCall:
        demand = await self._securing.demand(errand.guide, hop)
        if isinstance(demand, NoCall):
            self._note(errand, "sts" if demand.reply == NOT_LISTED else "tlsa", demand, demand.result)
            return demand
        if errand.requires_tls and not demand.proven:
            return NoCall(hop, NOT_PROVABLE, "5yz", "demand")
        session = await call(self._world, hop, await self._manner(errand, hop, demand))
        self._logins.learn(errand.route, session)
        if demand.policy and (isinstance(session, Call) or session.stage == "tls"):
            result = session.flaw if isinstance(session, Call) else session.result
            self._note(errand, demand.policy, session, result)
        return session

    def _note(self, errand: Errand, policy: str, met: Call | NoCall, result: str) -> None:
        self._tally.count(errand.guide.domain, policy, met.hop.name, met.hop.address, result)

    async def _use(self, place: Place, errand: Errand) -> None:
        """As many transactions as the host wants, until the session breaks or goes on to the next errand."""
        session = place.session
        assert session is not None

        def follow() -> Transaction | None:
            if len(errand.remaining) > len(asked) or session.wanted() or self.places.paced(session.hop):
                return None
            if session.hop.address in self._shy:
                return None
            follower = place.follower()
            if follower is None:
                return None
            chosen = follower.choose(session)
            followers.append((follower, chosen))
            return follower.transaction(chosen)

        followers: list[tuple[Errand, tuple[Delivery, ...]]] = []
        again, finished = True, False
        try:
            while again and errand.remaining and (session.usable or errand.begun):
                if not errand.begun and (full := self.places.send(session.hop, self._world.clock.now())):
                    errand.wait(full)
                    break
                asked, begun = errand.begun or errand.choose(session), bool(errand.begun)
                errand.begun = ()
                transaction = None if begun else errand.transaction(asked)
                result = await session.deliver(transaction, errand.parts, follow)
                if begun and len(result.undecided) == len(asked):
                    self._keep_apart(session.hop)
                for follower, chosen in followers:
                    follower.begun = chosen if session.followed else ()
                again = errand.learn(asked, result, session.hop) and not place.pass_on()
            finished = True
        finally:
            if not finished:  # we are being stopped: nobody must wait for this connection
                session.drop()
                place.session = None
        if not session.usable:
            place.pass_on()
            place.session = None

    def _keep_apart(self, hop: Hop) -> None:
        """It lost what stood behind a final dot: from now on it gets one letter after the other."""
        if len(self._shy) >= SHY_MAX:
            self._shy.clear()
        self._shy.add(hop.address)

    async def _manner(self, errand: Errand, hop: Hop, demand: Demand) -> Manner:
        out, way = self._config.outbound, errand.way
        source = way.address_for(hop.address, self._draw) if hop.port else ""
        login = await self._logins.login(errand.route, out)
        return Manner(
            way.helo,
            out,
            encrypted_for(login, hop, demand.tls),
            login,
            source,
            lmtp=errand.route.kind is Kind.LMTP,
            pins=demand.pins,
            testing=demand.testing,
        )

    def _draw(self) -> int:
        return self._world.chance.bits(CHANCE_BITS)

    def _trouble(self, what: str, about: str, trace: str) -> None:
        now = self._world.clock.now()
        ident = make_id(now, self._world.chance.bits(30))
        self._record(Troubled(id=ident, at=now, source="front", what=what, about=about, trace=trace))
