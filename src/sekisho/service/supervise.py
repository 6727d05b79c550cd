"""The supervisor of `processes = "split"`: binds, starts each role as a process, restarts what dies, and
stops in order.

It parses nothing that a stranger sent. A role that dies is started again after a growing wait, one that hangs
is ended and replaced (`heartbeat.py`); mail goes on meanwhile as far as the others can do without it. Fronts
stop first, so that what they finish is still observed.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from functools import partial

from sekisho.model.config import Config
from sekisho.service.boundary import Record
from sekisho.service.channel import ChannelServer, NotDone, SocketChannel
from sekisho.service.control import control_path, role_path
from sekisho.service.desk import Desk
from sekisho.service.estate import Estate, Identity, Place
from sekisho.service.handing import NOTHING, Handed, Sockets
from sekisho.service.heartbeat import STATUS_S, Heartbeat, status_of
from sekisho.service.messages import Reload, StatusAnswer, StatusAsk
from sekisho.service.rereading import after_restart
from sekisho.service.rotation import hourly
from sekisho.store.settings import load
from sekisho.world import Unavailable

STOP_S = 60
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 5.0
WELL_AFTER_S = 10.0
"""A role that lived this long starts again without a wait."""

ASKED_AT_ONCE = ("vault", "local")
"""A front's first client may want to log in: these answer before it is started."""

LIFELINE = "SEKISHO_LIFELINE"
"""Environment of a role: a pipe that ends when the supervisor does, however it ends."""

PEERS = "SEKISHO_PEERS"
"""Environment of a role: the numbers of the users that may ask it."""



def supervised() -> bool:
    """In a role: whether a supervisor has started it; else a service manager has, or a person."""
    return LIFELINE in os.environ


def peers() -> frozenset[int]:
    """In a role: the users of other roles that may ask it."""
    return frozenset(int(word) for word in os.environ.get(PEERS, "").split())


def watch_lifeline(orphaned: Callable[[], None]) -> None:
    """In a role: calls `orphaned` when the supervisor is gone."""
    if number := os.environ.get(LIFELINE, ""):
        loop = asyncio.get_running_loop()

        def gone() -> None:
            loop.remove_reader(int(number))
            orphaned()

        loop.add_reader(int(number), gone)


class Child:
    """One role's process, started again whenever it ends before it is told to."""

    def __init__(
        self,
        role: str,
        settings: str,
        handed: Handed,
        lifeline: int,
        place: Place,
        record: Record,
    ) -> None:
        self.role = role
        self._place = place
        self._settings = settings
        self._handed = handed
        self._lifeline = lifeline
        self._record = record
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._killed_for = ""
        self.restarts = 0

    async def keep(self) -> None:
        """Runs until `stop`."""
        wait = FIRST_WAIT_S
        while not self._stopping:
            began = asyncio.get_running_loop().time()
            await self._start()
            assert self._process is not None
            await self._process.wait()
            if self._stopping:
                return
            self.restarts += 1
            why, self._killed_for = self._killed_for or f"ended with {self._process.returncode}", ""
            self._record("role", self.role, f"{why}, started again")
            if asyncio.get_running_loop().time() - began > WELL_AFTER_S:
                wait = FIRST_WAIT_S
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT_S)

    async def _start(self) -> None:
        identity = self._place.identity
        asking = " ".join(str(uid) for uid in sorted(self._place.peers))
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sekisho", "serve", "-c", self._settings, "--role", self.role),
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=(*self._handed.numbers, self._lifeline),
            env={
                **os.environ,
                **self._handed.environment,
                LIFELINE: str(self._lifeline),
                PEERS: asking,
            },
            preexec_fn=partial(_become, identity) if identity is not None else None,
        )

    @property
    def life(self) -> int:
        """Of the process that runs now, a number of its own; 0 while there is none."""
        running = self._process is not None and self._process.returncode is None
        return self.restarts + 1 if running else 0

    def replace(self, why: str) -> None:
        """Ends it at once, for this reason; `keep` starts it again."""
        if self.life and not self._stopping:
            assert self._process is not None
            self._killed_for = why
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()  # who hangs does not hear SIGTERM

    def let_end(self) -> None:
        """It is not started again."""
        self._stopping = True

    async def stop(self) -> None:
        self.let_end()
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()


def _become(identity: Identity) -> None:
    """In the new process, before it is a program (uvloop has no `user=`)."""
    os.umask(0o027)
    os.setgroups(identity.groups)
    os.setgid(identity.gid)
    os.setuid(identity.uid)


class Supervisor:
    def __init__(self, config: Config, settings: str, record: Record) -> None:
        self._config = config
        self._settings = settings
        self._record = record
        self._fronts = [f"front-{number}" for number in range(1, config.fronts + 1)]
        self._sockets = Sockets()
        self._children: list[Child] = []
        self._keeping: list[asyncio.Task[None]] = []
        self._control: ChannelServer | None = None
        self._heartbeats: list[Heartbeat] = []

    async def start(self) -> dict[str, str]:
        """Binds and starts everything; returns name -> address once every role answers. Raises
        Unavailable."""
        state = self._config.state
        self._estate = estate = Estate(self._config, self._settings)
        estate.arrange()
        self._sockets.bind(self._config, len(self._fronts))
        self._lifeline = os.pipe()  # the writing end is open in this process only
        self._channels = {role: SocketChannel(role, role_path(state, role)) for role in estate.roles}
        for role in estate.roles:
            self._engage(role, estate.place(role))
            if role in ASKED_AT_ONCE:
                await self._answers(role)
        fronts = [self._channels[name] for name in self._fronts]
        desk = Desk(self._channels["watch"], fronts, self.status, self.reload)
        self._control = ChannelServer(control_path(state), desk.handle, self._record)
        await self._control.start()
        for role in estate.roles:
            await self._answers(role)
        self._look_after()
        return self._sockets.listening

    def _engage(self, role: str, place: Place) -> None:
        handed = self._sockets.of(self._fronts.index(role)) if role in self._fronts else NOTHING
        child = Child(role, self._settings, handed, self._lifeline[0], place, self._record)
        self._children.append(child)
        self._keeping.append(asyncio.create_task(child.keep(), name=role))

    def _look_after(self) -> None:
        keys = hourly(self._estate.tend_keys, "return keys", self._record)
        self._keeping.append(asyncio.create_task(keys, name="return keys"))
        silence_s = self._config.limits.role_silence_s
        for child in self._children:
            heart = Heartbeat(self._channels[child.role], child, silence_s)
            self._heartbeats.append(heart)
            self._keeping.append(asyncio.create_task(heart.beat(), name=child.role))

    def well(self) -> bool:
        """Whether no role has been silent for longer than it may: else the service manager must know."""
        return all(heart.well for heart in self._heartbeats)

    async def _answers(self, role: str) -> None:
        """Once it does."""
        while True:
            self._raise_if_unable()
            with contextlib.suppress(Unavailable):
                await self._channels[role].ask(StatusAsk(), StatusAnswer)
                return
            await asyncio.sleep(0.05)

    def _raise_if_unable(self) -> None:
        """A role whose process cannot even be made."""
        for task in self._keeping:
            if task.done() and (error := task.exception()) is not None:
                raise Unavailable(f"the role {task.get_name()}", str(error))

    async def status(self) -> StatusAnswer:
        asked = {role: status_of(channel, STATUS_S) for role, channel in self._channels.items()}
        answers = dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))
        counts = {f"{child.role}.restarts": child.restarts for child in self._children}
        for role, answer in answers.items():
            if answer is not None:
                counts |= {f"{role}.{name}": count for name, count in answer.counts.items()}
                counts[f"{role}.pid"] = answer.pid
        silent = tuple(role for role, answer in answers.items() if answer is None)
        alarms = tuple(alarm for answer in answers.values() if answer is not None for alarm in answer.alarms)
        return StatusAnswer(not silent, os.getpid(), self._sockets.listening, counts, silent, alarms)

    async def reload(self) -> tuple[str, ...]:
        """Every role reads its settings again, once they are known to be good: else ConfigError, and nobody
        is told. Raises Unavailable, with who keeps the old ones and why. The keys that want a restart."""
        config = load(self._settings)
        self._estate.arrange_files()
        refused = []
        for role, channel in self._channels.items():
            try:
                await channel.ask(Reload(), StatusAnswer)
            except (Unavailable, NotDone) as trouble:
                refused.append(f"{role}: {trouble}")
        if refused:
            raise Unavailable("the roles", "; ".join(refused))
        return after_restart(self._config, config)

    async def stop(self) -> None:
        for heart in self._heartbeats:
            heart.stop()
        if self._control is not None:
            await self._control.stop()
        for child in self._children:
            child.let_end()
        self._sockets.close()
        fronts = [child for child in self._children if child.role in self._fronts]
        await asyncio.gather(*(child.stop() for child in fronts))
        await asyncio.gather(*(child.stop() for child in self._children))
        for task in self._keeping:
            task.cancel()
        for end in self._lifeline:
            os.close(end)
