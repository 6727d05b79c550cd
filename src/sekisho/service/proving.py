"""What one letter proves about where it comes from: asked once in a transaction, told in fields above the
letter.
"""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from msgspec import Struct

from sekisho.checks.ask import AskedDkim, AskedDmarc, AskedSpf, Client
from sekisho.mail import arc, authres, dkim, dmarc, spf
from sekisho.mail.arc import Arc
from sekisho.mail.author import authors
from sekisho.mail.dkim import Dkim, Opened
from sekisho.mail.dmarc import Dmarc
from sekisho.mail.spf import Question, Spf
from sekisho.mail.spf_field import received_spf
from sekisho.mail.spf_record import Term, local_terms
from sekisho.model.config import Config
from sekisho.service.asking_names import DnsNames
from sekisho.service.opening import Source, opened, source_of
from sekisho.store.bodies import BigBody
from sekisho.world import World

SECOND = 1_000_000
PERCENT_BITS = 20
"""Of chance, for pct=: every percentile is as probable as any other, within a millionth."""


class Terms(Struct, frozen=True):
    """The settings, made ready. `networks`: the smallest first."""

    config: Config
    networks: tuple[tuple[Any, int], ...] = ()
    rules: tuple[Term, ...] = ()
    guess: bytes = b""

    def level(self, address: str) -> int:
        if self.networks:
            ip = ip_address(address)
            for network, level in self.networks:
                if ip in network:
                    return level
        return self.config.spf.level

    @property
    def verifies(self) -> bool:
        return self.config.dkim.verify or self.judges

    @property
    def judges(self) -> bool:
        return self.config.dmarc.policy != "off"


def terms_of(config: Config) -> Terms:
    networks = [(ip_network(name), level) for name, level in config.spf.networks.items()]
    networks.sort(key=lambda each: -each[0].prefixlen)
    return Terms(config, tuple(networks), local_terms(config.spf.rules), config.spf.guess.encode())


class Found(Struct):
    """What has been asked of one letter so far: SPF, the signatures, the chain of seals, DMARC."""

    client: Client
    sender: str
    terms: Terms
    question: Question | None = None
    sent: Spf | None = None
    kept: Source | None = None
    letter: Opened | None = None
    signed: tuple[Dkim, ...] | None = None
    chain: Arc | None = None
    judged: Dmarc | None = None


class Proving:
    """One for each session. `begin` at MAIL; what was found is forgotten with the transaction."""

    __slots__ = ("_found", "_world")

    def __init__(self, world: World) -> None:
        self._world = world
        self._found: Found | None = None

    def begin(self, terms: Terms, client: Client, sender: str) -> None:
        """Only strangers have to prove anything."""
        self._found = None if client.known or not client.address else Found(client, sender, terms)

    def arrived(self, kept: tuple[bytes, ...] | BigBody) -> None:
        if self._found is not None:
            self._found.kept = source_of(kept)

    def forget(self) -> None:
        self._found = None

    async def spf(self) -> AskedSpf | None:
        """None where the settings do not want it asked of this client."""
        found = self._found
        level = found.terms.level(found.client.address) if found is not None else 0
        if found is None or not level:
            return None
        result = await self._spf(found)
        return AskedSpf(level, result, self._explained(found, result))

    async def dkim(self) -> AskedDkim | None:
        found = self._found
        if found is None or not found.terms.config.dkim.verify:
            return None
        acts: Mapping[Any, str] = found.terms.config.dkim.results
        return AskedDkim(await self._dkim(found), acts)

    async def dmarc(self) -> AskedDmarc | None:
        found = self._found
        if found is None or not found.terms.judges:
            return None
        settings, letter = found.terms.config.dmarc, await self._letter(found)
        proven = dmarc.Proven(await self._spf(found), await self._dkim(found))
        percentile = self._world.chance.bits(PERCENT_BITS) % 100
        author = authors(letter.head, letter.raw)
        if found.judged is None:
            found.judged = await dmarc.check(author, proven, self._names(), percentile)
        return AskedDmarc(
            found.judged, settings.policy == "obey", settings.quarantine, await self._excused(found)
        )

    def fields(self) -> bytes:
        """Above our own Received field (RFC 7208 9.1, RFC 8601 4.1)."""
        found = self._found
        if found is None:
            return b""
        results, above = [], b""
        if found.sent is not None and found.question is not None:
            results.append(authres.spf_result(found.question, found.sent))
            above = received_spf(found.question, found.sent)
        if found.signed is not None:
            results += authres.dkim_results(found.signed)
        if found.judged is not None:
            results.append(authres.dmarc_result(found.judged))
        if found.chain is not None:
            results.append(authres.arc_result(found.chain))
        return above + authres.results_field(found.terms.config.hostname, results) if results else b""

    def _names(self) -> DnsNames:
        return DnsNames(self._world)

    async def _spf(self, found: Found) -> Spf:
        if found.sent is None:
            terms = found.terms
            found.question = Question(
                found.client.address,
                found.client.helo,
                found.sender,
                terms.config.hostname,
                self._world.clock.now() // SECOND,
                terms.rules,
                terms.guess,
            )
            found.sent = await spf.check(found.question, self._names())
        return found.sent

    async def _letter(self, found: Found) -> Opened:
        assert found.kept is not None, "it is asked about only when it has arrived"
        if found.letter is None:
            found.letter = await opened(self._world, found.kept)
        return found.letter

    async def _dkim(self, found: Found) -> tuple[Dkim, ...]:
        """And the chain of seals, which an honest forwarder leaves together with it."""
        if found.signed is None:
            letter, now_s = await self._letter(found), self._world.clock.now() // SECOND
            found.signed = await dkim.check(letter, self._names(), now_s)
            found.chain = await arc.check(letter, self._names())
        return found.signed

    async def _excused(self, found: Found) -> str:
        """Who is trusted to have broken it honestly."""
        trusted = found.terms.config.dmarc.trusted_sealers
        chain = found.chain
        if not trusted or chain is None or chain.result != "pass":
            return ""
        return chain.domains[-1] if all(each in trusted for each in chain.domains) else ""

    def _explained(self, found: Found, result: Spf) -> str:
        if result.explanation:  # RFC 7208 6.2: whose words these are
            return f"{result.domain} explains: {result.explanation[: spf.EXPLANATION_BYTES]}"
        assert found.question is not None, "it has been asked"
        return spf.own_explanation(found.terms.config.spf.explanation, found.question)
