"""DKIM (RFC 6376, 8301, 8463): which domains answer for a letter, as their signatures prove.

Pure: keys are asked of `Names`, the body is hashed once for each form and length that a signature wants.
"""

from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct

from sekisho.mail.canon import BodyHash
from sekisho.mail.dkim_field import Malformed, Signature, head_digest, signature_of, signed_fields
from sekisho.mail.dkim_key import NoKey, chosen
from sekisho.mail.headers import Field, Head
from sekisho.mail.names import Names, Silent
from sekisho.mail.tags import base64_of

SIGNATURES_MAX = 10
"""Further signatures of one letter are not looked at."""

SKEW_S = 12 * 3600
"""How far in the future a signature may be made: clocks that take local time for UTC are that wrong."""

SINGLE = frozenset(
    {b"from", b"sender", b"reply-to", b"to", b"cc", b"message-id", b"subject", b"date", b"in-reply-to"}
)
"""Fields of which a letter has one (RFC 5322 3.6): with a second one, readers differ in which they show."""

BLOCK_BYTES = 64 * 1024
"""How much of a body is rewritten at once: the canonical form of a large letter is never whole in memory."""

NAME = b"dkim-signature"


class Dkim(Struct, frozen=True):
    """`result` as in RFC 8601 2.7.1; "policy": it verifies, and does not count, because somebody has added to
    what it signs.
    """

    result: str
    domain: str = ""
    identity: str = ""
    selector: str = ""
    algorithm: str = ""
    bits: int = 0
    mark: str = ""
    why: str = ""


class Opened(Struct, frozen=True):
    """A letter to be verified: the bytes of its head, their fields, and how its body hashes.

    `hash_body` gets hashers and feeds them all with the whole body. Nothing in it is dot-stuffed.
    """

    raw: bytes
    head: Head
    hash_body: Callable[[Sequence[BodyHash]], Awaitable[None]]


def opened(raw: bytes, head: Head, body: bytes) -> Opened:
    async def feed(hashers: Sequence[BodyHash]) -> None:
        for at in range(0, len(body), BLOCK_BYTES):
            block = body[at : at + BLOCK_BYTES]
            for hasher in hashers:
                hasher.update(block)

    return Opened(raw, head, feed)


class BodyHashes:
    """The digests that signatures want, made in one pass over the body; and the `fields` that they share."""

    def __init__(self, found: dict[tuple[bytes, int | None], tuple[bytes, int]]) -> None:
        self.fields: dict[int, bytes] = {}
        self._found = found

    @classmethod
    async def made(cls, letter: Opened, signatures: Sequence[Signature | Malformed]) -> "BodyHashes":
        wanted = {(each.body_form, each.length) for each in signatures if isinstance(each, Signature)}
        hashers = {place: BodyHash(*place) for place in sorted(wanted, key=repr)}
        if hashers:
            await letter.hash_body(tuple(hashers.values()))
        return cls({place: (hasher.finish(), hasher.size) for place, hasher in hashers.items()})

    def of(self, signature: Signature) -> tuple[bytes, int]:
        """The digest, and the size of the whole body in that form."""
        return self._found[signature.body_form, signature.length]


def signatures_of(head: Head) -> list[tuple[Field, Signature | Malformed]]:
    fields = [field for field in head.fields if field.name == NAME][:SIGNATURES_MAX]
    return [(field, signature_of(field.value)) for field in fields]


async def check(letter: Opened, names: Names, now_s: int) -> tuple[Dkim, ...]:
    """One result for each signature, in the order of the letter."""
    found = signatures_of(letter.head)
    bodies = await BodyHashes.made(letter, [signature for _, signature in found])
    return tuple([await _verified(letter, each, bodies, names, now_s) for each in found])


async def _verified(
    letter: Opened, signed: tuple[Field, Signature | Malformed], bodies: BodyHashes, names: Names, now_s: int
) -> Dkim:
    field, signature = signed
    if isinstance(signature, Malformed):
        domain = signature.domain
        return Dkim("permerror", domain, f"@{domain}", signature.selector, why=signature.why)
    digest, size = bodies.of(signature)
    why = _flaw(signature, now_s)
    if not why and signature.length is not None and signature.length > size:
        why = "l= is longer than the body"
    if not why and digest != signature.body_hash:
        why = "the body has been changed"
    if why:
        return dkim("fail", signature, why)
    taken = signed_fields(signature.names, letter.head.fields, field)
    result = await verdict(signature, head_digest(signature, field, taken, letter.raw, bodies.fields), names)
    if result.result == "pass" and (why := added(letter.head, signature, taken, size)):
        return dkim("policy", signature, why, result.bits)
    return result


def dkim(result: str, signature: Signature, why: str = "", bits: int = 0) -> Dkim:
    return Dkim(
        result,
        signature.domain,
        signature.identity,
        signature.selector,
        signature.algorithm.decode(),
        bits,
        signature.mark,
        why,
    )


async def verdict(signature: Signature, digest: bytes, names: Names) -> Dkim:
    """What the key says of a signature over `digest`."""
    try:
        records = await names.texts(signature.key_name.lower())
    except Silent as silence:
        return dkim("temperror", signature, str(silence))
    key = chosen(records or ())
    if isinstance(key, NoKey):
        return dkim("permerror", signature, key.why)
    if key.algorithm != signature.algorithm:
        return dkim("permerror", signature, "the key is of another kind than the signature")
    if key.strict and signature.identity.rpartition("@")[2].lower() != signature.domain:
        return dkim("permerror", signature, "the key is for the domain itself only")  # RFC 6376 3.6.1 t=s
    if not key.proves(base64_of(signature.signed) or b"", digest):
        return dkim("fail", signature, "the signature does not fit", key.bits)
    return dkim("pass", signature, "the key is being tried out" if key.testing else "", key.bits)


def _flaw(signature: Signature, now_s: int) -> str:
    if signature.ends_at is not None and signature.ends_at < now_s:
        return "the signature has expired"
    if signature.made_at is not None and signature.made_at > now_s + SKEW_S:
        return "the signature is from the future"
    return ""


def added(head: Head, signature: Signature, taken: list[Field], size: int) -> str:
    """What stands in the letter that its signature lets anybody add, and a reader takes for signed."""
    if signature.length is not None and signature.length < size:
        return "the body goes on behind what is signed"  # RFC 6376 8.2
    for name in SINGLE.intersection(signature.names):
        if head.count(name) > sum(field.name == name for field in taken):
            return f"a second {name.decode().title()} is not signed"  # RFC 6376 8.15
    return ""
