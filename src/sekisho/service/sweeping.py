"""The local role's part in `queue purge --incident`: bounces that have arrived, out of mailboxes and back."""

import os
from functools import partial

from sekisho.model.config import Config
from sekisho.queue.retry import SECOND
from sekisho.service.messages import Sweep, Swept
from sekisho.store.sweeping import Found, Mailboxes
from sekisho.world import World

CHANGED_KEPT = 1000
MAIL = "mail"


class Sweeping:
    def __init__(self, world: World, config: Config) -> None:
        self._world = world
        self.reload(config)

    def reload(self, config: Config) -> None:
        self._keep_s = config.queue.keep_purged_s
        self._mailboxes = Mailboxes(self._world.disk, os.path.join(config.state, MAIL))

    async def sweep(self, request: Sweep) -> Swept:
        """Raises Unavailable."""
        found: list[Found] = await self._world.spawn.thread(partial(self._sweep, request))
        return Swept(tuple(each.name for each in found), sum(each.bytes for each in found))

    def _sweep(self, request: Sweep) -> list[Found]:
        if not request.dry:
            self._mailboxes.forget(self._world.clock.now() - self._keep_s * SECOND)
        if request.verb == "restore":
            return self._mailboxes.restore(request.cause, request.held_by, dry=request.dry)
        assert request.cause is not None, "only what an incident caused is taken out"
        found = []
        for folder in dict.fromkeys(request.folders):
            action = "" if request.dry else request.action
            found += self._mailboxes.purge(folder.removeprefix(f"{MAIL}/"), request.cause, action)
        return found
