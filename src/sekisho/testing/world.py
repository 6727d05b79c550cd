"""Fakes of the doors: a clock that is set, chance from a seed, DNS from a dictionary, work without threads.

`fake_world(now=..., mx={...})` is a whole World. On a `VirtualLoop` time passes by sleeping; on any other
loop `sleep` sets the clock forward and returns at once.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from msgspec import Struct

from sekisho.mail.tlsa import Tlsa
from sekisho.testing.disk import FakeDisk
from sekisho.testing.loop import VirtualLoop
from sekisho.testing.net import FakeNet
from sekisho.world import Disk, MxHost, Net, NotFound, Promise, Proof, Unavailable, World

NOW = 1_374_486_766_000_000
"""2013-07-22T09:52:46Z: the moment of the source's first stray login."""


class FakeClock:
    def __init__(self, now: int = NOW) -> None:
        self._now = now
        self._ticks = 0

    def now(self) -> int:
        return self._now + self._passed()

    def ticks(self) -> int:
        return self._ticks + self._passed()

    async def sleep(self, seconds: float) -> None:
        if isinstance(asyncio.get_running_loop(), VirtualLoop):
            await asyncio.sleep(seconds)
        else:
            self.advance(seconds)
            await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        """Time passes."""
        self._now += round(seconds * 1e6)
        self._ticks += round(seconds * 1e6)

    def jump(self, seconds: float) -> None:
        """Somebody sets the clock; no time passes."""
        self._now += round(seconds * 1e6)

    def _passed(self) -> int:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return 0
        return round(loop.time() * 1e6) if isinstance(loop, VirtualLoop) else 0


class FakeChance:
    """The same seed, the same luck."""

    def __init__(self, seed: int = 0) -> None:
        self.random = random.Random(seed)

    def bits(self, count: int) -> int:
        return self.random.getrandbits(count)

    def data(self, count: int) -> bytes:
        return self.random.randbytes(count)

    def between(self, low: float, high: float) -> float:
        return self.random.uniform(low, high)


class FakeDns:
    """A literal world of records. `fail` holds "mx example.com": that question gets no answer."""

    def __init__(
        self,
        mx: Mapping[str, Sequence[tuple[int, str]]] | None = None,
        addresses: Mapping[str, Sequence[str]] | None = None,
        txt: Mapping[str, Sequence[bytes]] | None = None,
        ptr: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.records: dict[str, Mapping[str, Sequence[Any]]] = {
            "mx": mx or {},
            "addresses": addresses or {},
            "txt": txt or {},
            "ptr": ptr or {},
        }
        self.fail: set[str] = set()
        self.tlsa_records: dict[str, Sequence[Tlsa]] = {}
        self.signed: set[str] | None = None
        """Names whose answers are validated; None: nobody validates."""
        self.asked: list[str] = []

    async def mx(self, domain: str) -> Sequence[MxHost]:
        return [MxHost(preference, name) for preference, name in self._answer("mx", domain)]

    async def addresses(self, name: str, family: int = 0) -> Sequence[str]:
        found = self._answer("addresses", name)
        return [each for each in found if family in (0, 6 if ":" in each else 4)]

    async def txt(self, name: str) -> Sequence[bytes]:
        return self._answer("txt", name)

    async def ptr(self, address: str) -> Sequence[str]:
        return self._answer("ptr", address)

    async def validates(self) -> str:
        return "" if self.signed is not None else "no resolver validates"

    async def proof(self, kind: str, name: str) -> Proof:
        return Proof(self.signed is not None and name in self.signed, name)

    async def tlsa(self, name: str) -> Sequence[Tlsa]:
        self.asked.append(f"tlsa {name}")
        if f"tlsa {name}" in self.fail:
            raise Unavailable("dns", f"no answer for {name}")
        return self.tlsa_records.get(name, ()) if self.signed is not None and name in self.signed else ()

    def _answer(self, kind: str, name: str) -> Sequence[Any]:
        self.asked.append(f"{kind} {name}")
        if f"{kind} {name}" in self.fail:
            raise Unavailable("dns", f"no answer for {name}")
        found = self.records[kind].get(name)
        if found is not None:
            return found
        if any(name in records for records in self.records.values()):
            return []
        raise NotFound(name)


class FakeBell:
    def promise(self) -> Promise:
        return asyncio.get_running_loop().create_future()

    def ring(self, call: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_soon(call)


class FakeWorker:
    """Takes its turns on the loop itself, `latency` seconds after it was poked."""

    def __init__(self, turn: Callable[[], float], latency: Callable[[], float]) -> None:
        self._turn = turn
        self._latency = latency
        self._due: asyncio.TimerHandle | None = None
        self._again: asyncio.TimerHandle | None = None
        self._stopped = False

    def poke(self) -> None:
        if self._due is None and not self._stopped:
            self._due = asyncio.get_running_loop().call_later(self._latency(), self._run)

    def stop(self) -> None:
        if not self._stopped:
            self._run()
        self._stopped = True
        for handle in (self._due, self._again):
            if handle is not None:
                handle.cancel()

    def _run(self) -> None:
        self._due = None
        if self._stopped:
            return
        if self._again is not None:
            self._again.cancel()
        wait_s = self._turn()
        self._again = asyncio.get_running_loop().call_later(wait_s, self._run) if wait_s else None


class FakeSpawn:
    """Work on the loop's own thread, in an order that the seed decides. `latency` says how long each job
    takes."""

    def __init__(self, latency: Callable[[], float] = lambda: 0.0) -> None:
        self._latency = latency
        self.tasks: set[asyncio.Task[None]] = set()

    def task(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def thread(self, work: Callable[[], Any]) -> Any:
        await asyncio.sleep(self._latency())
        return work()

    def bell(self) -> FakeBell:
        return FakeBell()

    def worker(self, name: str, turn: Callable[[], float]) -> FakeWorker:
        return FakeWorker(turn, self._latency)

    async def stop(self) -> None:
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


class Fakes(Struct, frozen=True):
    """The fakes of one World, to be looked at and meddled with."""

    clock: FakeClock
    chance: FakeChance
    dns: FakeDns
    net: Net
    disk: Disk
    spawn: FakeSpawn

    @property
    def world(self) -> World:
        database = self.disk.database if isinstance(self.disk, FakeDisk) else None
        return World(self.clock, self.chance, self.dns, self.net, self.disk, self.spawn, database)


def fakes(
    now: int = NOW,
    seed: int = 0,
    dns: FakeDns | None = None,
    net: Net | None = None,
    disk: Disk | None = None,
    spawn: FakeSpawn | None = None,
) -> Fakes:
    return Fakes(
        FakeClock(now),
        FakeChance(seed),
        dns or FakeDns(),
        net or FakeNet(),
        disk or FakeDisk(),
        spawn or FakeSpawn(),
    )


def fake_world(now: int = NOW, **doors: Any) -> World:
    """A World of fakes; `doors` as for `fakes`."""
    return fakes(now, **doors).world
