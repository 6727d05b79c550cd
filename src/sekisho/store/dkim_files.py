"""The files of a domain's DKIM keys, and how one key takes over from another: nothing is ever signed with a
key that nobody can look up.

`SELECTOR.pending` is to be published first; then it becomes `SELECTOR.pem`, which signs, and what signed
before becomes `SELECTOR.DAY.retired`: its record stays until all that it signed has been read.
"""

import os
from datetime import UTC, datetime, timedelta
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from msgspec import Struct

from sekisho.mail.dkim_key import BITS_MIN
from sekisho.store.keys import RSA_BITS, private_pem, public_record
from sekisho.world import Disk

State = Literal["signs", "pending", "retired"]
OVERLAP_DAYS = 8
"""Longer than a letter waits in queues (five days) and is looked at in a mailbox afterwards."""

ENDINGS: dict[str, State] = {".pem": "signs", ".pending": "pending", ".retired": "retired"}
FILE_BYTES = 16 * 1024


class KeyFile(Struct, frozen=True):
    """`record` is the text to publish; `day` is since when a retired one signs nothing, as 20261124."""

    selector: str
    state: State
    algorithm: str
    record: str
    name: str
    day: str = ""

    @property
    def kind(self) -> str:
        return self.algorithm[:3]


class BadKey(Exception):
    """A file that is no private key for DKIM; says why."""


class KeyFiles:
    """Those of one domain. Every call blocks."""

    def __init__(self, disk: Disk, folder: str) -> None:
        self._disk = disk
        self._folder = folder

    def all(self) -> list[KeyFile]:
        """In the order of their selectors. A file that cannot be read as a key is left out."""
        found = []
        for name in self._disk.list(self._folder) if self._disk.exists(self._folder) else ():
            stem, ending = os.path.splitext(name)
            state = ENDINGS.get(ending)
            selector, day = (stem, "") if state != "retired" else _divided(stem)
            if state is None or not selector:
                continue
            try:
                key = _key(self._disk.read_part(self._path(name), 0, FILE_BYTES))
            except BadKey:
                continue
            found.append(KeyFile(selector, state, _algorithm(key), public_record(key), name, day))
        return sorted(found, key=lambda each: (each.selector, each.state))

    def prepare(self, now: int) -> list[str]:
        """New keys of both kinds, which sign nothing yet; returns their selectors."""
        taken = {each.selector for each in self.all()}
        month = datetime.fromtimestamp(now / 1e6, UTC).strftime("%Y%m")
        stem = next(
            each for each in (month, *(f"{month}-{n:02}" for n in range(2, 100))) if f"{each}r" not in taken
        )
        made: dict[str, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey] = {
            f"{stem}r": rsa.generate_private_key(65537, RSA_BITS),
            f"{stem}e": ed25519.Ed25519PrivateKey.generate(),
        }
        self._disk.make_folders(self._folder)
        for selector, key in made.items():
            self._disk.write_new(self._path(f"{selector}.pending"), [private_pem(key)])
        self._disk.sync_folder(self._folder)
        return list(made)

    def switch(self, now: int) -> None:
        """What was published signs from now on. First the new ones, so that somebody always signs."""
        files = self.all()
        for each in files:
            if each.state == "pending":
                self._disk.rename(self._path(each.name), self._path(f"{each.selector}.pem"))
        for each in files:
            if each.state == "signs":
                retired = f"{each.selector}.{_day(now)}.retired"
                self._disk.rename(self._path(each.name), self._path(retired))
        self._disk.sync_folder(self._folder)

    def forget(self, now: int) -> list[KeyFile]:
        """Removes what has signed nothing for long; returns it: their records may go too."""
        last = _day(now - int(timedelta(days=OVERLAP_DAYS).total_seconds() * 1e6))
        over = [each for each in self.all() if each.state == "retired" and each.day < last]
        for each in over:
            self._disk.unlink(self._path(each.name))
        return over

    def take(self, selector: str, pem: bytes, now: int) -> KeyFile:
        """A key from elsewhere, whose record is published already: it signs at once, and keys of its kind
        that were never published wait. Raises BadKey, FileExistsError.
        """
        key = _key(pem)
        before = [each for each in self.all() if each.state == "signs" and each.kind == _algorithm(key)[:3]]
        self._disk.make_folders(self._folder)
        self._disk.write_new(self._path(f"{selector}.pem"), [private_pem(key)])
        for each in before:
            self._disk.rename(self._path(each.name), self._path(f"{each.selector}.pending"))
        self._disk.sync_folder(self._folder)
        return next(each for each in self.all() if each.selector == selector and each.state == "signs")

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name)


def _divided(stem: str) -> tuple[str, str]:
    selector, _, day = stem.rpartition(".")
    return selector, day


def _day(now: int) -> str:
    return datetime.fromtimestamp(now / 1e6, UTC).strftime("%Y%m%d")


def _key(pem: bytes) -> rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey:
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadKey("this is no private key in PEM without a password") from error
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < BITS_MIN:
            raise BadKey(f"a key of {key.key_size} bits proves nothing any more (RFC 8301)")
        return key
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    raise BadKey("DKIM knows RSA and Ed25519 keys only")


def _algorithm(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> str:
    return f"RSA-{key.key_size}" if isinstance(key, rsa.RSAPrivateKey) else "Ed25519"
