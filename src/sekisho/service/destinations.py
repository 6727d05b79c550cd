"""Whom to call for a route: the addresses in order, or why there is nobody (RFC 5321 5.1, RFC 7505).

What DNS says of a stranger's domain is not believed when it leads to ourselves or into a private network.
What DNS does not say is never a permanent failure: only NXDOMAIN and an empty answer are.
"""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from sekisho.model.config import Config
from sekisho.model.delivery import Deferred, Failed, Kind, Route
from sekisho.model.verdict import Reply
from sekisho.queue.hops import (
    ADDRESSES_PER_HOST,
    HOPS_MAX,
    Exchange,
    Hop,
    Written,
    in_order,
    is_among,
    is_null,
    is_private,
    is_self,
    parse_hop,
)
from sekisho.queue.routing import named_exchanges
from sekisho.queue.sources import Way
from sekisho.world import NotFound, Unavailable, World

CHANCE_BITS = 30
LOOKED_AT_MAX = 20
LMTP_PORT = 24
"""RFC 2033 names none and forbids 25; 24 is what everybody takes."""

ANYWHERE = frozenset(("0.0.0.0", "::"))

Found = list[Hop] | Deferred | Failed


class Destinations:
    """`is_ours` says whether an address is one of this machine's."""

    def __init__(self, world: World, config: Config, is_ours: Callable[[str], bool]) -> None:
        self._world = world
        self._hostname = config.hostname.lower()
        self._outbound = config.outbound
        self._is_ours = is_ours
        self._doors = _doors(config)
        self._named = named_exchanges(config)

    async def find(self, route: Route, way: Way) -> Found:
        """Hosts that can be called from there."""
        if route.kind is Kind.LMTP and (path := route.host.removeprefix("unix:")).startswith("/"):
            return [Hop(path, path, 0)]
        if route.kind in (Kind.RELAY, Kind.LMTP):
            port = LMTP_PORT if route.kind is Kind.LMTP else self._outbound.port
            return await self._relay(route.host, port, way)
        literal = parse_hop(route.host, self._outbound.port)
        if literal is not None and literal.is_address:
            return self._judged(route.host, _Search(way, [Hop(literal.host, literal.host, literal.port)]))
        found = await self._exchanges(route.host, way)
        if route.host in self._named and isinstance(found, Failed):
            return Deferred(milder(found.reply), found.cause)  # a mistake in the settings bounces no mail
        return found

    async def _relay(self, text: str, port: int, way: Way) -> Found:
        """A host that the settings name: believed, wherever it is; a mistake in it never bounces mail."""
        relay = parse_hop(text, port)
        if relay is None:
            return Deferred(Reply(451, "4.3.5", f"the next hop {text} is not one"), "dns")
        try:
            addresses = [relay.host] if relay.is_address else await self._world.dns.addresses(relay.host)
        except NotFound:
            addresses = []
        except Unavailable as trouble:
            return _no_dns(relay.host, trouble)
        if not addresses:
            return Deferred(Reply(451, "4.4.4", f"the next hop {relay.host} has no address"), "dns")
        hops = [Hop(relay.host, address, relay.port) for address in addresses]
        others = [hop for hop in hops if not self._is_own_door(hop)]
        if not others:
            return Deferred(Reply(451, "4.4.6", f"the next hop {text} is this server itself"), "dns")
        return [hop for hop in others if way.reaches(hop.address)][:HOPS_MAX] or _unreached(relay.host, way)

    def _is_own_door(self, hop: Hop) -> bool:
        """Others may live on this machine, a filter or a list server: what is ours are our listeners."""
        ours = is_self(hop.address) or self._is_ours(hop.address)
        if is_among(hop.address, self._outbound.own_addresses):
            return any(hop.port == door.port for door in self._doors)
        return ours and any(_leads_to(hop, door) for door in self._doors)

    async def _exchanges(self, domain: str, way: Way) -> Found:
        try:
            hosts = [(host.preference, host.name) for host in await self._world.dns.mx(domain)]
        except NotFound:
            return Failed(Reply(550, "5.1.2", f"there is no domain {domain}"), "dns")
        except Unavailable as trouble:
            return _no_dns(domain, trouble)
        if is_null(hosts):
            return Failed(Reply(556, "5.1.10", f"{domain} takes no mail"), "dns")  # RFC 7505 4.2
        # RFC 5321 5.1: without MX the domain's own address is tried, and only then.
        search = await self._search(hosts or [(0, domain)], way)
        if not hosts and search.nobody:
            return Failed(Reply(550, "5.1.2", f"{domain} has no mail server and no address"), "dns")
        return self._judged(domain, search)

    async def _search(self, hosts: Sequence[Exchange], way: Way) -> "_Search":
        """All addresses of better preference than our own."""
        search = _Search(way, [])
        for rank, group in enumerate(in_order(hosts, lambda: self._world.chance.bits(CHANCE_BITS))):
            found: list[Hop] = []
            for name in group:
                found += await self._host(name, search)
            search.found |= bool(found)
            if self._leads_home(group, found):
                search.home = True
                return search
            search.hops += [replace(hop, rank=rank) for hop in _some_of_each(found, way)]
            if len(search.hops) >= HOPS_MAX:
                return search
        return search

    async def _host(self, name: str, search: "_Search") -> list[Hop]:
        try:
            addresses = await self._world.dns.addresses(name)
        except NotFound:
            return []
        except Unavailable as trouble:
            search.unsure = trouble
            return []
        return [Hop(name, address, self._outbound.port) for address in addresses[:LOOKED_AT_MAX]]

    def _leads_home(self, names: Sequence[str], hops: Sequence[Hop]) -> bool:
        """RFC 5321 5.1: a host of our own among the MX makes all that are not better useless."""
        return self._hostname in names or any(self._is_home(hop) for hop in hops)

    def _is_home(self, hop: Hop) -> bool:
        if is_among(hop.address, self._outbound.own_addresses):
            return True
        ours = is_self(hop.address) or self._is_ours(hop.address)
        if (
            self._outbound.private_networks
        ):  # others may live on this machine too: only our own doors are home
            return ours and any(_leads_to(hop, door) for door in self._doors)
        return ours

    def _judged(self, domain: str, search: "_Search") -> Found:
        """What can be called, or what to tell the sender."""
        home = search.home or any(self._is_home(hop) for hop in search.hops)
        private = self._outbound.private_networks or domain in self._named
        allowed = [
            hop for hop in search.hops if not self._is_home(hop) and (private or not is_private(hop.address))
        ]
        if allowed:
            return allowed[:HOPS_MAX]
        if search.unsure is not None:
            return _no_dns(domain, search.unsure)
        if home:
            return Failed(Reply(554, "5.4.6", f"mail for {domain} leads back to this server"), "dns")
        if search.hops:
            return Failed(Reply(554, "5.4.6", f"mail for {domain} leads into a private network"), "dns")
        if search.found:
            return _unreached(domain, search.way)
        return Failed(Reply(550, "5.4.4", f"no mail server of {domain} has an address"), "dns")


class _Search:
    """What was found on the way."""

    def __init__(self, way: Way, hops: list[Hop]) -> None:
        self.way = way
        self.hops = hops
        self.found = bool(hops)
        self.home = False
        self.unsure: Unavailable | None = None

    @property
    def nobody(self) -> bool:
        return not self.found and not self.home and self.unsure is None


def _some_of_each(hops: Sequence[Hop], way: Way) -> list[Hop]:
    """A host with very many addresses must not keep us from the next one."""
    chosen: list[Hop] = []
    for hop in hops:
        if way.reaches(hop.address) and sum(each.name == hop.name for each in chosen) < ADDRESSES_PER_HOST:
            chosen.append(hop)
    return chosen


def milder(reply: Reply) -> Reply:
    """The same for now (RFC 3463 2)."""
    return Reply(451, f"4{reply.status[1:]}", reply.text)


def _unreached(name: str, way: Way) -> Deferred:
    text = f"{name} cannot be called from the addresses of {way.name or 'outbound.source'}"
    return Deferred(Reply(451, "4.3.5", text), "4yz")


def _no_dns(name: str, trouble: Unavailable) -> Deferred:
    return Deferred(Reply(451, "4.4.3", f"DNS has no answer about {name}: {trouble.why}"), "dns")


def _doors(config: Config) -> tuple[Written, ...]:
    """Where this server itself takes mail."""
    doors = (parse_hop(each.address, 0) for each in config.listen.values())
    return tuple(door for door in doors if door is not None)


def _leads_to(hop: Hop, door: Written) -> bool:
    """`0.0.0.0` is every address of the machine, as a door and as a way to one."""
    return hop.port == door.port and (
        hop.address == door.host or {hop.address, door.host} & ANYWHERE != set()
    )
