"""Passwords made unreadable: argon2id with the cost that OWASP recommends (19 MiB, two passes, one lane).

Every call costs about 20 ms and 19 MiB, and lets other threads run meanwhile.
"""

import base64
import unicodedata

from argon2.exceptions import Argon2Error, InvalidHashError
from argon2.low_level import Type, hash_secret, verify_secret

from sekisho.model.secret import Secret

PASSES = 2
MEMORY_KIB = 19 * 1024
LANES = 1
SALT_BYTES = 16
HASH_BYTES = 32

PASSWORD_BYTES = 1024
"""Longest password; a longer one is wrong."""


def prepared(password: Secret) -> bytes:
    """The one form of a password, whatever keyboard it was typed on (OpaqueString of RFC 8265 4.2).

    Two spellings of an accented letter are one, and so are all spaces. Nothing else is folded: case and
    full-width letters count. What is not UTF-8 stays as it is.
    """
    plain = password.reveal()
    try:
        text = plain.decode()
    except UnicodeDecodeError:
        return plain
    if text.isascii():
        return plain
    spaced = "".join(" " if unicodedata.category(char) == "Zs" else char for char in text)
    return unicodedata.normalize("NFC", spaced).encode()


def make_hash(plain: bytes, salt: bytes) -> str:
    return hash_secret(plain, salt, PASSES, MEMORY_KIB, LANES, HASH_BYTES, Type.ID).decode()


def matches(stored: str, plain: bytes) -> bool:
    """False also for a stored text that is no hash: an unreadable entry opens nothing."""
    try:
        return verify_secret(stored.encode(), plain, Type.ID)
    except (Argon2Error, InvalidHashError):
        return False


def nobodys_hash(salt: bytes, noise: bytes) -> str:
    """A hash that no password has, to spend on unknown users the time that known ones cost."""
    return f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${_base64(salt)}${_base64(noise)}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")
