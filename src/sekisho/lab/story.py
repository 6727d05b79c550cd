"""The demo as it happens: the day is played on the real server, in a minute, and somebody hears of it."""

import asyncio
from collections.abc import Callable, Sequence

from msgspec import Struct

from sekisho.lab.cast import OWNER, Script
from sekisho.lab.player import Call, Caller, Doorway, Paper, call
from sekisho.lab.reckoning import Ledger, Played
from sekisho.lab.scenes import Scene
from sekisho.lab.stage import Stage
from sekisho.lab.visits import SECOND
from sekisho.model.secret import Secret
from sekisho.world import Clock

CALLS_AT_ONCE = 8
"""So many clients are connected at the same time; the rest wait for a free line."""

WRONG = Secret(b"not the password")


class Tempo(Struct, frozen=True):
    """The day takes `day_s`; watched mail waits `delay_s`; what is under way at the end gets `patience_s`."""

    day_s: float = 42.0
    delay_s: int = 8
    patience_s: float = 20.0


PACED, FAST = Tempo(), Tempo(day_s=5.0, delay_s=4, patience_s=15.0)

Hear = Callable[[Played], None]


class Story:
    """Plays scenes against the stage. `hear` is told of every call when it is over."""

    def __init__(self, script: Script, stage: Stage, mx: Doorway, clock: Clock, hear: Hear) -> None:
        self.ledger = Ledger(script.hosts_refuse, OWNER)
        self._stage = stage
        self._mx = mx
        self._clock = clock
        self._hear = hear
        self._lines = asyncio.Semaphore(CALLS_AT_ONCE)

    async def play(self, day: Sequence[Scene], tempo: Tempo) -> None:
        """The first scene at once, the last when `day_s` are over."""
        first, last = day[0].at, day[-1].at
        begun = self._clock.ticks()
        async with asyncio.TaskGroup() as players:
            for scene in day:
                due = tempo.day_s * SECOND * (scene.at - first) / max(last - first, 1)
                await self._clock.sleep(max(0.0, (begun + due - self._clock.ticks()) / SECOND))
                players.create_task(self._perform(scene))

    async def _perform(self, scene: Scene) -> None:
        async with self._lines:
            began = self._clock.now()
            if scene.wrong:
                await self._call(scene, WRONG, ())
            told = await self._call(scene, self._stage.passwords.get(scene.account), scene.papers)
            played = Played(scene, told, began, self._clock.now())
        self.ledger.played.append(played)
        self._hear(played)

    async def _call(self, scene: Scene, password: Secret | None, papers: tuple[Paper, ...]) -> Call:
        hello = f"[{scene.address}]" if "." in scene.address else "client.example"
        if scene.side == "outside":
            return await call(self._mx, Caller("", "mail.host.example"), papers)
        return await call(
            self._stage.customers, Caller(scene.address, hello, scene.account, password), papers
        )
