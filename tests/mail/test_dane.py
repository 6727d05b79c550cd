"""TLSA records against certificate chains: every selector and matching type, and what proves nothing."""

import datetime
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from sekisho.mail.dane import proves
from sekisho.mail.tlsa import Pins, Tlsa

NOW = datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC)
NOW_US = int(NOW.timestamp() * 1_000_000)
HOST = "mx.example.net"
DAY = datetime.timedelta(days=1)


class Made:
    """A certificate with its key."""

    def __init__(
        self, name: str, issuer: "Made | None" = None, *, ca: bool = False, ends: datetime.timedelta = DAY
    ) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = issuer or self
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(signer.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - 2 * DAY)
            .not_valid_after(NOW + ends)
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
        )
        if not ca:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        self.certificate = builder.sign(signer.key, hashes.SHA256())
        self.der = self.certificate.public_bytes(Encoding.DER)

    @property
    def spki(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


ROOT = Made("root", ca=True)
MIDDLE = Made("middle", ROOT, ca=True)
LEAF = Made(HOST, MIDDLE)
CHAIN = [LEAF.der, MIDDLE.der, ROOT.der]


def record(usage: int, selector: int, matching: int, made: Made) -> Tlsa:
    data = made.spki if selector else made.der
    digests = {0: lambda: data, 1: hashlib.sha256(data).digest, 2: hashlib.sha512(data).digest}
    return Tlsa(usage, selector, matching, digests[matching]())


def fits(*records: Tlsa, chain: list[bytes] = CHAIN, names: tuple[str, ...] = (HOST,)) -> bool:
    return proves(Pins(records, names), chain, NOW_US)


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
def test_every_kind_of_record(selector: int, matching: int) -> None:
    """The server's own certificate (3), or any authority above it (2); not another one."""
    assert fits(record(3, selector, matching, LEAF))
    assert not fits(record(3, selector, matching, MIDDLE))
    assert fits(record(2, selector, matching, MIDDLE))
    assert fits(record(2, selector, matching, ROOT))
    other = Made(HOST)
    assert not fits(record(3, selector, matching, other)) and not fits(record(2, selector, matching, other))
    assert fits(record(3, selector, matching, other), record(3, selector, matching, LEAF))


def test_usage_3_looks_at_nothing_else() -> None:
    """RFC 7672 3.1.1: neither the name nor the dates nor the issuer."""
    old = Made("other.example", ends=-DAY)
    assert fits(record(3, 1, 1, old), chain=[old.der])


def test_usage_2_looks_at_names_and_dates() -> None:
    """RFC 7672 3.1.2: one of the names, valid now, signed all the way up by authorities."""
    assert not fits(record(2, 0, 1, ROOT), names=("mx.other.test",))
    assert fits(record(2, 0, 1, ROOT), names=("mx.other.test", "MX.example.NET"))
    expired = Made(HOST, MIDDLE, ends=-DAY)
    assert not fits(record(2, 0, 1, ROOT), chain=[expired.der, MIDDLE.der, ROOT.der])
    wild = Made("*.example.net", MIDDLE)
    assert fits(record(2, 0, 1, ROOT), chain=[wild.der, MIDDLE.der, ROOT.der])
    assert not fits(record(2, 0, 1, ROOT), chain=[wild.der, MIDDLE.der, ROOT.der], names=("a.b.example.net",))
    stranger = Made(HOST, Made("elsewhere", ca=True))
    assert not fits(record(2, 0, 1, ROOT), chain=[stranger.der, MIDDLE.der, ROOT.der])
    no_authority = Made("no authority", ROOT)
    below = Made(HOST, no_authority)
    assert not fits(record(2, 0, 1, ROOT), chain=[below.der, no_authority.der, ROOT.der])


def test_an_authority_that_the_server_does_not_show() -> None:
    """A record with the whole certificate needs none in the chain; a digest does."""
    assert fits(record(2, 0, 0, ROOT), chain=[LEAF.der, MIDDLE.der])
    assert not fits(record(2, 0, 1, ROOT), chain=[LEAF.der, MIDDLE.der])


def test_what_cannot_be_read() -> None:
    """Garbage, nothing, or a chain without end proves nothing and raises nothing."""
    for chain in ([], [b""], [b"\x30\x82"], [LEAF.der[:-5]], [LEAF.der, b"junk"], [MIDDLE.der] * 1000):
        assert not fits(record(2, 0, 1, ROOT), record(2, 0, 0, ROOT), chain=chain)
        assert not fits(record(3, 1, 1, ROOT), chain=chain)


@pytest.mark.parametrize(
    ("each", "usable"),
    [
        (Tlsa(3, 1, 1, b"x" * 32), True),
        (Tlsa(2, 0, 2, b"x" * 64), True),
        (Tlsa(3, 0, 0, b"x"), True),
        (Tlsa(3, 1, 1, b"x" * 31), False),
        (Tlsa(3, 1, 0, b""), False),
        (Tlsa(1, 1, 1, b"x" * 32), False),
        (Tlsa(0, 1, 1, b"x" * 32), False),
        (Tlsa(3, 2, 1, b"x" * 32), False),
        (Tlsa(3, 1, 3, b"x" * 32), False),
        (Tlsa(255, 255, 255, b"x"), False),
    ],
)
def test_usable_records(each: Tlsa, usable: bool) -> None:
    """RFC 7672 3.1: usages 2 and 3, known selectors and digests of their length."""
    assert usable == each.usable
