"""Incidents while no server runs: the house is opened, what is wanted is planned, and the next start does
it."""

import contextlib

from sekisho.guard.guard import Guard
from sekisho.guard.networks import NetworkTable
from sekisho.host import HostSpawn
from sekisho.model.config import Config
from sekisho.service.casebook import Casebook
from sekisho.service.containing import Containing
from sekisho.service.memories import Memories
from sekisho.service.messages import IncidentAnswer, IncidentAsk
from sekisho.service.roles import real_world
from sekisho.store.house import House


async def answer_at_rest(config: Config, ask: IncidentAsk) -> IncidentAnswer:
    """Raises NotDone, Unavailable."""
    world = real_world(config)
    guard = Guard(config.guard, NetworkTable())
    with contextlib.closing(House.open(config.state)) as house:
        containing = Containing(world, house, guard, None, lambda event: None)
        containing.configure(config)
        cases = Casebook(house, guard, containing)
        await cases.read()
        await Memories(world, house, guard).recall([*cases.open, ask.ident])
        answer = await cases.answer(ask, world.clock.now())
    assert isinstance(world.spawn, HostSpawn)
    await world.spawn.stop()
    return answer
