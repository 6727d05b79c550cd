"""A spool on the disk that forgets, in virtual time, for tests of what it keeps."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from mailbag import BODY, Mailbag
from sekisho.model.config import Queue
from sekisho.model.delivery import Delivery, State
from sekisho.model.letter import Letter
from sekisho.model.queue_row import QueueRow
from sekisho.model.selector import Selector
from sekisho.store.spool import Draft, Due, Spool
from sekisho.store.spool_actions import Order, Verb
from sekisho.testing.disk import FakeDisk
from sekisho.testing.loop import run
from sekisho.testing.world import fakes
from sekisho.world import Unavailable

FOLDER = "/state/spool"
ALL = tuple(State)


class Taking:
    """A Taker that keeps what it is given."""

    def __init__(self, *, room: bool = True) -> None:
        self.room = room
        self.taken: list[Delivery] = []
        self.waiting: list[Delivery] = []
        self.given_back: list[Delivery] = []
        self.due: list[Due] = []

    def reserve(self, deliveries: Sequence[Delivery], size: int, party: str) -> bool:
        return self.room

    def take(self, deliveries: tuple[Delivery, ...], letter: Letter) -> None:
        self.taken += deliveries

    def waits(self, deliveries: Sequence[Delivery]) -> None:
        self.waiting += deliveries

    def found(self, due: Due) -> None:
        self.due.append(due)

    def give_back(self, deliveries: Sequence[Delivery]) -> None:
        self.given_back += deliveries


class Store:
    """`spool` on `disk`; `reopen` is a restart, after a crash if a disk is given."""

    def __init__(self, settings: Queue | None = None) -> None:
        self.settings = settings or Queue()
        self.disk = FakeDisk()
        self.fakes = fakes(disk=self.disk)
        self.mailbag = Mailbag(self.fakes)
        self.open()

    def open(self) -> None:
        self.spool = Spool.open(FOLDER, self.fakes.world, self.settings)

    def reopen(self, disk: FakeDisk | None = None) -> None:
        if disk is None:
            self.spool.close()
        self.disk = disk or self.disk
        self.fakes = type(self.fakes)(
            self.fakes.clock, self.fakes.chance, self.fakes.dns, self.fakes.net, self.disk, self.fakes.spawn
        )
        self.open()

    async def keep(self, *recipients: str, body: bytes = BODY, **traits: Any) -> Draft:
        draft = self.mailbag.draft(*recipients, body=body, **traits)
        await self.spool.submit(draft, (body,))
        return draft

    async def keep_large(self, body: bytes) -> Draft:
        draft = self.mailbag.draft(body=body)
        big = self.spool.big_body(draft.message.id)
        await big.write(body)
        await big.finish()
        await self.spool.submit(draft, big)
        return draft

    async def rows(self, **wanted: Any) -> list[QueueRow]:
        return await self.spool.select(Selector(**{"states": ALL, **wanted}), 1000)

    async def do(self, verb: Verb, held: str = "", **wanted: Any) -> str:
        action = self.mailbag.ident()
        self.last = await self.spool.perform(Order(action, verb, Selector(**wanted), held))
        return action


def with_store(scene: Callable[[Store], Awaitable[None]], settings: Queue | None = None) -> None:
    async def main() -> None:
        store = Store(settings)
        await scene(store)
        store.spool.close()

    run(main())


class Faults:
    """The next `count` operations of these kinds fail."""

    def __init__(self, disk: FakeDisk, why: str, operations: Sequence[str] = ("write", "sync")) -> None:
        self.count = 0
        self._why = why
        self._operations = operations
        disk.before = self._before

    def _before(self, operation: str, path: str) -> None:
        if self.count and operation in self._operations:
            self.count -= 1
            raise Unavailable(path, self._why)
