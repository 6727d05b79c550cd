"""The ways besides mail by which the operator hears of an incident: a line of the log, and webhooks."""

from collections.abc import Callable
from functools import partial

from sekisho.model.action import LOG, Action, Performed
from sekisho.model.config import Config
from sekisho.service.boundary import Record
from sekisho.service.channel import NotDone
from sekisho.service.notices import line_of, to_stderr
from sekisho.service.outbox import Outbox, body_of
from sekisho.service.remarks import remarks
from sekisho.store.house import House
from sekisho.world import World


class Alarms:
    def __init__(self, world: World, house: House, log: Callable[[str], None] = to_stderr) -> None:
        self._world = world
        self._house = house
        self._log = log
        self.outbox = Outbox(world, house)

    def configure(self, config: Config) -> None:
        self._config = config
        self.outbox.configure(config.notify.webhooks)

    def hush(self) -> None:
        """Somebody else tells the findings as they come: no line of the log besides."""
        self._log = lambda line: None

    def ways(self) -> tuple[str, ...]:
        return (LOG, *self._config.notify.webhooks)

    async def sound(self, action: Action) -> Performed:
        """For a webhook: written down; that it was heard is the outbox's care."""
        incident = await self._world.spawn.thread(partial(self._house.incident, action.incident))
        if incident is None:
            raise NotDone("there is nothing to tell")
        at = self._world.clock.now()
        if action.to == LOG:
            self._log(line_of(incident))
            return Performed(action.id, "watch", at, count=1)
        notes = await self._world.spawn.thread(partial(remarks, self._house, incident, at))
        body = body_of(incident, notes, action.id, self._config.hostname, at)
        written = await self.outbox.put(action.to, action.id, body)
        return Performed(action.id, "watch", at, count=int(written))

    def run(self, trouble: Record) -> None:
        self._world.spawn.task("webhooks", self.outbox.run(trouble))

    def stop(self) -> None:
        self.outbox.stop()
