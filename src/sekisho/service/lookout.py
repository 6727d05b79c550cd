"""The process of `sekisho watch`: the guard beside a mail server that is not ours.

Where a server of ours runs for this state folder, its guard is told, and it acts. Else the guard runs here,
and answers `sekisho incident` on the same control socket.
"""

import os
from collections.abc import Callable, Sequence

from msgspec import Struct

from sekisho.model.config import Config
from sekisho.model.config_listen import heard
from sekisho.model.incident import Incident
from sekisho.service.channel import Channel, ChannelServer, LocalChannel, NotDone, SocketChannel
from sekisho.service.control import call, control_path, run_folder
from sekisho.service.desk import Desk
from sekisho.service.hearing import Hearing
from sekisho.service.messages import FOLLOWED, Request, StatusAnswer, StatusAsk
from sekisho.service.roles import WatchTower, real_world, recorder_of
from sekisho.service.watching import Listener, WatchRole
from sekisho.service.watchman import Watchman
from sekisho.service.zone import zone_of
from sekisho.store.positions import Positions

SETTLE_S, SETTLE_STEP_S = 15.0, 0.1


class Lookout:
    """`keeps` False: nothing is written down, and all is learned anew at the next start."""

    def __init__(self, config: Config, places: Sequence[str], *, keeps: bool = True) -> None:
        self._config = config
        self.world = real_world(config)
        self.recorder = recorder_of(self.world, config, "watch-logs")
        self._tower: WatchTower | None = None
        self._control: ChannelServer | None = None
        self._role: WatchRole
        self._hearing = Hearing(heard(config.listen), config.state)
        self.listening: dict[str, str] = {}
        self._places = places
        self._positions = Positions(config.state if keeps else "")
        self._unlock: Callable[[], None] = lambda: None
        self.watchman: Watchman

    async def start(self, listener: Listener, alarmed: Callable[[Incident], None]) -> bool:
        """True when the guard runs here; then these hear of each finding and alarm. Raises Unavailable."""
        config = self._config
        os.makedirs(run_folder(config.state), mode=0o700, exist_ok=True)
        self._unlock = self.world.disk.lock(os.path.join(config.state, "watch.lock"))
        self.world.spawn.task("events", self.recorder.run())
        alone = call(config.state, StatusAsk(), StatusAnswer) is None
        watch: Channel = SocketChannel("server", control_path(config.state))
        if alone:
            watch = await self._open()
            self._role.listen(listener, alarmed)
        self.watchman = Watchman(
            self.world, self._places, self._positions, zone_of(config.zone), watch
        )
        self.listening = await self._hearing.open(self.watchman)
        return alone

    async def _open(self) -> Channel:
        self._tower = WatchTower(self.world, self._config, self.recorder)
        self._role = await self._tower.open([])
        watch = LocalChannel(self._tower.handle, self.recorder.trouble)
        desk = Desk(watch, [LocalChannel(_nobody, self.recorder.trouble)], self.status, self._keep)
        self._control = ChannelServer(control_path(self._config.state), desk.handle, self.recorder.trouble)
        await self._control.start()
        return watch

    async def status(self) -> StatusAnswer:
        man = self.watchman
        counts = {FOLLOWED: len(man.files), "lines": man.lines, "events": man.events}
        counts |= {"not_understood": man.unparsed(), "dropped": self._hearing.dropped}
        return StatusAnswer(True, os.getpid(), self.listening, counts, alarms=self._role.alarms)

    async def _keep(self) -> None:
        """Settings are read at the start only."""

    async def run(self, *, once: bool) -> None:
        if once:
            await self.watchman.run_once(self.recorder.trouble)
            await self._settle()
        else:
            await self.watchman.run(self.recorder.trouble)

    def look_around(self) -> None:
        """New files are looked for at once; a rotation that sends SIGHUP is no reason to end."""
        self.watchman.look_around()

    async def _settle(self) -> None:
        """What follows from the last lines is done before we go; what nobody answers, at the next start."""
        for _ in range(round(SETTLE_S / SETTLE_STEP_S)):
            if self._tower is None or not await self._role.is_busy():
                return
            await self.world.clock.sleep(SETTLE_STEP_S)

    def end(self) -> None:
        """Soon: what is being read is reported first."""
        self.watchman.stopped = True

    async def stop(self) -> None:
        self._hearing.close()
        await self.watchman.stop()
        if self._control is not None:
            await self._control.stop()
        if self._tower is not None:
            await self._tower.stop()
        self.recorder.stop()
        self._unlock()
        await self.world.spawn.stop()


async def _nobody(request: Request) -> Struct:
    raise NotDone("there is no queue of ours here: the mail server beside us has it")
