"""What one letter proves about where it comes from: asked once in a transaction, told in fields above the
letter.
"""

from ipaddress import ip_address, ip_network

from msgspec import Struct

from sekisho.checks.ask import AskedSpf, Client
from sekisho.mail import spf
from sekisho.mail.spf import Question, Spf
from sekisho.mail.spf_field import received_spf
from sekisho.mail.spf_record import Term, local_terms
from sekisho.model.config import Config
from sekisho.service.asking_names import DnsNames
from sekisho.world import World

SECOND = 1_000_000


class Terms(Struct, frozen=True):
    """The settings, made ready. `networks`: the smallest first."""

    config: Config
    networks: tuple[tuple[object, int], ...] = ()
    rules: tuple[Term, ...] = ()
    guess: bytes = b""

    def level(self, address: str) -> int:
        if not self.networks:
            return self.config.spf.level
        ip = ip_address(address)
        for network, level in self.networks:
            if ip in network:  # type: ignore[operator]
                return level
        return self.config.spf.level


def terms_of(config: Config) -> Terms:
    networks = [(ip_network(name), level) for name, level in config.spf.networks.items()]
    networks.sort(key=lambda each: -each[0].prefixlen)
    return Terms(config, tuple(networks), local_terms(config.spf.rules), config.spf.guess.encode())


class Proving:
    """One for each session. `begin` at MAIL; what was found is forgotten with the transaction."""

    __slots__ = ("_asked", "_client", "_question", "_sender", "_spf", "_terms", "_world")

    def __init__(self, world: World) -> None:
        self._world = world
        self._client: Client | None = None
        self._spf: AskedSpf | None = None
        self._question: Question | None = None

    def begin(self, terms: Terms, client: Client, sender: str) -> None:
        self._terms, self._client, self._sender = terms, client, sender

    def forget(self) -> None:
        self._client = self._spf = self._question = None

    async def spf(self) -> AskedSpf | None:
        """None where the settings do not want it asked of this client."""
        client = self._client
        if client is None or client.known or not client.address:
            return None
        if self._spf is None and (level := self._terms.level(client.address)):
            self._spf = await self._ask_spf(level, client)
        return self._spf

    async def _ask_spf(self, level: int, client: Client) -> AskedSpf:
        terms = self._terms
        question = Question(
            client.address,
            client.helo,
            self._sender,
            terms.config.hostname,
            self._world.clock.now() // SECOND,
            terms.rules,
            terms.guess,
        )
        found = await spf.check(question, DnsNames(self._world))
        self._question = question
        return AskedSpf(level, found, self._explained(question, found))

    def _explained(self, question: Question, found: Spf) -> str:
        if found.explanation:  # RFC 7208 6.2: whose words these are
            return f"{found.domain} explains: {found.explanation[:spf.EXPLANATION_BYTES]}"
        return spf.own_explanation(self._terms.config.spf.explanation, question)

    def fields(self) -> bytes:
        """Above our own Received field (RFC 7208 9.1)."""
        if self._spf is None or self._question is None:
            return b""
        return received_spf(self._question, self._spf.spf)
