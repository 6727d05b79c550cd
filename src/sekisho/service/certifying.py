"""Renews the certificate when two thirds of its life are over: when, how often after a failure, and the
exchange.

A failure changes nothing but the time of the next try: the certificate that is there goes on to be used.
Fronts see by themselves that the file is another one (`service/reception.py`).
"""

import os
from collections.abc import Callable

import msgspec
from msgspec import Struct

from sekisho.model.config import Config
from sekisho.store.certificates import Validity, exchange, fits, key_at, request_for, validity
from sekisho.world import Unavailable, World

SECOND = 1_000_000
HOUR = 3600 * SECOND
FIRST_WAIT, LONGEST_WAIT = HOUR, 24 * HOUR
"""After the first failure, and after many: an authority counts failures too."""

FAILURES_MAX = 20
SPREAD = 30
"""A renewal comes up to this part of a certificate's life late: not everybody's at one moment."""

Issue = Callable[[bytes, bytes], str]
"""From the account's key and the signing request the chain, all in PEM. Raises Unavailable."""


class Renewal(Struct, frozen=True):
    """What is remembered between two runs, in `keys/acme/renewal.json`."""

    failures: int = 0
    not_before: int = 0


def names_of(config: Config) -> tuple[str, ...]:
    return config.acme.names or (config.hostname,)


def due_at(found: Validity | None, names: tuple[str, ...], now: int) -> int:
    """When the certificate on disk wants a successor, in microseconds."""
    if found is None or found.self_signed or set(names) - set(found.names):
        return now
    return found.begins + (found.ends - found.begins) * 2 // 3


class Certifier:
    """For one run of `sekisho certificate renew`. Blocks."""

    def __init__(self, world: World, config: Config, issue: Issue) -> None:
        self._world = world
        self._config = config
        self._issue = issue
        self._folder = os.path.join(config.state, "keys", "acme")

    def next_at(self) -> int:
        """When the next try is due: in the past for now."""
        now = self._world.clock.now()
        found = validity(self._world.disk, self._config.certificate)
        return max(due_at(found, names_of(self._config), now), self._remembered().not_before)

    def renew(self) -> int:
        """Until when the new certificate is good. Raises Unavailable; the old one is then untouched."""
        try:
            return self._renew()
        except Unavailable:
            self._put_off()
            raise

    def _renew(self) -> int:
        world, config = self._world, self._config
        account = key_at(world.disk, os.path.join(self._folder, "account.pem"))
        key = key_at(world.disk, config.key)
        chain = self._issue(account, request_for(names_of(config), key)).encode()
        if not fits(chain, key):
            raise Unavailable(config.acme.directory, "its certificate is not for our key")
        exchange(world.disk, config.certificate, chain)
        found = validity(world.disk, config.certificate)
        assert found is not None, "it was read a moment ago"
        life = found.ends - found.begins
        late = int(world.chance.between(0, life / SPREAD))
        self._remember(Renewal(0, found.begins + life * 2 // 3 + late))
        return found.ends

    def _put_off(self) -> None:
        failures = min(self._remembered().failures + 1, FAILURES_MAX)
        wait = min(FIRST_WAIT * 2 ** (failures - 1), LONGEST_WAIT)
        luck = self._world.chance.between(0.75, 1.25)
        self._remember(Renewal(failures, self._world.clock.now() + int(wait * luck)))

    def _remembered(self) -> Renewal:
        """Nothing, where nothing can be read: then a try is not put off."""
        try:
            return msgspec.json.decode(self._world.disk.read(self._file), type=Renewal)
        except (FileNotFoundError, msgspec.DecodeError):
            return Renewal()

    def _remember(self, renewal: Renewal) -> None:
        disk, fresh = self._world.disk, f"{self._file}.new"
        disk.make_folders(self._folder)
        if disk.exists(fresh):
            disk.unlink(fresh)
        disk.write_new(fresh, [msgspec.json.encode(renewal)])
        disk.rename(fresh, self._file)
        disk.sync_folder(self._folder)

    @property
    def _file(self) -> str:
        return os.path.join(self._folder, "renewal.json")
