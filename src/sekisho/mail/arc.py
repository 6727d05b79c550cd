"""ARC (RFC 8617): whether the results that forwarders found on a letter's way can be believed.

A chain is one set of three fields for each of them. It is hashed once from its first set to its last.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from sekisho.mail import tags
from sekisho.mail.canon import relaxed_field
from sekisho.mail.dkim import BodyHashes, Dkim, Opened, verdict
from sekisho.mail.dkim_field import (
    Malformed,
    Signature,
    bare_signature_of,
    head_digest,
    signature_of,
    signed_fields,
    unsigned,
)
from sekisho.mail.headers import Field, Head
from sekisho.mail.names import Names

SETS_MAX = 50  # RFC 8617 4.2.1
RESULTS, SIGNATURE, SEAL = b"arc-authentication-results", b"arc-message-signature", b"arc-seal"
KINDS = (RESULTS, SIGNATURE, SEAL)

_INSTANCE = re.compile(rb"[ \t\r\n]*+i[ \t\r\n]*+=[ \t\r\n]*+([0-9]{1,3})[ \t\r\n]*+;")


class Arc(Struct, frozen=True):
    """`result` is none, pass or fail, or temperror where the DNS did not answer. `sets` is how many there
    are, `domains` who made them, the first one first.
    """

    result: str
    sets: int = 0
    why: str = ""
    domains: tuple[str, ...] = ()


class Set(Struct, frozen=True):
    """`claim` is cv=: what the one who sealed found."""

    results: Field
    signed: Field
    seal: Field
    signature: Signature
    sealing: Signature
    claim: bytes


async def check(letter: Opened, names: Names) -> Arc:
    found = chain_of(letter.head)
    if isinstance(found, str):
        return Arc("fail" if found else "none", why=found)
    domains = tuple(each.sealing.domain for each in found)
    known = _Remembering(names)
    newest = found[-1]
    result = await _message(letter, newest, known)
    if result.result != "pass":
        return Arc(_result(result), len(found), f"i={len(found)} message signature: {result.why}", domains)
    digests = _digests(found)
    for number in range(len(found), 0, -1):
        result = await verdict(found[number - 1].sealing, digests[number - 1], known)
        if result.result != "pass":
            return Arc(_result(result), len(found), f"i={number} seal: {result.why}", domains)
    return Arc("pass", len(found), "", domains)


def chain_of(head: Head) -> "list[Set] | str":
    """The sets in order, or why they are no chain; "" for a letter without any (RFC 8617 5.2, 1 to 3)."""
    given: dict[bytes, dict[int, Field]] = {kind: {} for kind in KINDS}
    for field in head.fields:
        if field.name in given:
            number = _instance(field)
            if not 1 <= number <= SETS_MAX:
                return f"{field.name.decode()} without a number that may be"
            if number in given[field.name]:
                return f"{field.name.decode()} i={number} twice"
            given[field.name][number] = field
    count = max(len(fields) for fields in given.values())
    if not count:
        return ""
    if any(set(fields) != set(range(1, count + 1)) for fields in given.values()):
        return "a set is not whole"
    return _sets(given, count)


def _sets(given: Mapping[bytes, Mapping[int, Field]], count: int) -> list[Set] | str:
    sets: list[Set] = []
    for number in range(1, count + 1):
        results, signed, seal = (given[kind][number] for kind in KINDS)
        signature = signature_of(signed.value, versioned=False)
        sealing = bare_signature_of(seal.value)
        if isinstance(signature, Malformed):
            return f"i={number} message signature: {signature.why}"
        if isinstance(sealing, Malformed):
            return f"i={number} seal: {sealing.why}"
        if SEAL in signature.names:
            return f"i={number} message signature: it signs seals"
        claim = _claim(seal)
        if claim != (b"none" if number == 1 else b"pass"):  # RFC 8617 5.2, 3
            return f"i={number} seal: cv={claim.decode('ascii', 'replace')[:20]}"
        sets.append(Set(results, signed, seal, signature, sealing, claim))
    return sets


def _instance(field: Field) -> int:
    """0 where there is none. In results it stands first and nowhere else (RFC 8617 4.1.1)."""
    if field.name == RESULTS:
        found = _INSTANCE.match(field.value)
        return int(found[1]) if found else 0
    given = tags.parsed(field.value)
    if isinstance(given, tags.TagError):
        return 0
    number = tags.number_of(given.get(b"i", b""))
    return number if number is not None and number <= SETS_MAX else 0


def sets_in(fields: Sequence[Field]) -> tuple[int, tuple[Field, ...], bytes]:
    """The highest number of a set, the fields of all sets in the order in which they are sealed, and what the
    last seal claims.
    """
    numbered = [(_instance(field), KINDS.index(field.name), field) for field in fields if field.name in KINDS]
    numbered.sort(key=lambda each: each[:2])
    count = max((number for number, _, _ in numbered), default=0)
    claims = [_claim(field) for number, kind, field in numbered if (number, kind) == (count, 2)]
    return count, tuple(field for _, _, field in numbered), claims[0] if claims else b""


def _claim(seal: Field) -> bytes:
    given = tags.parsed(seal.value)
    return b"" if isinstance(given, tags.TagError) else given.get(b"cv", b"")


async def _message(letter: Opened, newest: Set, names: Names) -> Dkim:
    signature = newest.signature
    digest, size = (await BodyHashes.made(letter, [signature])).of(signature)
    if digest != signature.body_hash or (signature.length or 0) > size:
        return Dkim("fail", why="the body has been changed")
    taken = signed_fields(signature.names, letter.head.fields, newest.signed)
    return await verdict(signature, head_digest(signature, newest.signed, taken, letter.raw, {}), names)


def _digests(sets: list[Set]) -> list[bytes]:
    """What each seal signs: all sets before it, and its own without the value of its b= (RFC 8617 5.1.1)."""
    hashed, found = hashlib.sha256(), []
    for each in sets:
        for field in (each.results, each.signed):
            hashed.update(relaxed_field(field.name, field.value) + b"\r\n")
        own = hashed.copy()
        own.update(relaxed_field(SEAL, unsigned(each.seal.value)))
        found.append(own.digest())
        hashed.update(relaxed_field(SEAL, each.seal.value) + b"\r\n")
    return found


def _result(found: Dkim) -> str:
    return "temperror" if found.result == "temperror" else "fail"


class _Remembering:
    """A chain names few keys, many times."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._texts: dict[str, tuple[bytes, ...] | None] = {}

    async def texts(self, name: str) -> tuple[bytes, ...] | None:
        if name not in self._texts:
            self._texts[name] = await self._names.texts(name)
        return self._texts[name]

    async def mail_hosts(self, name: str) -> tuple[str, ...] | None:
        return await self._names.mail_hosts(name)

    async def addresses(self, name: str, family: int) -> tuple[str, ...] | None:
        return await self._names.addresses(name, family)

    async def hosts_of(self, address: str) -> tuple[str, ...] | None:
        return await self._names.hosts_of(address)
