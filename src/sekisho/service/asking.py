"""What checks ask, answered once per transaction from the front's doors (`checks/ask.py` says what each
means).
"""

from typing import Any, TypeVar

from sekisho.checks.ask import AskedDkim, AskedDmarc, AskedSpf, Judgement, Known
from sekisho.checks.takeover import held_under
from sekisho.model.delivery import Kind
from sekisho.model.event import Event
from sekisho.model.selector import Selector
from sekisho.service.addressing import Road
from sekisho.service.course import NOBODY
from sekisho.service.front import Front
from sekisho.service.proving import Proving
from sekisho.world import Unavailable

MEMO = 4096
"""Most answers kept in one transaction; beyond it everything is asked again."""


ELSEWHERE = (Kind.MX, Kind.RELAY)
Answer = TypeVar("Answer")


class Asking:
    """One for each session. `event` is what the client is doing: the guard learns of it when it is asked."""

    __slots__ = ("_front", "_memo", "_standing", "author", "event", "proofs")

    def __init__(self, front: Front) -> None:
        self._front = front
        self._memo: dict[tuple[str, ...], Any] = {}
        self._standing: tuple[Event, Judgement] | None = None
        self.author = NOBODY
        self.event: Event | None = None
        self.proofs = Proving(front.world)

    def forget(self) -> None:
        """A transaction begins or is over: what changes meanwhile (a new account, a new alias) is seen by
        the next.
        """
        self.author = NOBODY
        self.proofs.forget()
        if self._memo:
            self._memo = {}

    async def is_local_domain(self, domain: str) -> bool:
        place = ("local", domain)
        found: bool | None = self._memo.get(place)
        if found is None:
            found = self._keep(place, self._front.stores.directory.is_local_domain(domain))
        return found

    async def resolve(self, address: str) -> tuple[str, ...] | None:
        return tuple([road.recipient for road in self.roads(address)]) or None

    def roads(self, address: str) -> tuple[Road, ...]:
        """By whose mail it is: `author` is set when a transaction begins."""
        place = ("roads", address)
        found: tuple[Road, ...] | None = self._memo.get(place)
        if found is None:
            found = self._keep(place, self._front.addressing.roads(address, self.author))
        return found

    async def named(self, address: str) -> bool:
        """A name that the rules send elsewhere is known there or not."""
        if self._front.returns.origin(address, self._front.now()):
            return True
        return self._front.stores.directory.named(address) or await self.leaves(address)

    async def leaves(self, address: str) -> bool:
        return any(road.by and road.route.kind in ELSEWHERE for road in self.roads(address))

    async def verified(self, address: str) -> Known:
        """One road on which it is known is enough; the others' bounces are their aliases' affair."""
        roads = self.roads(address)
        if not roads or not all(road.verify for road in roads):
            return "known"
        place = ("verified", address)
        found: Known | None = self._memo.get(place)
        if found is not None:
            return found
        answers = [await self._front.verify(road.route, road.recipient) for road in roads]
        best: Known = "known" if "known" in answers else "silent" if "silent" in answers else "unknown"
        return self._keep(place, best)

    async def is_full(self, address: str, size: int) -> bool:
        road = self._mailbox(address)
        return road is not None and await self._front.is_full(road, size)

    async def never_fits(self, address: str, size: int) -> bool:
        road = self._mailbox(address)
        return road is not None and self._front.never_fits(road, size)

    def _mailbox(self, address: str) -> Road | None:
        """The road to the one mailbox of ours that it leads to alone."""
        try:
            roads = self.roads(address)
        except Unavailable:  # whether it exists is the question that must be answered
            return None
        return roads[0] if len(roads) == 1 and roads[0].route.kind is Kind.MAILDIR else None

    async def over_quota(self) -> str:
        return self._front.config.local.over_quota

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

    async def spf(self) -> AskedSpf | None:
        return await self.proofs.spf()

    async def dkim(self) -> AskedDkim | None:
        return await self.proofs.dkim()

    async def dmarc(self) -> AskedDmarc | None:
        return await self.proofs.dmarc()

    async def count(self, table: str, key: str) -> int:
        return self._front.counts.sum(table, key, self._front.now())

    def _keep(self, place: tuple[str, ...], answer: Answer) -> Answer:
        if len(self._memo) >= MEMO:
            self._memo = {}
        self._memo[place] = answer
        return answer
