"""The guard's memories between process and house: read when an account is heard of, written when they
changed.

Written every few seconds and at stop, changed accounts only, all in one transaction. An account of which
nothing was heard for long leaves memory again; its row stays.
"""

import asyncio
from collections.abc import Iterable
from functools import partial

from sekisho.guard.guard import Guard
from sekisho.model.incident import Grade
from sekisho.store.house import House
from sekisho.world import Unavailable, World

PREFIX = "guard/"
KEPT = 20_000
"""Accounts in memory, at about 10 KB (quiet) to 100 KB (busy) each."""
SAVED_AT = "watch/saved"
"""When all changed memories were last written: events since then are read again after a restart."""
SPARED = 1_000
"""Accounts that leave memory at once when there are too many."""


class Memories:
    def __init__(self, world: World, house: House, guard: Guard) -> None:
        self._world = world
        self._house = house
        self.guard = guard
        self._recalling: dict[str, asyncio.Future[None]] = {}
        self._unsaved: set[str] = set()
        self._unread: set[str] = set()
        self._heard: dict[str, None] = {}

    async def recall(self, accounts: Iterable[str]) -> None:
        """Makes sure that these are in memory. A house that does not answer leaves them new: mail goes on;
        they are asked for again, and not written down before they were read.
        """
        for name in dict.fromkeys(account.lower() for account in accounts if account):
            self._heard.pop(name, None)
            self._heard[name] = None
            if name in self.guard and name not in self._unread:
                continue
            if name not in self._recalling:
                self._recalling[name] = asyncio.ensure_future(self._read(name))
            await asyncio.shield(self._recalling[name])

    async def _read(self, account: str) -> None:
        try:
            data = await self._world.spawn.thread(partial(self._house.state, PREFIX + account))
            if data is not None and (account not in self.guard or account in self._unread):
                self._restore(account, data)
            self._unread.discard(account)
        except Unavailable:
            self._unread.add(account)
        finally:
            self._recalling.pop(account, None)

    def _restore(self, account: str, data: bytes) -> None:
        """What was written down, and what was found in the meantime."""
        interim = self.guard.memory(account) if account in self.guard else None
        self.guard.restore(account, data)
        if interim is None or interim.grade < Grade.CONTAIN:
            return
        if self.guard.memory(account).grade < interim.grade:
            self.guard.set_grade(account, interim.grade, interim.since)
        self.guard.contained(account, interim.incident, interim.action)

    async def save(self, accounts: Iterable[str] | None = None) -> None:
        """What changed, or these accounts at once. Raises Unavailable, and keeps in mind what is unsaved."""
        self._unsaved |= self.guard.changed()
        wanted = {name.lower() for name in accounts} if accounts is not None else self._unsaved
        due = (self._unsaved & wanted) - self._unread
        data = {PREFIX + name: self.guard.snapshot(name) for name in due if name in self.guard}
        if not data:
            return
        now = self._world.clock.now()
        if accounts is None:
            data[SAVED_AT] = str(now).encode()
        self._unsaved -= due
        try:
            await self._world.spawn.thread(partial(self._house.save_states, data, now))
        except Unavailable:
            self._unsaved |= due
            raise
        self._make_room()

    def _make_room(self) -> None:
        if len(self._heard) <= KEPT:
            return
        for name in list(self._heard)[:SPARED]:
            settled = name not in self._unsaved and name in self.guard
            if settled and self.guard.memory(name).grade == Grade.CLEAR:
                del self._heard[name]
                self.guard.forget(name)
