"""Does a server's certificate chain fit its TLSA records? (RFC 6698, RFC 7671, RFC 7672 3.)

A record of usage 3 names the certificate or its key, and nothing else about it is looked at: neither names
nor dates. One of usage 2 names an authority of the chain, and from there everything counts. Anything that
cannot be read is no proof.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sekisho.mail.tlsa import ANCHOR, KEY, LEAF, WHOLE, Pins, Tlsa

CHAIN_MAX = 10
"""Longest chain that is followed."""

Certificate = x509.Certificate


def proves(pins: Pins, chain: Sequence[bytes], now: int) -> bool:
    """`chain` in DER, the server's own certificate first. `now` in microseconds."""
    if not chain:
        return False
    leaves = [record for record in pins.records if record.usage == LEAF]
    anchors = [record for record in pins.records if record.usage == ANCHOR]
    if any(_names(record, chain[0]) for record in leaves):
        return True
    return bool(anchors) and _anchored(anchors, chain[:CHAIN_MAX], pins.names, now)


def _names(record: Tlsa, certificate: bytes) -> bool:
    if record.selector == WHOLE:
        return record.matches(certificate)
    read = _read(certificate)
    key = _key(read) if read is not None else None
    return record.selector == KEY and key is not None and record.matches(key)


def _anchored(records: Sequence[Tlsa], chain: Sequence[bytes], names: Sequence[str], now: int) -> bool:
    certificates = [read for each in chain if (read := _read(each)) is not None]
    if len(certificates) != len(chain) or not _is_for(certificates[0], names):
        return False
    anchors = [
        each
        for each, der in zip(certificates, chain, strict=True)
        if any(_names(record, der) for record in records)
    ]
    anchors += [read for record in records if (read := _own(record)) is not None]
    return _leads_to(certificates, anchors, datetime.fromtimestamp(now / 1e6, UTC))


def _own(record: Tlsa) -> Certificate | None:
    """RFC 7672 3.1.2: a record that holds the whole certificate needs none in the chain."""
    return _read(record.data) if (record.selector, record.matching) == (WHOLE, 0) else None


def _leads_to(chain: Sequence[Certificate], anchors: Sequence[Certificate], now: datetime) -> bool:
    """From the server's certificate up, signature by signature, to one of the anchors."""
    current, others = chain[0], list(chain[1:])
    for _ in range(CHAIN_MAX):
        if not current.not_valid_before_utc <= now <= current.not_valid_after_utc:
            return False
        if current in anchors:
            return True
        if any(_issued(current, anchor) for anchor in anchors):
            return True
        above = next((each for each in others if _issued(current, each)), None)
        if above is None:
            return False
        others.remove(above)
        current = above
    return False


def _issued(certificate: Certificate, issuer: Certificate) -> bool:
    try:
        if not issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
        certificate.verify_directly_issued_by(issuer)
    except (x509.ExtensionNotFound, ValueError, TypeError, InvalidSignature):
        return False
    return True


def _is_for(certificate: Certificate, names: Sequence[str]) -> bool:
    """RFC 7672 3.2.3: by the DNS names in it, with a wildcard for the whole first label only."""
    try:
        field = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        said = field.get_values_for_type(x509.DNSName)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return any(_fits(pattern.lower(), name.lower()) for pattern in said for name in names)


def _fits(pattern: str, name: str) -> bool:
    if pattern.startswith("*."):
        return "." in name and name.partition(".")[2] == pattern[2:]
    return pattern == name


def _read(der: bytes) -> Certificate | None:
    try:
        return x509.load_der_x509_certificate(der)
    except (ValueError, TypeError):
        return None


def _key(certificate: Certificate) -> bytes | None:
    try:
        return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm):
        return None
