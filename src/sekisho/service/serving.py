"""The server: all roles in one process, or one role of a server whose supervisor has started it.

Order of starting: vault and watch, then the front, whose listeners open last; of stopping, the reverse, so
that what a front still finishes is observed.
"""

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from socket import socket
from typing import Any

from msgspec import Struct, structs

from sekisho.model.config import Config
from sekisho.model.config_listen import served
from sekisho.net import listen
from sekisho.service.channel import Channel, ChannelServer, LocalChannel, NotDone, SocketChannel
from sekisho.service.control import control_path, role_path, run_folder
from sekisho.service.desk import Desk
from sekisho.service.estate import Estate
from sekisho.service.handing import inherited, neighbours
from sekisho.service.heartbeat import STATUS_S, status_of
from sekisho.service.messages import Reload, Request, StatusAnswer, StatusAsk
from sekisho.service.recording import Recorder
from sekisho.service.rereading import after_restart, change
from sekisho.service.roles import (
    FrontOffice,
    LocalOffice,
    VaultKeeper,
    WatchTower,
    prepared_world,
    real_world,
    recorder_of,
)
from sekisho.service.rotation import hourly
from sekisho.service.supervise import peers, supervised
from sekisho.store import return_keys
from sekisho.store.settings import ConfigError, load
from sekisho.world import World


class Server:
    """All roles in this process. `settings` is the file that `reload` reads again; "" keeps what is."""

    def __init__(
        self, config: Config, world: World | None = None, *, settings: str = "", encode: bool = False
    ) -> None:
        self.config = self._began = config
        self.world = world or real_world(config)
        self.recorder: Recorder | None = None
        self._settings = settings
        self._encode = encode

    async def start(self) -> dict[str, str]:
        """Name of each listener -> where it listens. Raises Unavailable."""
        world, config = self.world, self.config
        os.makedirs(run_folder(config.state), mode=0o700, exist_ok=True)
        self._tend_keys()
        self.recorder = recorder = recorder_of(world, config, "front-1")
        world.spawn.task("events", recorder.run())
        world.spawn.task("new return keys", hourly(self._tend_keys, "return keys", recorder.trouble))
        self._vault = VaultKeeper(world, config)
        self._watch = WatchTower(world, config, recorder)
        self._local = LocalOffice(world, config)
        self._front = FrontOffice(world, config, recorder, fronts=1)
        front = self._channel(self._front.handle)
        watch = self._channel(self._watch.handle)
        vault = LocalChannel(self._vault.handle, recorder.trouble, encode=self._encode, reveal=True)
        await self._watch.open([front], vault)
        await self._front.open(watch, vault, self._channel(self._local.handle))
        desk = Desk(watch, [front], self.status, self.reload)
        self._control = ChannelServer(control_path(config.state), desk.handle, recorder.trouble)
        await self._control.start()
        return self._front.listening

    def hush(self) -> None:
        """Who has started it tells of incidents in its own way."""
        self._watch.hush()

    def _tend_keys(self) -> None:
        world, config = self.world, self.config
        return_keys.tend(world.disk, world.chance, config.state, world.clock.now(), config.returns.lifetime_s)

    def _channel(self, handler: Callable[[Request], Coroutine[Any, Any, Struct | None]]) -> LocalChannel:
        assert self.recorder is not None
        return LocalChannel(handler, self.recorder.trouble, encode=self._encode)

    async def status(self) -> StatusAnswer:
        answer = await self._front.handle(StatusAsk())
        assert isinstance(answer, StatusAnswer)
        return structs.replace(answer, alarms=self._watch.alarms)

    def well(self) -> bool:
        """Its loop turns: there is no more to know of one process."""
        return True

    async def reload(self) -> tuple[str, ...]:
        """The keys that want a restart. Raises ConfigError and Unavailable, and then everything stays as it
        is."""
        if self._settings:
            fresh = load(self._settings)
            change((self._vault, self._watch, self._local, self._front), fresh)
            self._changed(fresh)
        return after_restart(self._began, self.config)

    def _changed(self, config: Config) -> None:
        assert self.recorder is not None
        self.config = config
        self.recorder.configure(config.events.keep_days)
        prepared_world(self.world, config)()

    async def stop(self) -> None:
        await self._control.stop()
        await self._front.stop()
        assert self.recorder is not None
        self.recorder.flush()
        await self._watch.stop()
        await self._vault.stop()
        self.recorder.stop()
        await self.world.spawn.stop()


class Post:
    """One role of a split server, on its own socket. Without a supervisor it knows its neighbours from the
    settings, a front binds its listeners itself, and watch answers the command line."""

    def __init__(self, config: Config, name: str, settings: str) -> None:
        self.config = self._began = config
        self.name = name
        shared = name.startswith("front") and config.users.local
        self.world = real_world(config, files=0o640 if shared else 0o600)
        self.recorder = recorder_of(self.world, config, name)
        self._settings = settings
        heard = peers() if supervised() else Estate(config, settings).place(name).peers
        self._desk: ChannelServer | None = None
        self._role: FrontOffice | WatchTower | VaultKeeper | LocalOffice
        self._server = ChannelServer(
            role_path(config.state, name),
            self._handle,
            self.recorder.trouble,
            reveal=name == "vault",
            peers=heard,
        )

    async def start(self) -> dict[str, str]:
        """The role first, then its socket: who is answered finds it ready. Where it listens for mail. Raises
        Unavailable."""
        self.world.spawn.task("events", self.recorder.run())
        match self.name.partition("-"):
            case ("vault", _, _):
                self._role = VaultKeeper(self.world, self.config)
            case ("local", _, _):
                self._role = LocalOffice(self.world, self.config)
            case ("watch", _, _):
                self._role = WatchTower(self.world, self.config, self.recorder)
                await self._role.open(self._fronts(), self._to("vault"))
            case ("front", _, number):
                self._role = FrontOffice(self.world, self.config, self.recorder, int(number))
                watch, vault, local = (self._to(name) for name in ("watch", "vault", "local"))
                await self._role.open(watch, vault, local, self._sockets(), neighbours())
        await self._server.start()
        if self.name == "watch" and not supervised():
            await self._open_desk(LocalChannel(self._role.handle, self.recorder.trouble))
        return self._role.listening if isinstance(self._role, FrontOffice) else {}

    def _sockets(self) -> dict[str, socket]:
        """Those that are not here are bound by the reception."""
        if supervised() or self.config.fronts == 1:
            return inherited()
        state = self.config.state
        return {
            name: listen.bind(each.address, state, listen.mode_of(each.protocol), listen.SHARED)
            for name, each in served(self.config.listen).items()
        }

    async def _open_desk(self, watch: Channel) -> None:
        fronts = self._fronts()
        desk = Desk(watch, fronts, partial(self._status, fronts), partial(self._reload_all, fronts))
        self._desk = ChannelServer(control_path(self.config.state), desk.handle, self.recorder.trouble)
        await self._desk.start()

    async def _status(self, fronts: Sequence[Channel]) -> StatusAnswer:
        """As far as watch may ask: itself and the fronts."""
        found = await asyncio.gather(*(status_of(front, STATUS_S) for front in fronts))
        answers = {f"front-{number}": answer for number, answer in enumerate(found, 1)}
        heard = {name: answer for name, answer in answers.items() if answer is not None}
        listening = {name: where for answer in heard.values() for name, where in answer.listening.items()}
        counts = {
            f"{name}.{count}": value
            for name, answer in heard.items()
            for count, value in {**answer.counts, "pid": answer.pid}.items()
        }
        silent = tuple(name for name in answers if name not in heard)
        alarms = self._role.alarms if isinstance(self._role, WatchTower) else ()
        return StatusAnswer(not silent, os.getpid(), listening, counts, silent, alarms)

    async def _reload_all(self, fronts: Sequence[Channel]) -> None:
        await self.reload()
        for front in fronts:
            await front.ask(Reload(), StatusAnswer)

    def _fronts(self) -> list[SocketChannel]:
        return [self._to(f"front-{n + 1}") for n in range(self.config.fronts)]

    def _to(self, role: str) -> SocketChannel:
        return SocketChannel(role, role_path(self.config.state, role), reveal=role == "vault")

    async def _handle(self, request: Request) -> Struct | None:
        if isinstance(request, Reload):
            await self.reload()
            request = StatusAsk()
        return await self._role.handle(request)

    def well(self) -> bool:
        """As `Server.well`."""
        return True

    async def reload(self) -> tuple[str, ...]:
        """As `Server.reload`; for who asks over the socket a mistake in the settings is a refusal."""
        try:
            fresh = load(self._settings)
        except ConfigError as error:
            raise NotDone(str(error)) from error
        change((self._role,), fresh)
        self.config = fresh
        self.recorder.configure(fresh.events.keep_days)
        prepared_world(self.world, fresh)()
        return after_restart(self._began, fresh)

    async def stop(self) -> None:
        if self._desk is not None:
            await self._desk.stop()
        await self._server.stop()
        await self._role.stop()
        self.recorder.stop()
        await self.world.spawn.stop()
