"""Answers for checks, from dictionaries."""

from collections.abc import Coroutine, Mapping
from typing import Any

from msgspec import Struct, field

from sekisho.checks.ask import AskedDkim, AskedDmarc, AskedSpf, Client, Judgement, Known
from sekisho.model.incident import Standing
from sekisho.model.verdict import Verdict

NOW = 1_374_486_766_000_000
STRANGER = Client("s", "mx", "192.0.2.7")
TRUSTED = Client("s", "mx", "10.0.0.1", trusted=True)
ALICE = Client("s", "submission", "192.0.2.7", account="alice@example.com", submission=True)
LEADS = {
    "alice@example.com": ("alice@example.com",),
    "info@example.com": ("alice@example.com", "x@far.example"),
}


class Answers(Struct):
    """What would be asked of the world. `asked` lists the questions."""

    leads: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: LEADS)
    caught: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    said: Known = "known"
    free: int = 10**9
    judgement: Judgement = Judgement(Standing("alice@example.com", "192.0.2.7"))
    room: bool = True
    full: tuple[str, ...] = ()
    tiny: tuple[str, ...] = ()
    when_full: str = "later"
    counted: int = 0
    proof: AskedSpf | None = None
    signed: AskedDkim | None = None
    author: AskedDmarc | None = None
    asked: list[str] = []

    async def is_local_domain(self, domain: str) -> bool:
        return domain == "example.com"

    async def resolve(self, address: str) -> tuple[str, ...] | None:
        return self.leads.get(address) if address.endswith("@example.com") else (address,)

    async def leaves(self, address: str) -> bool:
        return address in self.elsewhere

    async def verified(self, address: str) -> Known:
        return self.said

    async def named(self, address: str) -> bool:
        return address in self.leads and address not in self.caught

    async def is_full(self, address: str, size: int) -> bool:
        self.asked.append("is_full")
        return address in self.full or await self.never_fits(address, size)

    async def never_fits(self, address: str, size: int) -> bool:
        return address in self.tiny and size > 1000

    async def over_quota(self) -> str:
        return self.when_full

    async def may_send_as(self, account: str, address: str) -> bool:
        return address in ("", account)

    async def free_bytes(self) -> int:
        return self.free

    async def standing(self) -> Judgement:
        self.asked.append("standing")
        return self.judgement

    async def may_hold(self, size: int) -> bool:
        return self.room

    async def spf(self) -> AskedSpf | None:
        return self.proof

    async def dkim(self) -> AskedDkim | None:
        return self.signed

    async def dmarc(self) -> AskedDmarc | None:
        return self.author

    async def count(self, table: str, key: str) -> int:
        return self.counted


def verdict(asking: Coroutine[Any, Any, Verdict]) -> Verdict:
    """A check that gets its answers at once never waits."""
    try:
        asking.send(None)
    except StopIteration as end:
        answer: Verdict = end.value
        return answer
    raise AssertionError("it waits")
