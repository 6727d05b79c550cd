"""Signed return paths: `prvs=TOKEN=local@domain`, in the shape of BATV (draft-levine-smtp-batv).

A token says to us alone which message it belongs to, from which network that was sent and by which account.
To others it is noise: what it says is enciphered with a stream made from its own signature (as in SIV, RFC
5297), and the signature covers the real address, so that it fits no other. HMAC-SHA256 is all it is made of.
"""

import hmac
from collections.abc import Sequence
from hashlib import sha256

from msgspec import Struct

from sekisho.model.address import normal
from sekisho.model.ident import ALPHABET, LENGTH

TAG = "prvs="
"""The tag of BATV: servers that remember senders (greylists, mailing lists) know it and look behind it."""

LOCAL_OCTETS = 64  # RFC 5321 4.5.3.1.1

MESSAGE_BITS, MARK_BITS, OWNER_BITS, SIGNATURE_BITS = 5 * LENGTH, 15, 10, 50
"""Together 160, which are 32 letters. 50 bits of signature: each guess costs an RCPT, and 2^49 are needed."""

SAID_BITS = MESSAGE_BITS + MARK_BITS + OWNER_BITS
LETTERS = (SAID_BITS + SIGNATURE_BITS) // 5
_VALUES = {letter: value for value, letter in enumerate(ALPHABET)}


class Seal(Struct, frozen=True):
    """What a token says. `mark` stands for the network the message was sent from, `owner` for the account:
    both are compared, neither can be read back.
    """

    message: str
    mark: int
    owner: int


def mark_of(network: str) -> int:
    """Of the guard's key of a network."""
    return _short(f"network {network}", MARK_BITS)


def owner_of(account: str) -> int:
    return _short(f"account {normal(account)}", OWNER_BITS)


def looks_signed(address: str) -> bool:
    return address[: len(TAG)].lower() == TAG


def signed(address: str, seal: Seal, key: bytes) -> str:
    """The return path to tell other hosts; the address itself where the local part has no room or is quoted.
    """
    local, at, domain = address.rpartition("@")
    octets = len(TAG) + LETTERS + len("=") + len(local.encode())
    if not at or octets > LOCAL_OCTETS or local.startswith('"') or looks_signed(address):
        return address
    said = (_number(seal.message) << MARK_BITS | seal.mark) << OWNER_BITS | seal.owner
    signature = _signature(key, said, address)
    token = (said ^ _stream(key, signature)) << SIGNATURE_BITS | signature
    return f"{TAG}{_letters(token, LETTERS)}={local}@{domain}"


def opened(address: str, keys: Sequence[bytes]) -> tuple[str, Seal] | None:
    """The real address and what the token says; None for an address that none of these keys has signed."""
    if not looks_signed(address):
        return None
    token, equals, real = address[len(TAG) :].partition("=")
    token = token.lower()
    if not equals or len(token) != LETTERS or any(letter not in _VALUES for letter in token):
        return None
    number = _number(token)
    hidden, signature = number >> SIGNATURE_BITS, number & ((1 << SIGNATURE_BITS) - 1)
    for key in keys:
        said = hidden ^ _stream(key, signature)
        if hmac.compare_digest(_bytes(signature), _bytes(_signature(key, said, real))):
            return real, _seal(said)
    return None


def _seal(said: int) -> Seal:
    owner = said & ((1 << OWNER_BITS) - 1)
    mark = said >> OWNER_BITS & ((1 << MARK_BITS) - 1)
    return Seal(_letters(said >> OWNER_BITS + MARK_BITS, LENGTH), mark, owner)


def _signature(key: bytes, said: int, address: str) -> int:
    return _first_bits(key, b"signature\0" + _bytes(said) + normal(address).encode(), SIGNATURE_BITS)


def _stream(key: bytes, signature: int) -> int:
    return _first_bits(key, b"stream\0" + _bytes(signature), SAID_BITS)


def _first_bits(key: bytes, text: bytes, bits: int) -> int:
    digest = hmac.digest(key, b"return path 1 " + text, "sha256")
    return int.from_bytes(digest, "big") >> 8 * len(digest) - bits


def _short(text: str, bits: int) -> int:
    return int.from_bytes(sha256(text.encode()).digest(), "big") >> 256 - bits


def _bytes(number: int) -> bytes:
    return number.to_bytes(SAID_BITS // 8 + 1, "big")


def _number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number << 5 | _VALUES[letter]
    return number


def _letters(number: int, count: int) -> str:
    return "".join(ALPHABET[number >> 5 * place & 31] for place in range(count - 1, -1, -1))
