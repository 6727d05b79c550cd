"""The keys that sign mail: `keys/dkim/DOMAIN/SELECTOR.pem`, kept as objects, never shown.

Of several keys of one kind the last in the order of their selectors signs. A file of another ending signs
nothing: `SELECTOR.pending` is published ahead of its use, `SELECTOR.retired` was used before.
"""

import os

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from msgspec import Struct

from sekisho.mail.dkim_key import PREHASHED
from sekisho.mail.names import host_name
from sekisho.store.bounded import Bounded
from sekisho.world import Clock, Disk, Unavailable

FOLDER = os.path.join("keys", "dkim")
ENDING = ".pem"
KEY_BYTES = 16 * 1024
FILES_MAX = 20
"""Most keys of one domain that are looked at, the last ones."""

DOMAINS_MAX = 10_000
AGAIN = 30 * 1_000_000
"""How long the list of a domain's keys is believed, in microseconds."""

Private = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


class Loaded(Struct, frozen=True):
    """The keys of a domain by selector, with the bytes that they were read from."""

    until: int
    keys: dict[str, tuple[bytes, Private]]


class SigningKeys:
    """Every call blocks."""

    def __init__(self, disk: Disk, clock: Clock, state: str) -> None:
        self._disk = disk
        self._clock = clock
        self._state = state
        self._loaded: Bounded[str, Loaded] = Bounded(DOMAINS_MAX)

    def signers(self, domain: str) -> dict[str, str]:
        """Which selectors sign for it, each with its algorithm; none for a domain without keys."""
        found: dict[str, str] = {}
        for selector, (_, key) in sorted(self._keys(domain).items()):
            found[_algorithm(key)] = selector
        return {selector: algorithm for algorithm, selector in sorted(found.items(), reverse=True)}

    def sign(self, domain: str, selector: str, digest: bytes) -> bytes:
        """`digest` is a SHA-256; b"" where there is no such key (any more)."""
        known = self._keys(domain).get(selector)
        if known is None or len(digest) != 32:
            return b""
        key = known[1]
        return (
            key.sign(digest, PKCS1v15(), PREHASHED)
            if isinstance(key, rsa.RSAPrivateKey)
            else key.sign(digest)
        )

    def _keys(self, domain: str) -> dict[str, tuple[bytes, Private]]:
        if host_name(domain) != domain:
            return {}  # it becomes the name of a folder
        loaded, now = self._loaded.get(domain), self._clock.ticks()
        if loaded is None or loaded.until <= now:
            before = loaded.keys if loaded is not None else {}
            loaded = Loaded(now + AGAIN, self._read(os.path.join(self._state, FOLDER, domain), before))
            self._loaded.put(domain, loaded)
        return loaded.keys

    def _read(
        self, folder: str, before: dict[str, tuple[bytes, Private]]
    ) -> dict[str, tuple[bytes, Private]]:
        """A key that is broken, or may not be read, does not keep the others from signing."""
        try:
            names = sorted(name for name in self._disk.list(folder) if name.endswith(ENDING))[-FILES_MAX:]
        except (OSError, Unavailable):
            return {}
        found: dict[str, tuple[bytes, Private]] = {}
        for name in names:
            selector = name.removesuffix(ENDING)
            try:
                pem = self._disk.read_part(os.path.join(folder, name), 0, KEY_BYTES)
                known = before.get(selector)
                found[selector] = known if known is not None and known[0] == pem else (pem, _loaded(pem))
            except (OSError, Unavailable, ValueError, UnsupportedAlgorithm):
                continue
        return found


def _loaded(pem: bytes) -> Private:
    key = load_pem_private_key(pem, None)
    if not isinstance(key, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        raise ValueError("no key that DKIM knows")
    return key


def _algorithm(key: Private) -> str:
    return "rsa-sha256" if isinstance(key, rsa.RSAPrivateKey) else "ed25519-sha256"
