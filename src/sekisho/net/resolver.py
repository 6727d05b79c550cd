"""The Dns door: dnspython's asynchronous resolver with EDNS0 and TCP for large answers, behind a bounded
cache.

Only NXDOMAIN is a certain no (NotFound). SERVFAIL, a timeout and a server that is not there are
Unavailable, and are remembered for a moment too, so that a dead resolver is not asked once for each of a
thousand letters. ANY is never asked (RFC 8482).
"""

import asyncio
from collections.abc import Sequence

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.rdatatype
import dns.resolver
import dns.reversename
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.PTR import PTR
from dns.rdtypes.ANY.TXT import TXT
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from msgspec import Struct

from sekisho.world import Clock, MxHost, NotFound, Unavailable

LIFETIME_S = 20.0
"""Longest wait for one answer, all servers and retries together."""

TRIES = 5
"""A server that does not answer is asked again, or another one, after this share of the lifetime."""

PAYLOAD_BYTES = 1232
"""EDNS0 buffer: what passes without fragments everywhere; larger answers come over TCP."""

CACHE_ENTRIES = 10_000
TTL_MIN_S, TTL_MAX_S = 1, 3600
NOTHING_S = 60
"""How long "no such name" and "no such record" are believed, at most (RFC 2308 5)."""

FAILURE_S = 5
RECORDS_MAX = 500
"""Records used of one answer; the rest of a longer one is forgotten."""

SECOND = 1_000_000
PORT = 53

Record = MX | PTR | TXT | A | AAAA


class Known(Struct, frozen=True):
    """A remembered answer. `failure` is "" for a real one, else why there was none; `name` False is
    NXDOMAIN.
    """

    until: int
    records: tuple[Record, ...] = ()
    name: bool = True
    failure: str = ""


class Resolver:
    """`servers` as in `outbound.resolver`: "IP", "IP:PORT" or "[IPV6]:PORT"; empty: those of the system."""

    def __init__(
        self,
        clock: Clock,
        servers: Sequence[str] = (),
        *,
        lifetime_s: float = LIFETIME_S,
        entries: int = CACHE_ENTRIES,
    ) -> None:
        self._clock = clock
        self._entries = entries
        self._cache: dict[tuple[str, str], Known] = {}
        self._asking: dict[tuple[str, str], asyncio.Lock] = {}
        self._resolver = _resolver(servers, lifetime_s)

    async def mx(self, domain: str) -> Sequence[MxHost]:
        """RFC 7505: the null MX is a host with the name ""."""
        found = await self._ask(domain, "MX")
        return [MxHost(each.preference, _name(each.exchange)) for each in found if isinstance(each, MX)]

    async def addresses(self, name: str) -> Sequence[str]:
        """IPv4 before IPv6. One family that cannot be asked is no trouble as long as the other has an
        answer.
        """
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

    async def _ask(self, name: str, kind: str) -> tuple[Record, ...]:
        key = (name.lower(), kind)
        known = self._remembered(key)
        if known is None:
            known = await self._ask_once(key)
        if known.failure:
            raise Unavailable("dns", known.failure)
        if not known.name:
            raise NotFound(name)
        return known.records

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
        except dns.resolver.NXDOMAIN:
            return self._known(NOTHING_S, name=False)
        except (dns.exception.SyntaxError, ValueError):
            return self._known(NOTHING_S, name=False)  # not a name: no such name can exist
        except (dns.exception.DNSException, OSError) as error:
            return self._known(FAILURE_S, failure=f"{kind} of {name}: {type(error).__name__}")
        if answer.rrset is None:
            return self._known(NOTHING_S)
        ttl_s = min(max(int(answer.rrset.ttl), TTL_MIN_S), TTL_MAX_S)
        return self._known(ttl_s, tuple(list(answer.rrset)[:RECORDS_MAX]))

    def _known(
        self, for_s: int, records: tuple[Record, ...] = (), *, name: bool = True, failure: str = ""
    ) -> Known:
        return Known(self._clock.ticks() + for_s * SECOND, records, name, failure)


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
    return resolver


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
