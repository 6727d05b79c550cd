"""What SCRAM-SHA-256 checks a password against (RFC 5802 3): keys that give it away to nobody but a guesser.

A guess costs the rounds of PBKDF2, which argon2id beats by far; but each login costs them too, on a phone.
"""

import hashlib
import hmac
import stringprep
import unicodedata

from msgspec import Struct

ROUNDS_MIN = 4096
"""RFC 7677 4."""

SALT_BYTES = 16


class ScramKeys(Struct, frozen=True):
    """`stored` verifies a client's proof; `server` makes ours."""

    salt: bytes
    rounds: int
    stored: bytes
    server: bytes


def make_keys(plain: bytes, salt: bytes, rounds: int) -> ScramKeys:
    """Blocks for its rounds (0.1 s for 200,000) and lets other threads run meanwhile."""
    salted = hashlib.pbkdf2_hmac("sha256", _prepared(plain), salt, rounds)
    client = hmac.digest(salted, b"Client Key", "sha256")
    return ScramKeys(
        salt, rounds, hashlib.sha256(client).digest(), hmac.digest(salted, b"Server Key", "sha256")
    )


def salt_of(key: bytes, login: str) -> bytes:
    """Everybody's salt, and nobody's: the same for a name whether or not it is an account, with or without
    keys, so that asking for salts tells nothing.
    """
    return hmac.digest(key, b"scram salt " + login.encode("utf-8", "surrogatepass"), "sha256")[:SALT_BYTES]


def proves(keys: ScramKeys, message: bytes, proof: bytes) -> bool:
    """Whether who made this proof knows the password. The same work whatever the proof is."""
    signature = hmac.digest(keys.stored, message, "sha256")
    client = bytes(a ^ b for a, b in zip(proof.ljust(len(signature), b"\0"), signature, strict=False))
    return hmac.compare_digest(hashlib.sha256(client).digest(), keys.stored)


def signature_of(keys: ScramKeys, message: bytes) -> bytes:
    return hmac.digest(keys.server, message, "sha256")


def _prepared(plain: bytes) -> bytes:
    """SASLprep (RFC 5802 2.2), as clients do it: beyond ASCII it folds more than our own form of passwords.

    What SASLprep forbids is left in: a client that refuses it cannot log in with it anyway.
    """
    try:
        text = plain.decode()
    except UnicodeDecodeError:
        return plain
    if text.isascii():
        return plain
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in text if not stringprep.in_table_b1(char)
    )
    return unicodedata.normalize("NFKC", mapped).encode()
