"""The DNS as the authentication of mail asks it (`mail/names.py`), with an end to how long that may take."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from sekisho.mail.names import Silent
from sekisho.world import Dns, NotFound, Unavailable, World

TOGETHER_S = 20
"""After this long no further question of one evaluation is asked (RFC 7208 4.6.4)."""

SECOND = 1_000_000
Record = TypeVar("Record")


class DnsNames:
    """For one evaluation."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._until = world.clock.ticks() + TOGETHER_S * SECOND

    async def texts(self, name: str) -> tuple[bytes, ...] | None:
        return await self._answer(name, lambda dns: dns.txt(_written(name)))

    async def mail_hosts(self, name: str) -> tuple[str, ...] | None:
        found = await self._answer(name, lambda dns: dns.mx(_written(name)))
        if found is None:
            return None
        return tuple(host.name for host in sorted(found, key=lambda host: host.preference))

    async def addresses(self, name: str, family: int) -> tuple[str, ...] | None:
        return await self._answer(name, lambda dns: dns.addresses(_written(name), family))

    async def hosts_of(self, address: str) -> tuple[str, ...] | None:
        return await self._answer(address, lambda dns: dns.ptr(address))

    async def _answer(
        self, name: str, ask: Callable[[Dns], Awaitable[Sequence[Record]]]
    ) -> tuple[Record, ...] | None:
        if self._world.clock.ticks() > self._until:
            raise Silent(f"{name}: the DNS is too slow")
        try:
            return tuple(await ask(self._world.dns))
        except NotFound:
            return None
        except Unavailable as trouble:
            raise Silent(trouble.why) from trouble


def _written(name: str) -> str:
    """As zone files write it: a backslash means itself."""
    return name.replace("\\", "\\\\")
