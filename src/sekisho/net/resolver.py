"""The Dns door: dnspython's asynchronous resolver with EDNS0 and TCP for large answers, behind a bounded
cache.

Only NXDOMAIN is a certain no (NotFound). SERVFAIL, a timeout and a server that is not there are
Unavailable, and are remembered for a moment too, so that a dead resolver is not asked once for each of a
thousand letters. ANY is never asked (RFC 8482).

DNSSEC is validated by the resolver, not here: its AD flag is believed only when the settings name a probe,
all servers are on this machine, and the probe has come back validated (RFC 7672 2.1.1, RFC 4035 4.9.3).
"""

import asyncio
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Literal

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.nameserver
import dns.rdatatype
import dns.resolver
import dns.reversename
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.PTR import PTR
from dns.rdtypes.ANY.SOA import SOA
from dns.rdtypes.ANY.TLSA import TLSA
from dns.rdtypes.ANY.TXT import TXT
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from msgspec import Struct

from sekisho.mail.tlsa import Tlsa
from sekisho.world import Clock, MxHost, NotFound, Proof, Unavailable

LIFETIME_S = 20.0
"""Longest wait for one answer, all servers and retries together."""

TRIES = 5
"""A server that does not answer is asked again, or another one, after this share of the lifetime."""

PAYLOAD_BYTES = 1232
"""EDNS0 buffer: what passes without fragments everywhere; larger answers come over TCP."""

CACHE_ENTRIES = 10_000
TTL_MIN_S, TTL_MAX_S = 1, 3600
NOTHING_S, NOTHING_MAX_S = 60, 900
"""How long "no such name" and "no such record" are believed: as the zone says, up to the second; without a
word of it the first (RFC 2308 5).
"""

PROVEN_S, UNPROVEN_S = 3600, 60
"""How long the result of the probe is believed."""

FAILURE_S = 5
RECORDS_MAX = 500
"""Records used of one answer; the rest of a longer one is forgotten."""

SECOND = 1_000_000
PORT = 53

Record = MX | PTR | TXT | A | AAAA | TLSA | SOA


class Known(Struct, frozen=True):
    """A remembered answer. `failure` is "" for a real one, else why there was none; `name` False is
    NXDOMAIN; `secure`: the resolver has validated it; `canonical` stands behind all aliases.
    """

    until: int
    records: tuple[Record, ...] = ()
    name: bool = True
    failure: str = ""
    secure: bool = False
    canonical: str = ""


class Resolver:
    """`servers` as in `outbound.resolver`: "IP", "IP:PORT" or "[IPV6]:PORT"; empty: those of the system.

    `probe` is a signed name whose SOA record must come back validated; "" means that nobody validates for us.
    """

    def __init__(
        self,
        clock: Clock,
        servers: Sequence[str] = (),
        *,
        probe: str = "",
        lifetime_s: float = LIFETIME_S,
        entries: int = CACHE_ENTRIES,
    ) -> None:
        self._clock = clock
        self._entries = entries
        self._lifetime_s = lifetime_s
        self._asking: dict[tuple[str, str], asyncio.Lock] = {}
        self.configure(servers, probe)

    def configure(self, servers: Sequence[str], probe: str) -> None:
        """Other servers may answer otherwise: nothing is remembered. What is being asked is answered."""
        self._cache: dict[tuple[str, str], Known] = {}
        self._resolver = _resolver(servers, self._lifetime_s)
        self._probe = probe
        self._proven = (0, "the settings name no probe")

    async def mx(self, domain: str) -> Sequence[MxHost]:
        """RFC 7505: the null MX is a host with the name ""."""
        found = await self._ask(domain, "MX")
        return [MxHost(each.preference, _name(each.exchange)) for each in found if isinstance(each, MX)]

    async def addresses(self, name: str, family: int = 0) -> Sequence[str]:
        """IPv4 before IPv6. One family that cannot be asked is no trouble as long as the other has an
        answer.
        """
        if family:
            known = await self._ask(name, "A" if family == 4 else "AAAA")
            return [str(each.address) for each in known if isinstance(each, A | AAAA)]
        answers = await asyncio.gather(self._ask(name, "A"), self._ask(name, "AAAA"), return_exceptions=True)
        found = [each for answer in answers if isinstance(answer, tuple) for each in answer]
        addresses = [str(each.address) for each in found if isinstance(each, A | AAAA)]
        troubles = [answer for answer in answers if isinstance(answer, BaseException)]
        if troubles and not addresses:
            raise next((each for each in troubles if not isinstance(each, NotFound)), troubles[0])
        return addresses

    async def txt(self, name: str) -> Sequence[bytes]:
        """The strings of a record belong together (RFC 7208 3.3)."""
        return [b"".join(each.strings) for each in await self._ask(name, "TXT") if isinstance(each, TXT)]

    async def ptr(self, address: str) -> Sequence[str]:
        name = dns.reversename.from_address(address).to_text()
        return [_name(each.target) for each in await self._ask(name, "PTR") if isinstance(each, PTR)]

    async def spelled(self, name: str, kind: str) -> Sequence[str]:
        """Records of any kind as zone files write them."""
        return [record.to_text() for record in await self._ask(name, kind)]

    async def validates(self) -> str:
        if not self._probe:
            return self._proven[1]
        now = self._clock.ticks()
        if now >= self._proven[0]:
            why = await self._tried()
            self._proven = (now + (UNPROVEN_S if why else PROVEN_S) * SECOND, why)
        return self._proven[1]

    async def _tried(self) -> str:
        if self._resolver is None:
            return "no resolver is configured"
        if not all(_is_local(str(server)) for server in self._resolver.nameservers):
            return "a resolver is not on this machine"
        known = await self._query(self._probe, "SOA")
        if known.failure:
            return known.failure
        return "" if known.secure and known.records else f"{self._probe} does not come back validated"

    async def proof(self, kind: Literal["mx", "addresses"], name: str) -> Proof:
        if await self.validates():
            return Proof(False, name)
        answers = [await self._known_of(name, each) for each in _KINDS[kind]]
        answers = [each for each in answers if not each.failure]
        canonical = next((each.canonical for each in answers if each.records), name)
        return Proof(bool(answers) and all(each.secure for each in answers), canonical or name)

    async def tlsa(self, name: str) -> Sequence[Tlsa]:
        if await self.validates():
            return ()
        known = await self._known_of(name, "TLSA")
        if known.failure:
            raise Unavailable("dns", known.failure)
        if not known.secure:
            return ()
        found = [each for each in known.records if isinstance(each, TLSA)]
        return [Tlsa(each.usage, each.selector, each.mtype, each.cert) for each in found]

    async def _ask(self, name: str, kind: str) -> tuple[Record, ...]:
        known = await self._known_of(name, kind)
        if known.failure:
            raise Unavailable("dns", known.failure)
        if not known.name:
            raise NotFound(name)
        return known.records

    async def _known_of(self, name: str, kind: str) -> Known:
        key = (name.lower(), kind)
        return self._remembered(key) or await self._ask_once(key)

    async def _ask_once(self, key: tuple[str, str]) -> Known:
        """Whoever asks the same at the same time waits for the one answer."""
        lock = self._asking.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                known = self._remembered(key)
                if known is None:
                    known = await self._query(*key)
                    self._remember(key, known)
                return known
        finally:
            if not lock.locked():
                self._asking.pop(key, None)

    def _remembered(self, key: tuple[str, str]) -> Known | None:
        known = self._cache.get(key)
        return known if known is not None and known.until > self._clock.ticks() else None

    def _remember(self, key: tuple[str, str], known: Known) -> None:
        self._cache.pop(key, None)
        if len(self._cache) >= self._entries:
            del self._cache[next(iter(self._cache))]
        self._cache[key] = known

    async def _query(self, name: str, kind: str) -> Known:
        ask = self._resolver
        if ask is None:
            return self._known(FAILURE_S, failure="no resolver is configured")
        try:
            answer = await ask.resolve(name, kind, search=False, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN as error:
            response = next(iter(error.kwargs["responses"].values()), None)
            return self._nothing(response, name=False)
        except (dns.exception.SyntaxError, ValueError):
            return self._known(NOTHING_S, name=False)  # not a name: no such name can exist
        except (dns.exception.DNSException, OSError) as error:
            return self._known(FAILURE_S, failure=f"{kind} of {name}: {type(error).__name__}")
        if answer.rrset is None:
            return self._nothing(answer.response, name=True)
        ttl_s = min(max(int(answer.chaining_result.minimum_ttl), TTL_MIN_S), TTL_MAX_S)
        records = tuple(list(answer.rrset)[:RECORDS_MAX])
        secure = bool(answer.response.flags & dns.flags.AD)
        return Known(self._until(ttl_s), records, secure=secure, canonical=_name(answer.canonical_name))

    def _nothing(self, response: dns.message.Message | None, *, name: bool) -> Known:
        """RFC 2308 5: the zone's SOA says for how long."""
        said = [
            min(int(rrset.ttl), rrset[0].minimum)
            for rrset in (response.authority if response is not None else ())
            if rrset.rdtype == dns.rdatatype.SOA
        ]
        for_s = min(max(said[0], TTL_MIN_S), NOTHING_MAX_S) if said else NOTHING_S
        secure = response is not None and bool(response.flags & dns.flags.AD)
        return Known(self._until(for_s), name=name, secure=secure)

    def _known(self, for_s: int, *, name: bool = True, failure: str = "") -> Known:
        return Known(self._until(for_s), (), name, failure)

    def _until(self, for_s: int) -> int:
        return self._clock.ticks() + for_s * SECOND


def _resolver(servers: Sequence[str], lifetime_s: float) -> dns.asyncresolver.Resolver | None:
    try:
        resolver = dns.asyncresolver.Resolver(configure=not servers)
    except dns.resolver.NoResolverConfiguration:
        return None
    if servers:
        resolver.nameservers = [dns.nameserver.Do53Nameserver(*_server(each)) for each in servers]
    resolver.cache = None
    resolver.timeout = lifetime_s / TRIES
    resolver.lifetime = lifetime_s
    resolver.use_edns(0, 0, PAYLOAD_BYTES)
    resolver.set_flags(dns.flags.RD | dns.flags.AD)  # RFC 6840 5.7: tell us whether it was validated
    return resolver


_KINDS = {"mx": ("MX",), "addresses": ("A", "AAAA")}


def _is_local(server: str) -> bool:
    """What comes over any network can be forged on its way (RFC 7672 2.1.1)."""
    address = server.removeprefix("Do53:").partition("@")[0]
    try:
        return ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def _server(text: str) -> tuple[str, int]:
    if text.startswith("["):
        address, _, port = text[1:].partition("]")
        return address, int(port.lstrip(":") or PORT)
    if text.count(":") == 1:
        address, _, port = text.partition(":")
        return address, int(port)
    return text, PORT


def _name(name: object) -> str:
    return str(name).rstrip(".").lower()
