"""The server's certificate on disk: how long it is good, the request for the next one, and the exchange.

The private key stays, so that a renewal is one file renamed: no crash leaves a certificate beside a key that
does not fit it.
"""

import os
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID
from msgspec import Struct

from sekisho.store.keys import private_pem
from sekisho.world import Disk, Unavailable

SECOND = 1_000_000


class Validity(Struct, frozen=True):
    """Of a certificate: from and until, in microseconds; whom it is for; whether it signed itself."""

    begins: int
    ends: int
    names: tuple[str, ...]
    self_signed: bool


def validity(disk: Disk, path: str) -> Validity | None:
    """None where there is no certificate, or none that can be read."""
    try:
        found = x509.load_pem_x509_certificate(disk.read(path))
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        listed = tuple(names.get_values_for_type(x509.DNSName))
    except (FileNotFoundError, ValueError):
        return None
    except x509.ExtensionNotFound:
        listed = ()
    begins, ends = found.not_valid_before_utc.timestamp(), found.not_valid_after_utc.timestamp()
    own = found.issuer == found.subject
    return Validity(int(begins) * SECOND, int(ends) * SECOND, listed, own)


def key_at(disk: Disk, path: str) -> bytes:
    """The private key in PEM, made if there is none. Raises Unavailable."""
    if disk.exists(path):
        return disk.read(path)
    disk.make_folders(os.path.dirname(path))
    pem = private_pem(ec.generate_private_key(ec.SECP256R1()))
    disk.write_new(path, [pem])
    disk.sync_folder(os.path.dirname(path))
    return pem


def request_for(names: Sequence[str], key: bytes) -> bytes:
    """A signing request in PEM (RFC 2986). Raises Unavailable for a key of a kind that nobody signs."""
    private = load_pem_private_key(key, None)
    if not isinstance(private, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise Unavailable("the private key", "authorities take RSA and ECDSA keys only")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    builder = builder.add_extension(alternative, critical=False)
    return builder.sign(private, hashes.SHA256()).public_bytes(Encoding.PEM)


def fits(chain: bytes, key: bytes) -> bool:
    """Whether the first certificate of the chain is for this key."""
    found = x509.load_pem_x509_certificate(chain)
    return found.public_key() == load_pem_private_key(key, None).public_key()


def exchange(disk: Disk, path: str, chain: bytes) -> None:
    """The new file has the old one's owner and mode; whoever reads the name finds the old or the new."""
    fresh = f"{path}.new"
    if disk.exists(fresh):  # left behind by a crash
        disk.unlink(fresh)
    disk.write_new(fresh, [chain])
    _as_before(path, fresh)
    disk.rename(fresh, path)
    disk.sync_folder(os.path.dirname(path))


def _as_before(path: str, fresh: str) -> None:
    try:
        before, now = os.stat(path), os.stat(fresh)
        if (before.st_uid, before.st_gid) != (now.st_uid, now.st_gid):
            os.chown(fresh, before.st_uid, before.st_gid)
        os.chmod(fresh, before.st_mode & 0o777)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Unavailable(fresh, error.strerror or str(error)) from error
