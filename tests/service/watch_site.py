"""A watch with a house, two fronts that remember what they were asked, and a town that is robbed."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
from msgspec import Struct

from guard.streams import MINUTE, Town, bot
from sekisho.model import config
from sekisho.model.account import Account, Domain
from sekisho.model.action import Performed
from sekisho.model.config import Config
from sekisho.model.event import Event
from sekisho.model.incident import Standing
from sekisho.service.channel import LocalChannel
from sekisho.service.messages import Deposit, IncidentAnswer, IncidentAsk, Judge, Request
from sekisho.service.watching import WatchRole
from sekisho.store.house import Change, House
from sekisho.testing.loop import run
from sekisho.testing.net import FakeNet
from sekisho.testing.world import FakeDns, Fakes, fakes
from sekisho.world import Unavailable

HELLO = "hello@example.com"
CHANGE = Change(1, "operator test", "tested", "x")


class Front:
    """Remembers what it was asked; answers, or is not there."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.away = False

    async def handle(self, request: Request) -> Struct:
        if self.away:
            raise Unavailable("front", "gone")
        self.asked.append(request)
        return Performed(request.action, "spool", 1, ("d1", "d2"), count=2)  # type: ignore[attr-defined]

    def of(self, kind: type) -> list[Request]:
        return [request for request in self.asked if isinstance(request, kind)]


class Recording:
    """In a recorder's place."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.troubles: list[tuple[str, str, str]] = []

    def record(self, event: Event) -> None:
        self.events.append(event)

    def trouble(self, what: str, about: str, trace: str) -> None:
        self.troubles.append((what, about, trace))


class Site:
    """A house, two fronts and a watch; `town` says what happens, day by day, and the watch is told of it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.config = Config(
            hostname="mx.example.com", state=str(folder), guard=config.Guard(help_url="https://help.example")
        )
        self.house = House.create(str(folder))
        self.house.save_domain(Domain("example.com"), CHANGE)
        self.house.save_account(Account(HELLO, language="ja"), CHANGE)
        self.fronts = [Front(), Front()]
        self.recording = Recording()
        self.dns, self.net = FakeDns(), FakeNet()
        self.town = Town()
        (folder / "networks.table").write_bytes(TABLE_BYTES)
        self.start_again()

    def start_again(self) -> None:
        """A new process on the same house."""
        self.fakes: Fakes = fakes(self.town.at, dns=self.dns, net=self.net)
        trouble = self.recording.trouble
        channels = [LocalChannel(front.handle, trouble, encode=True) for front in self.fronts]
        self.role = WatchRole(self.fakes.world, self.config, self.house, channels, self.recording)  # type: ignore[arg-type]

    async def live(self, days: int) -> None:
        await self.observe(partial(self.town.lives, days))

    async def observe(self, happens: Callable[[], object]) -> None:
        before = len(self.town.fed)
        happens()
        for event in self.town.fed[before:]:
            await self.role.handle(Judge(event))

    async def judged(self, happens: Callable[[], object]) -> Standing:
        """The watch's word on the last event of these."""
        before = len(self.town.fed)
        happens()
        self.set_clock()
        answer = None
        for event in self.town.fed[before:]:
            answer = await self.role.handle(Judge(event))
        assert isinstance(answer, Standing)
        return answer

    def set_clock(self) -> None:
        self.fakes.clock._now = self.town.at

    async def attack(self, bots: int = 5) -> Standing:
        self.first = self.town.at + MINUTE
        for number in range(bots):
            last = await self.judged(lambda number=number: self.town.wait(MINUTE).login(bot(number)))
        await self.settle()
        return last

    async def settle(self) -> None:
        """What was begun beside comes to its end."""
        await self.fakes.clock.sleep(0.5)

    async def ask(self, verb: str, ident: str = "", **more: object) -> IncidentAnswer:
        self.set_clock()
        answer = await self.role.handle(IncidentAsk(verb, ident, **({"by": "operator ann"} | more)))  # type: ignore[arg-type]
        assert isinstance(answer, IncidentAnswer)
        await self.settle()
        return answer

    def asked(self, kind: type) -> list[Request]:
        return [request for front in self.fronts for request in front.of(kind)]

    def letters(self, to: str) -> list[Deposit]:
        return [one for one in self.asked(Deposit) if one.recipient == to]  # type: ignore[attr-defined,misc]


def _table() -> bytes:
    from guard.streams import ROWS, WORLD
    from sekisho.store.networktable import compile_csv

    return compile_csv([*ROWS.splitlines(), *WORLD], "test")


TABLE_BYTES = _table()
Scene = Callable[[Site], Awaitable[None]]


def play(site: Site, scene: Scene) -> None:
    async def whole() -> None:
        await site.role.start()
        await scene(site)
        await site.role.stop()
        await site.fakes.spawn.stop()
        assert site.recording.troubles == []

    run(whole())
