"""How much encryption a host must show before it gets a letter: settings, DANE, MTA-STS (RFC 7672, RFC 8461).

By default what the destination publishes decides, DANE before MTA-STS (RFC 8461 2); where it publishes
nothing, any encryption is better than none (RFC 7435). What cannot be found out for certain never weakens the
demand.
"""

from collections.abc import Mapping

from msgspec import Struct

from sekisho.mail.mta_sts import Policy
from sekisho.mail.tlsa import Pins
from sekisho.model.config import Config
from sekisho.model.delivery import Kind, Route, Tls
from sekisho.model.verdict import Reply
from sekisho.queue.hops import Hop, parse_hop
from sekisho.service.calling import NoCall
from sekisho.service.sts import Policies
from sekisho.world import Unavailable, World

NOT_PROVABLE = Reply(
    550,
    "5.7.30",
    "the sender demands proven encryption, and this host publishes no way to prove it",
)
NO_TLSA = Reply(451, "4.7.5", "the host has no TLSA records that can be used, which the settings demand")
NOT_LISTED = Reply(451, "4.7.5", "the host is not among those that the domain's MTA-STS policy names")


class Demand(Struct, frozen=True):
    """`proven`: who answers is then certainly who was meant (RFC 8689 2). `policy` as in RFC 8460 4.4.

    `testing`: the certificate is looked at, for the report only.
    """

    tls: Tls
    pins: Pins | None = None
    policy: str = ""
    proven: bool = False
    testing: bool = False


class Guide(Struct, frozen=True):
    """What holds for all hosts of a route. `secure`: that they are its hosts was validated."""

    domain: str = ""
    level: Tls = Tls.NONE
    policy: Policy | None = None
    trouble: str = ""
    secure: bool = False


class Securing:
    def __init__(self, world: World, config: Config, policies: Policies) -> None:
        self._world = world
        self._levels = config.outbound.tls
        self._policies = policies

    async def guide(self, route: Route) -> Guide:
        if route.kind is Kind.LMTP:
            return Guide()
        if route.kind is Kind.RELAY:
            relay = parse_hop(route.host, 1)
            name = relay.host if relay is not None else route.host
            level = self._level(name, route.tls)
            return Guide(name, level, secure=not await self._world.dns.validates())
        level = self._level(route.host, route.tls)
        written = parse_hop(route.host, 1)
        if level not in (Tls.OPPORTUNISTIC, Tls.DANE) or written is None or written.is_address:
            return Guide(route.host, level)
        proof = await self._world.dns.proof("mx", route.host)
        if level is Tls.DANE:
            return Guide(route.host, level, secure=proof.secure)
        found = await self._policies.find(route.host)
        policy = found.policy if found.policy is not None and found.policy.mode != "none" else None
        return Guide(route.host, level, policy, found.trouble, proof.secure)

    async def demand(self, guide: Guide, hop: Hop) -> Demand | NoCall:
        if guide.level not in (Tls.OPPORTUNISTIC, Tls.DANE):
            return Demand(guide.level, proven=guide.level is Tls.VERIFY)
        try:
            pins = await self._pins(guide, hop)
        except Unavailable as trouble:
            text = f"the TLSA records of {hop} cannot be had: {trouble.why}"
            return NoCall(hop, Reply(451, "4.7.5", text), "tls", "tls", "dnssec-invalid")
        if pins is not None and pins.records:
            return Demand(Tls.DANE, pins, "tlsa", proven=True)
        if guide.level is Tls.DANE:
            return NoCall(hop, NO_TLSA, "tls", "tls", "dane-required")
        if pins is not None:  # RFC 7672 2.2: none of them can be used, but they promise encryption
            return Demand(Tls.REQUIRED, policy="tlsa")
        return _by_policy(guide.policy, hop)

    async def _pins(self, guide: Guide, hop: Hop) -> Pins | None:
        """None without TLSA records. Asked only where all on the way is signed (RFC 7672 2.2.2)."""
        if not guide.secure or hop.name == hop.address:
            return None
        proof = await self._world.dns.proof("addresses", hop.name)
        if not proof.secure:
            return None
        for base in dict.fromkeys((proof.canonical, hop.name)):
            records = await self._world.dns.tlsa(f"_{hop.port}._tcp.{base}")
            if records:
                usable = tuple(record for record in records if record.usable)
                return Pins(usable, tuple(dict.fromkeys((base, hop.name, guide.domain))))
        return None

    def _level(self, name: str, otherwise: Tls) -> Tls:
        if otherwise is not Tls.OPPORTUNISTIC or not self._levels:
            return otherwise
        return Tls(level_of(name, self._levels) or otherwise)


def _by_policy(policy: Policy | None, hop: Hop) -> Demand | NoCall:
    """RFC 8461 5: enforce keeps mail from hosts that do not fit, testing keeps it from nobody."""
    if policy is None:
        return Demand(Tls.OPPORTUNISTIC, policy="no-policy-found")
    if policy.mode == "testing":
        return Demand(Tls.OPPORTUNISTIC, policy="sts", testing=True)
    if not policy.allows(hop.name):
        return NoCall(hop, NOT_LISTED, "tls", "tls", "validation-failure")
    return Demand(Tls.VERIFY, policy="sts", proven=True)


def level_of(name: str, levels: Mapping[str, str]) -> str:
    """The name itself, then the longest "*.ending" that it has, then "*"; "" when nothing is said of it."""
    small = {key.lower(): level for key, level in levels.items()}
    if name in small:
        return small[name]
    labels = name.split(".")
    endings = ("*." + ".".join(labels[place:]) for place in range(1, len(labels)))
    return next((small[ending] for ending in endings if ending in small), small.get("*", ""))
