"""Where a role's events go: into its archive file, and those that the guard learns from to watch.

`record` never waits: it appends. Every 200 ms what was appended is written, and told to watch in one message.
Events that were judged (`Judge`) have been observed already; the guard knows them by their id.
"""

from collections.abc import Callable
from functools import partial

from sekisho.model.event import DeliveryTried, Event, LoginTried, Returned, Troubled
from sekisho.model.ident import make_id
from sekisho.model.text import printable
from sekisho.service.boundary import boundary
from sekisho.service.channel import Channel
from sekisho.service.messages import Observe
from sekisho.store.events import EventLog, tidy
from sekisho.world import Unavailable, World

RHYTHM_S = 0.2
LISTENERS_MAX = 64


class Recorder:
    def __init__(self, world: World, log: EventLog, folder: str, role: str, keep_days: int) -> None:
        self._world = world
        self._log = log
        self._folder = folder
        self._role = role
        self._keep_days = keep_days
        self._watch: Channel | None = None
        self._for_watch: list[Event] = []
        self._listeners: list[Callable[[Event], None]] = []
        self._stopped = False

    def configure(self, keep_days: int) -> None:
        self._keep_days = keep_days

    def tell_watch(self, watch: Channel) -> None:
        """From now on delivery results and failed logins are told to watch."""
        self._watch = watch

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Calls `listener` with every event as it is recorded (the demo's printout)."""
        assert len(self._listeners) < LISTENERS_MAX
        self._listeners.append(listener)

    def record(self, event: Event) -> None:
        self._log.append(event)
        if self._watch is not None and _teaches(event):
            self._for_watch.append(event)
        for listener in self._listeners:
            listener(event)

    def trouble(self, what: str, about: str, trace: str) -> None:
        """A `boundary`'s record: our bug, as an event."""
        now = self._world.clock.now()
        self.record(
            Troubled(
                id=make_id(now, self._world.chance.bits(30)),
                at=now,
                source=self._role,
                what=what,
                about=printable(about),
                trace=trace,
            )
        )

    async def run(self) -> None:
        """Writes and tells until `stop`."""
        while not self._stopped:
            await self._world.clock.sleep(RHYTHM_S)
            with boundary(self.trouble, "event archive"):
                await self._turn()

    async def _turn(self) -> None:
        if self.flush():
            now = self._world.clock.now()
            await self._world.spawn.thread(partial(tidy, self._folder, self._role, now, self._keep_days))

    def flush(self) -> bool:
        """True when a new day began. A disk that does not take events loses them at a limit; mail goes on."""
        if self._for_watch and self._watch is not None:
            self._watch.tell(Observe(tuple(self._for_watch)))
            self._for_watch.clear()
        try:
            return self._log.flush(self._world.clock.now())
        except Unavailable:
            return False

    def stop(self) -> None:
        self._stopped = True
        self.flush()
        self._log.close()


def _teaches(event: Event) -> bool:
    match event:
        case DeliveryTried(account=account, local=local):
            return bool(account) or not local
        case Returned(account=account):
            return bool(account)
        case LoginTried(ok=ok):
            return not ok
    return False
