"""TLSA records: what they say of a certificate (RFC 6698), and which of them count for SMTP (RFC 7672)."""

import hashlib
import hmac

from msgspec import Struct

ANCHOR, LEAF = 2, 3
"""DANE-TA and DANE-EE. The usages 0 and 1 are "unusable" between mail servers (RFC 7672 3.1.3)."""

WHOLE, KEY = 0, 1
"""Selectors: the certificate, or its public key."""

_DIGESTS = {1: "sha256", 2: "sha512"}
_DIGEST_BYTES = {1: 32, 2: 64}


class Tlsa(Struct, frozen=True):
    usage: int
    selector: int
    matching: int
    data: bytes

    @property
    def usable(self) -> bool:
        if self.usage not in (ANCHOR, LEAF) or self.selector not in (WHOLE, KEY):
            return False
        return bool(self.data) if self.matching == 0 else _DIGEST_BYTES.get(self.matching) == len(self.data)

    def matches(self, selected: bytes) -> bool:
        """`selected` is what the selector names, in DER."""
        digest = _DIGESTS.get(self.matching)
        said = hashlib.new(digest, selected).digest() if digest else selected
        return hmac.compare_digest(said, self.data)


class Pins(Struct, frozen=True):
    """What a server's certificate must show: one of these records (usable ones), for one of these names."""

    records: tuple[Tlsa, ...]
    names: tuple[str, ...]
