"""What a domain should have in the DNS, word for word, and what it has: for `sekisho dns`.

What mail cannot do without is wanted; the rest makes it safer, or easier for mail programs.
"""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Literal

from msgspec import Struct

from sekisho.mail import spf
from sekisho.mail.dkim_key import Key, key_of
from sekisho.mail.dmarc_record import chosen
from sekisho.mail.mta_sts import record_id
from sekisho.model.config import Config
from sekisho.model.phrase import Phrase, phrase
from sekisho.net.resolver import Resolver
from sekisho.service.asking_names import DnsNames
from sekisho.service.founding import Record, txt_value
from sekisho.store.dkim_files import KeyFile
from sekisho.world import NotFound, Unavailable, World

STS_AGE_S = 7 * 86400
STS_ID_LETTERS = 20
SERVICES = {"submissions": ("_submissions._tcp", 465), "submission": ("_submission._tcp", 587)}
Verdict = Literal["right", "missing", "wrong", "unknown"]


class Advice(Struct, frozen=True):
    """`about` names the subject, as "SPF". `wanted`: mail suffers without it."""

    about: str
    record: Record
    wanted: bool = False


class Finding(Struct, frozen=True):
    advice: Advice
    verdict: Verdict
    found: str = ""


def policy_text(hostname: str) -> str:
    """What https://mta-sts.DOMAIN/.well-known/mta-sts.txt says (RFC 8461 3.2)."""
    return f"version: STSv1\r\nmode: testing\r\nmx: {hostname}\r\nmax_age: {STS_AGE_S}\r\n"


def advised(config: Config, domain: str, keys: list[KeyFile]) -> list[Advice]:
    return [*_needed(config, domain, keys), *_safer(config, domain), *_for_programs(config, domain)]


def _txt(name: str, value: str, why: Phrase) -> Record:
    return Record(f"{name}.", "TXT", txt_value(value), why)


def _needed(config: Config, domain: str, keys: list[KeyFile]) -> list[Advice]:
    host = config.hostname
    reports = f"v=DMARC1; p=none; rua=mailto:postmaster@{domain}"
    here, lent = (
        phrase("this machine's public address"),
        phrase("the name of that address, set by who lends it"),
    )
    comes, only = phrase("mail for the domain comes here"), phrase("only this server sends for the domain")
    signs = phrase("the public half of a key that signs mail of this domain")
    seen = phrase("others report what they see of the domain")
    return [
        Advice("A", Record(f"{host}.", "A", "", here), wanted=True),
        Advice("PTR", Record("", "PTR", f"{host}.", lent), wanted=True),
        Advice("MX", Record(f"{domain}.", "MX", f"10 {host}.", comes), wanted=True),
        Advice("SPF", _txt(domain, "v=spf1 mx -all", only), wanted=True),
        *(
            Advice(
                "DKIM", _txt(f"{key.selector}._domainkey.{domain}", key.record, signs), key.state == "signs"
            )
            for key in keys
        ),
        Advice("DMARC", _txt(f"_dmarc.{domain}", reports, seen), wanted=True),
    ]


def _safer(config: Config, domain: str) -> list[Advice]:
    policy = hashlib.sha256(policy_text(config.hostname).encode()).hexdigest()[:STS_ID_LETTERS]
    encrypted = phrase("mail comes encrypted; the policy below must be served too")
    failed = phrase("others report where encryption failed")
    reports = f"v=TLSRPTv1; rua=mailto:postmaster@{domain}"
    return [
        Advice("MTA-STS", _txt(f"_mta-sts.{domain}", f"v=STSv1; id={policy}", encrypted)),
        Advice("TLS-RPT", _txt(f"_smtp._tls.{domain}", reports, failed)),
    ]


def _for_programs(config: Config, domain: str) -> list[Advice]:
    host = config.hostname
    spoken = {listener.protocol for listener in config.listen.values()}
    why = phrase("mail programs find where to send (RFC 6186, RFC 8314)")
    found = [
        Advice("SRV", Record(f"{name}.{domain}.", "SRV", f"0 1 {port} {host}.", why))
        for protocol, (name, port) in SERVICES.items()
        if protocol in spoken
    ]
    configured = phrase("where mail programs look for settings, if a web server has them")
    found.append(Advice("autoconfig", Record(f"autoconfig.{domain}.", "CNAME", f"{host}.", configured)))
    if "letsencrypt.org" in config.acme.directory:
        why = phrase("nobody else makes certificates for this name")
        found.append(Advice("CAA", Record(f"{host}.", "CAA", '0 issue "letsencrypt.org"', why)))
    return found


class Examiner:
    """Asks the DNS about each, as others would."""

    def __init__(self, world: World, resolver: Resolver, config: Config, domain: str) -> None:
        self._world = world
        self._dns = resolver
        self._config = config
        self._domain = domain

    async def examine(self, advice: Advice) -> Finding:
        checks: dict[str, Callable[[Record], Awaitable[tuple[bool, str]]]] = {
            "A": self._address,
            "PTR": self._pointer,
            "MX": self._mx,
            "SPF": self._spf,
            "DKIM": self._dkim,
            "DMARC": self._dmarc,
            "MTA-STS": self._sts,
            "TLS-RPT": self._tls_rpt,
        }
        check = checks.get(advice.about, self._spelled)
        try:
            right, found = await check(advice.record)
        except NotFound:
            return Finding(advice, "missing")
        except Unavailable as trouble:
            return Finding(advice, "unknown", trouble.why)
        return Finding(advice, "right" if right else "wrong" if found else "missing", found)

    async def _address(self, record: Record) -> tuple[bool, str]:
        found = await self._dns.addresses(self._config.hostname)
        return bool(found), " ".join(found)

    async def _pointer(self, record: Record) -> tuple[bool, str]:
        """Every address of ours must say our name."""
        names: list[str] = []
        right = True
        for address in await self._dns.addresses(self._config.hostname):
            try:
                said = await self._dns.ptr(address)
            except NotFound:
                said = ()
            right = right and self._config.hostname.lower() in said
            names += [f"{address}: {' '.join(said) or '-'}"]
        return right and bool(names), "; ".join(names)

    async def _mx(self, record: Record) -> tuple[bool, str]:
        found = await self._dns.mx(self._domain)
        names = [host.name for host in found]
        return self._config.hostname.lower() in names, " ".join(names)

    async def _spf(self, record: Record) -> tuple[bool, str]:
        """Does it let our own addresses send? Other ways to say so are as good as ours."""
        said = " ".join(
            [text.decode("ascii", "replace") for text in await self._texts("v=spf1", self._domain)]
        )
        right = bool(said)
        for address in await self._dns.addresses(self._config.hostname):
            question = spf.Question(address, self._config.hostname, f"postmaster@{self._domain}")
            found = await spf.check(question, DnsNames(self._world))
            right = right and found.result == "pass"
        return right, said

    async def _dkim(self, record: Record) -> tuple[bool, str]:
        texts = await self._dns.txt(record.name.rstrip("."))
        wanted = key_of("".join(record.value.strip("( )").split('"')[1::2]).encode())
        found = [key_of(text) for text in texts]
        same = [
            each
            for each in found
            if isinstance(each, Key) and isinstance(wanted, Key) and each.public == wanted.public
        ]
        return len(found) == 1 and bool(same), " ".join(text.decode("ascii", "replace") for text in texts)[
            :80
        ]

    async def _dmarc(self, record: Record) -> tuple[bool, str]:
        texts = await self._texts("v=DMARC1", f"_dmarc.{self._domain}")
        return chosen(texts) is not None, " ".join(text.decode("ascii", "replace") for text in texts)

    async def _sts(self, record: Record) -> tuple[bool, str]:
        texts = await self._texts("v=STSv1", f"_mta-sts.{self._domain}")
        return bool(record_id(texts)), " ".join(text.decode("ascii", "replace") for text in texts)

    async def _tls_rpt(self, record: Record) -> tuple[bool, str]:
        texts = await self._texts("v=TLSRPTv1", f"_smtp._tls.{self._domain}")
        return len(texts) == 1 and b"rua=" in texts[0], " ".join(
            text.decode("ascii", "replace") for text in texts
        )

    async def _spelled(self, record: Record) -> tuple[bool, str]:
        found = await self._dns.spelled(record.name.rstrip("."), record.kind)
        return record.value.lower() in [each.lower() for each in found], " ".join(found)

    async def _texts(self, start: str, name: str) -> list[bytes]:
        found = await self._dns.txt(name)
        return [text for text in found if text[: len(start)].lower() == start.lower().encode()]
