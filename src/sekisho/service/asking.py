"""What checks ask, answered once per transaction from the front's doors (`checks/ask.py` says what each
means).
"""

from typing import Any

from sekisho.checks.ask import Judgement
from sekisho.checks.takeover import held_under
from sekisho.model.event import Event
from sekisho.model.selector import Selector
from sekisho.service.front import Front

MEMO = 4096
"""Most answers kept in one transaction; beyond it everything is asked again."""


class Asking:
    """One for each session. `event` is what the client is doing: the guard learns of it when it is asked."""

    __slots__ = ("_front", "_memo", "_standing", "event")

    def __init__(self, front: Front) -> None:
        self._front = front
        self._memo: dict[tuple[str, ...], Any] = {}
        self._standing: tuple[Event, Judgement] | None = None
        self.event: Event | None = None

    def forget(self) -> None:
        """A transaction begins or is over: what changes meanwhile (a new account, a new alias) is seen by
        the next.
        """
        if self._memo:
            self._memo = {}

    async def is_local_domain(self, domain: str) -> bool:
        place = ("local", domain)
        if place not in self._memo:
            self._keep(place, self._front.stores.directory.is_local_domain(domain))
        return bool(self._memo[place])

    async def resolve(self, address: str) -> tuple[str, ...] | None:
        return self.resolved(address)

    def resolved(self, address: str) -> tuple[str, ...] | None:
        place = ("resolve", address)
        if place not in self._memo:
            self._keep(place, self._origin(address) or self._front.stores.directory.resolve(address))
        answer: tuple[str, ...] | None = self._memo[place]
        return answer

    async def named(self, address: str) -> bool:
        return bool(self._origin(address)) or self._front.stores.directory.named(address)

    def _origin(self, address: str) -> tuple[str, ...]:
        origin = self._front.returns.origin(address, self._front.now())
        return (origin,) if origin else ()

    async def may_send_as(self, account: str, address: str) -> bool:
        return self._front.stores.directory.may_send_as(account, address)

    async def free_bytes(self) -> int:
        return self._front.free_bytes()

    async def standing(self) -> Judgement:
        assert self.event is not None, "only what is happening can be judged"
        if self._standing is None or self._standing[0] is not self.event:
            self._standing = (self.event, await self._front.judging.judge(self.event))
        return self._standing[1]

    @property
    def place(self) -> str:
        """What the guard thinks of where the client is, as it was last asked; "" if it was not."""
        return self._standing[1].standing.place if self._standing is not None else ""

    async def may_hold(self, size: int) -> bool:
        standing = (await self.standing()).standing
        settings = self._front.config.guard
        selector = Selector(account=standing.account, held_by=held_under(standing))
        held = await self._front.stores.spool.count(selector)
        return held.messages < settings.held_messages and held.bytes + size <= settings.held_bytes

    async def count(self, table: str, key: str) -> int:
        return self._front.counts.sum(table, key, self._front.now())

    def _keep(self, place: tuple[str, ...], answer: Any) -> None:
        if len(self._memo) >= MEMO:
            self._memo = {}
        self._memo[place] = answer
