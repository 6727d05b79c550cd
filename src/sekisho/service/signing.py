"""Signs letters as they leave for other hosts (DKIM), and seals what is sent on (ARC): after every rewriting,
so bounces, automatic replies and forwarded mail are signed too.

The vault holds the keys and gets digests only. Nothing is signed in the name of an author who is not known
to be ours: what a stranger brought is signed, if at all, by the domain that sends it on, and not even by
that if its From could be taken for that domain's own.
"""

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Protocol

from msgspec import Struct

from sekisho.mail import arc_seal, dkim_sign
from sekisho.mail.author import NoAuthor, authors
from sekisho.mail.canon import BodyHash
from sekisho.mail.dkim import Opened
from sekisho.mail.dkim_sign import Signer, Unsigned
from sekisho.mail.headers import fields_of, unfolded
from sekisho.mail.loops import delivered_to
from sekisho.mail.names import is_within
from sekisho.model.address import domain_of
from sekisho.model.config import Config
from sekisho.model.letter import Letter
from sekisho.service.channel import Channel, NotDone
from sekisho.service.messages import AskSigners, Signatures, SignDigests, Signers
from sekisho.service.opening import Source, opened
from sekisho.store.bounded import Bounded
from sekisho.world import World

SECOND = 1_000_000
SIGNERS_KEPT, SIGNED_KEPT = 4096, 1000
SIGNERS_FOR = 30 * SECOND
SIGNED_FOR = 3600 * SECOND
"""Other recipients of a letter, and its next tries, get the signatures that were made once."""

OF_OURS = ("bounce", "autoreply")
"""Who writes letters without a return path here (`Origin.listener`)."""

SEAL_ALGORITHM = "rsa-sha256"  # RFC 8617 4.1.3: the one that all verifiers know


class Directory(Protocol):
    def is_local_domain(self, domain: str) -> bool: ...


class Kept(Struct, frozen=True):
    until: int
    value: bytes


class Signing:
    def __init__(self, world: World, vault: Channel, directory: Directory, config: Config) -> None:
        self._world = world
        self._vault = vault
        self._directory = directory
        self._signers: Bounded[str, tuple[int, dict[str, str]]] = Bounded(SIGNERS_KEPT)
        self._signed: Bounded[str, Kept] = Bounded(SIGNED_KEPT)
        self.configure(config)

    def configure(self, config: Config) -> None:
        self._config = config
        self._trusted = [ip_network(name, strict=False) for name in config.trusted]
        self._signed.clear()
        self._signers.clear()

    async def fields(self, letter: Letter) -> bytes:
        """What stands above the letter from here on. Raises Unavailable when the vault does not answer."""
        if not self._config.dkim.sign or not self._may_concern(letter):
            return b""
        kept, now = self._signed.get(letter.message.id), self._world.clock.ticks()
        if kept is not None and kept.until > now:
            return kept.value
        try:
            value = await self._made(letter)
        except NotDone:  # an older vault
            return b""
        self._signed.put(letter.message.id, Kept(now + SIGNED_FOR, value))
        return value

    def _may_concern(self, letter: Letter) -> bool:
        """Without a look at the letter: most of what a relay passes on is not ours to sign."""
        envelope = letter.envelope
        if not envelope.sender or envelope.origin.account:
            return True
        return any(self._ours(domain_of(each)) for each in (envelope.sender, envelope.told))

    async def _made(self, letter: Letter) -> bytes:
        text = await opened(self._world, Source(letter.body, letter.path, letter.head))
        if not text.head.count(b"from"):
            return b""  # RFC 6376 5.4: nothing else may be left out
        author = authors(text.head, text.raw)
        domain = self._signing_domain(letter, author)
        signers = await self._signers_of(domain) if domain else {}
        if not signers:
            return b""
        hashed = BodyHash(b"relaxed")
        await text.hash_body((hashed,))
        digest, at_s = hashed.finish(), self._world.clock.now() // SECOND
        wanted = [
            dkim_sign.prepared(Signer(domain, selector, algorithm), text.head.fields, digest, at_s)
            for selector, algorithm in signers.items()
        ]
        signed = await self._finished(domain, list(signers), wanted)
        return await self._sealed(letter, text, domain, digest) + signed

    def _signing_domain(self, letter: Letter, author: tuple[str, ...] | NoAuthor) -> str:
        """ "" for a letter that we have no business to sign."""
        envelope, origin = letter.envelope, letter.envelope.origin
        written_by = author[0] if not isinstance(author, NoAuthor) and len(author) == 1 else ""
        if origin.address and not origin.account and not self._is_trusted(origin.address):
            return self._forwarding_domain(letter, author)
        if not envelope.sender:
            return self._known(written_by) if origin.listener in OF_OURS or not origin.address else ""
        sender = domain_of(envelope.sender)
        own = (sender, domain_of(origin.account))
        if written_by and (written_by in own or not origin.account) and self._known(written_by):
            return self._known(written_by)
        return self._known(sender) or self._known(own[1])

    def _forwarding_domain(self, letter: Letter, author: tuple[str, ...] | NoAuthor) -> str:
        """A stranger's letter: by the name of ours that sends it on, which must not seem to be its author."""
        if isinstance(author, NoAuthor):
            return ""
        through = delivered_to(letter.head)
        names = [letter.envelope.return_path, *through[:1]]
        domain = next((self._known(domain_of(name)) for name in names if self._known(domain_of(name))), "")
        if any(is_within(each, domain) or is_within(domain, each) for each in author):
            return ""
        return domain

    def _known(self, name: str) -> str:
        """The domain of ours that this name is, or is below."""
        labels = name.split(".") if name else []
        above = (".".join(labels[at:]) for at in range(max(0, len(labels) - 1)))
        return next((each for each in above if self._ours(each)), "")

    def _ours(self, domain: str) -> bool:
        return bool(domain) and self._directory.is_local_domain(domain)

    def _is_trusted(self, address: str) -> bool:
        ip = ip_address(address)
        return any(ip in network for network in self._trusted)

    async def _signers_of(self, domain: str) -> dict[str, str]:
        known, now = self._signers.get(domain), self._world.clock.ticks()
        if known is None or known[0] <= now:
            answer = await self._vault.ask(AskSigners(domain), Signers)
            known = (now + SIGNERS_FOR, answer.algorithms)
            self._signers.put(domain, known)
        return known[1]

    async def _finished(self, domain: str, selectors: Sequence[str], wanted: Sequence[Unsigned]) -> bytes:
        """A key that has gone meanwhile signs nothing."""
        items = tuple((selector, each.digest) for selector, each in zip(selectors, wanted, strict=True))
        answer = await self._vault.ask(SignDigests(domain, items), Signatures)
        pairs = zip(wanted, answer.values, strict=True)
        return b"".join(dkim_sign.finished(each, value) for each, value in pairs if value)

    async def _sealed(self, letter: Letter, text: Opened, domain: str, digest: bytes) -> bytes:
        """The next set of the chain, for what we have examined and send on; b"" for anything else."""
        results = self._results(letter)
        selector = next(
            (name for name, kind in (await self._signers_of(domain)).items() if kind == SEAL_ALGORITHM), ""
        )
        if not results or not selector:
            return b""
        chain = next((each for each in ("pass", "fail", "none") if f" arc={each}" in results), "")
        link = arc_seal.next_link(text.head.fields, chain) if chain else None
        if link is None:
            return b""
        signer, at_s = Signer(domain, selector, SEAL_ALGORITHM), self._world.clock.now() // SECOND
        said = arc_seal.results_field(link, results)
        wanted = arc_seal.message_signature(signer, link, text.head.fields, digest, at_s)
        message = await self._finished(domain, [selector], [wanted])
        if not message:
            return b""
        seal = arc_seal.seal(signer, link, said, message, at_s)
        finished = await self._finished(domain, [selector], [seal])
        return finished + message + said if finished else b""

    def _results(self, letter: Letter) -> str:
        """What we ourselves have written above the letter."""
        hostname = self._config.hostname.encode()
        for field in fields_of(letter.head) if letter.head else ():
            value = unfolded(field.value)
            if field.name == b"authentication-results" and value.startswith(hostname + b";"):
                return " ".join(value.decode("ascii", "replace").split())
        return ""
