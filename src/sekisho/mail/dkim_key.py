"""DKIM keys as the DNS has them (RFC 6376 3.6.1, RFC 8463), parsed once and remembered by their text.

Key objects are costly to make and cheap to use; what could make them costly to use is refused.
"""

from collections.abc import Sequence
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from msgspec import Struct

from sekisho.mail import tags

RECORD_BYTES = 8 * 1024
"""Longest key record that is read."""

RECORDS_MAX = 4
"""Most records of one selector that are looked at; there should be one."""

KEYS_KEPT = 2048

BITS_MIN = 1024  # RFC 8301 3.2
BITS_MAX = 4096
EXPONENT_BITS_MAX = 33
"""A larger public exponent makes each verification as dear as a signature."""

ED25519_BITS = 256
Public = RSAPublicKey | Ed25519PublicKey
PREHASHED = Prehashed(hashes.SHA256())


class Key(Struct, frozen=True):
    """`strict`: only for the domain itself, not for names below it; `testing`: the domain tries it out."""

    public: Public
    bits: int
    strict: bool = False
    testing: bool = False

    @property
    def algorithm(self) -> bytes:
        return b"rsa-sha256" if isinstance(self.public, RSAPublicKey) else b"ed25519-sha256"

    def proves(self, signature: bytes, digest: bytes) -> bool:
        """`digest` is SHA-256 of what was signed."""
        try:
            if isinstance(self.public, RSAPublicKey):
                self.public.verify(signature, digest, PKCS1v15(), PREHASHED)
            else:
                self.public.verify(signature, digest)  # RFC 8463 3: over the hash
        except (InvalidSignature, ValueError):
            return False
        return True


class NoKey(Struct, frozen=True):
    """A record that cannot be used, and why."""

    why: str


def chosen(records: Sequence[bytes]) -> Key | NoKey:
    """The first usable of the records at a selector."""
    found: Key | NoKey = NoKey("no key for signature")
    for record in records[:RECORDS_MAX]:
        parsed = key_of(record)
        if isinstance(parsed, Key):
            return parsed
        found = parsed
    return found


@lru_cache(KEYS_KEPT)
def key_of(record: bytes) -> Key | NoKey:
    if len(record) > RECORD_BYTES:
        return NoKey("the key record is too long")
    fields = tags.parsed(record)
    if isinstance(fields, tags.TagError):
        return NoKey(f"the key record is broken: {fields.why}")
    if fields.get(b"v", b"DKIM1") != b"DKIM1" or (b"v" in fields and next(iter(fields)) != b"v"):
        return NoKey("the key record is of another version")
    if b"sha256" not in tags.colon_list(fields.get(b"h", b"sha256")):
        return NoKey("the key is for other hashes")
    services = tags.colon_list(fields.get(b"s", b"*"))
    if b"*" not in services and b"email" not in services:
        return NoKey("the key is for other services")
    if b"p" not in fields:
        return NoKey("the key record has no key")
    if not fields[b"p"]:
        return NoKey("the key was revoked")
    data = tags.base64_of(fields[b"p"])
    if data is None:
        return NoKey("the key is not base64")
    flags = tags.colon_list(fields.get(b"t", b""))
    return _loaded(fields.get(b"k", b"rsa"), data, (b"s" in flags, b"y" in flags))


def _loaded(kind: bytes, data: bytes, flags: tuple[bool, bool]) -> Key | NoKey:
    if kind == b"ed25519":
        if len(data) != 32:
            return NoKey("an Ed25519 key has 32 bytes")
        return Key(Ed25519PublicKey.from_public_bytes(data), ED25519_BITS, *flags)
    if kind != b"rsa":
        return NoKey("the key is of another kind")
    public = _rsa(data)
    if public is None:
        return NoKey("the key cannot be read")
    if not BITS_MIN <= public.key_size <= BITS_MAX:
        return NoKey(f"the key has {public.key_size} bits")
    if public.public_numbers().e.bit_length() > EXPONENT_BITS_MAX:
        return NoKey("the key has too large an exponent")
    return Key(public, public.key_size, *flags)


def _rsa(data: bytes) -> RSAPublicKey | None:
    """SubjectPublicKeyInfo, as everybody has it, or the bare RSAPublicKey that RFC 6376 speaks of."""
    try:
        public = serialization.load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        numbers = _bare_numbers(data)
        if numbers is None:
            return None
        try:
            public = RSAPublicNumbers(numbers[1], numbers[0]).public_key()
        except ValueError:
            return None
    return public if isinstance(public, RSAPublicKey) else None


def _bare_numbers(data: bytes) -> tuple[int, int] | None:
    """SEQUENCE { modulus INTEGER, exponent INTEGER } in DER (RFC 8017 A.1.1)."""
    outer = _value(data, 0x30)
    modulus = _value(outer[0], 0x02) if outer is not None and not outer[1] else None
    exponent = _value(modulus[1], 0x02) if modulus is not None else None
    if modulus is None or exponent is None or exponent[1]:
        return None
    return int.from_bytes(modulus[0], "big"), int.from_bytes(exponent[0], "big")


def _value(data: bytes, tag: int) -> tuple[bytes, bytes] | None:
    """The value of the first element, and what is behind it."""
    if len(data) < 2 or data[0] != tag:
        return None
    length, start = data[1], 2
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 2 or len(data) < 2 + count:
            return None
        length, start = int.from_bytes(data[2 : 2 + count], "big"), 2 + count
    end = start + length
    return (data[start:end], data[end:]) if end <= len(data) else None
