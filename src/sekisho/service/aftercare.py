"""Keeps what goes on around contained accounts: hears of tries, writes it down, and forgets what is over.

Written every few seconds with the cases; wrong passwords of all other accounts every few minutes and at the
end, so that a crash costs only hints.
"""

from functools import partial

import msgspec

from sekisho.guard.aftermath import Aftermath, Failure, Watcher
from sekisho.guard.guard import Guard
from sekisho.model.event import LoginTried
from sekisho.model.incident import Grade, Incident
from sekisho.store.house import House
from sekisho.world import World

PREFIX = "aftermath:"
FAILURES = "failures"
FAILURES_SAVED_S = 300
"""The wrong passwords of all accounts are some hundred kilobytes: written this often."""

SECOND = 1_000_000


class Aftercare:
    def __init__(self, world: World, house: House, guard: Guard) -> None:
        self._world = world
        self._house = house
        self._guard = guard
        self._watcher = Watcher()
        self._saved_at = world.clock.ticks()

    async def read(self) -> None:
        """Raises Unavailable."""
        kept = await self._world.spawn.thread(partial(self._house.states, PREFIX))
        for data in kept.values():
            self._watcher.take(msgspec.json.decode(data, type=Aftermath))
        data = await self._world.spawn.thread(partial(self._house.state, FAILURES))
        if data is not None:
            self._watcher.recall(msgspec.msgpack.decode(data, type=dict[str, list[Failure]]))

    def open(self, incident: Incident) -> None:
        if incident.grade >= Grade.CONTAIN and not incident.closed:
            known = incident.subject in self._guard
            self._watcher.open(incident, self._guard.memory(incident.subject) if known else None)

    def see(self, event: LoginTried) -> tuple[str, ...]:
        """Cases that have their first related account by this."""
        if event.account in self._guard:
            place = self._guard.standing(event.account, event.address, event.at).place
        else:
            place = "unfamiliar"
        return self._watcher.see(event, place)

    async def save(self, open_cases: dict[str, Incident]) -> None:
        """What changed; watches end a month after their case. Raises Unavailable."""
        now = self._world.clock.now()
        still = {incident.id for incident in open_cases.values()}
        for name in set(self._watcher.records) - still:
            self._watcher.close(name, now)
        for name in self._watcher.drop_old(now):
            await self._world.spawn.thread(partial(self._house.drop_state, PREFIX + name))
        due, self._watcher.changed = self._watcher.changed, set()
        records = self._watcher.records
        data = {PREFIX + name: msgspec.json.encode(records[name]) for name in due if name in records}
        if self._world.clock.ticks() - self._saved_at > FAILURES_SAVED_S * SECOND:
            data[FAILURES] = self._packed()
        if data:
            await self._world.spawn.thread(partial(self._house.save_states, data, now))

    async def close(self) -> None:
        """At the end. Raises Unavailable."""
        now = self._world.clock.now()
        data = {FAILURES: self._packed()}
        await self._world.spawn.thread(partial(self._house.save_states, data, now))

    def _packed(self) -> bytes:
        self._saved_at = self._world.clock.ticks()
        return msgspec.msgpack.encode(self._watcher.failures())


def aftermath_of(house: House, incident: str) -> Aftermath | None:
    """As it was last written down. It blocks."""
    data = house.state(PREFIX + incident)
    return msgspec.json.decode(data, type=Aftermath) if data is not None else None
