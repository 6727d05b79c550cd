"""Private keys and certificates as files: DKIM keys of a domain, and a certificate to begin with.

Keys are written once, 0600, and never over an existing file. A DKIM key is `keys/dkim/DOMAIN/SELECTOR.pem`.
"""

import base64
import os
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from sekisho.world import Disk

RSA_BITS = 2048
CERTIFICATE_DAYS = 3650


def make_dkim_keys(disk: Disk, folder: str, now: int) -> list[str]:
    """An RSA key, which everybody verifies, and an Ed25519 key (RFC 8463); returns their selectors."""
    disk.make_folders(folder)
    month = datetime.fromtimestamp(now / 1e6, UTC).strftime("%Y%m")
    made: dict[str, PrivateKeyTypes] = {
        f"{month}r": rsa.generate_private_key(65537, RSA_BITS),
        f"{month}e": ed25519.Ed25519PrivateKey.generate(),
    }
    for selector, key in made.items():
        disk.write_new(os.path.join(folder, f"{selector}.pem"), [private_pem(key)])
    disk.sync_folder(folder)
    return list(made)


def dkim_records(disk: Disk, folder: str) -> dict[str, str]:
    """Selector -> text of the TXT record (RFC 6376 3.6.1), for every key in the folder."""
    if not disk.exists(folder):
        return {}
    names = [name for name in disk.list(folder) if name.endswith(".pem")]
    return {name.removesuffix(".pem"): _record(disk.read(os.path.join(folder, name))) for name in names}


def make_certificate(disk: Disk, hostname: str, certificate: str, key: str, now: int) -> None:
    """A self-signed ECDSA certificate: enough for opportunistic TLS, until one of an authority replaces
    it."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname[:64])])
    begin = datetime.fromtimestamp(now / 1e6, UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin - timedelta(days=1))
        .not_valid_after(begin + timedelta(days=CERTIFICATE_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(hostname)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    disk.make_folders(os.path.dirname(key))
    disk.write_new(key, [private_pem(private)])
    disk.write_new(certificate, [built.public_bytes(Encoding.PEM)])
    disk.sync_folder(os.path.dirname(key))


def private_pem(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _record(pem: bytes) -> str:
    return public_record(load_pem_private_key(pem, None))


def public_record(key: PrivateKeyTypes) -> str:
    """The text of its TXT record (RFC 6376 3.6.1)."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        raw = key.public_key().public_bytes(
            Encoding.Raw, PublicFormat.Raw
        )  # RFC 8463 4.2: the bare 32 octets
        return f"v=DKIM1; k=ed25519; p={_base64(raw)}"
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={_base64(public)}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
