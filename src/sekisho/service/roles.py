"""The roles as objects that start, answer and stop. One process may hold them all, or one each.

A front owns what it accepted: its spool, its retries, its connections. The vault verifies passwords. Watch is
the one writer of the guard's state. Each process records its events in a file of its own.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from functools import partial
from socket import socket
from typing import TYPE_CHECKING

from msgspec import Struct

from sekisho.host import HostChance, HostClock, HostDisk, HostSpawn
from sekisho.model.action import Performed
from sekisho.model.config import Config
from sekisho.model.delivery import Kind
from sekisho.model.phrase import Phrase
from sekisho.net.dial import Dialer
from sekisho.net.resolver import Resolver
from sekisho.service.addressing import Addressing
from sekisho.service.answering import AnsweringCarrier
from sekisho.service.bouncing import Bouncer
from sekisho.service.channel import Channel, NotDone
from sekisho.service.despatch import Despatch, Means, answered, left_over, woken
from sekisho.service.instructed import InstructedCarrier
from sekisho.service.local import LocalCarrier
from sekisho.service.messages import (
    AskRoom,
    Carried,
    Carry,
    DropSessions,
    QueueAsk,
    Request,
    Room,
    StatusAnswer,
    StatusAsk,
    Sweep,
    Swept,
)
from sekisho.service.piping import PipeCarrier
from sekisho.service.quotas import Quotas
from sekisho.service.reception import Reception
from sekisho.service.reception import Roles as Neighbours
from sekisho.service.recording import Recorder
from sekisho.service.remote import RemoteCarrier
from sekisho.service.rereading import Change
from sekisho.service.rotation import hourly
from sekisho.service.signing import Signing
from sekisho.service.sweeping import Sweeping
from sekisho.service.vaulting import VaultRole
from sekisho.service.zone import zone_of
from sekisho.store.directory import Directory
from sekisho.store.dkim_keys import SigningKeys
from sekisho.store.events import EventLog
from sekisho.store.hashes import Hashes
from sekisho.store.spool import Spool
from sekisho.world import World

if TYPE_CHECKING:
    from sekisho.service.watching import WatchRole


def real_world(config: Config, *, files: int = 0o600) -> World:
    """`files`: the mode of what is written. A front's large letters are read by another user's local role."""
    clock = HostClock()
    return World(
        clock=clock,
        chance=HostChance(),
        dns=Resolver(clock, config.outbound.resolver, probe=config.outbound.dnssec_probe),
        net=Dialer(),
        disk=HostDisk(files),
        spawn=HostSpawn(),
    )


def prepared_world(world: World, config: Config) -> Change:
    """The DNS servers, those of the system among them, are read again."""
    resolver = world.dns
    if not isinstance(resolver, Resolver):
        return lambda: None
    return partial(resolver.configure, config.outbound.resolver, config.outbound.dnssec_probe)


def recorder_of(world: World, config: Config, role: str) -> Recorder:
    """The recorder of a process; `run` it as a task."""
    folder = os.path.join(config.state, "events")
    return Recorder(world, EventLog(folder, role), folder, role, config.events.keep_days)


class VaultKeeper:
    """The vault as a role."""

    def __init__(self, world: World, config: Config) -> None:
        directory = Directory.open(config.state, world.clock)
        hashes = Hashes.open(config.state, world.clock)
        signing = SigningKeys(world.disk, world.clock, config.state)
        self._role = VaultRole(world, config.vault, directory, hashes, signing=signing)

    async def handle(self, request: Request) -> Struct | None:
        if isinstance(request, StatusAsk):
            return StatusAnswer(True, os.getpid(), {})
        return await self._role.handle(request)

    def prepared(self, config: Config) -> Change:
        return partial(self._role.configure, config.vault)

    async def stop(self) -> None:
        """Nothing is under way that anybody waits for."""


class LocalOffice:
    """Local delivery as a role: the one that may touch mailboxes, and start programs."""

    def __init__(self, world: World, config: Config) -> None:
        self._quotas = Quotas(world, config, Directory.open(config.state, world.clock))
        self._mailboxes = LocalCarrier(world, config.state, config.local, self._quotas)
        self._programs = PipeCarrier(world, config)
        self._sweeping = Sweeping(world, config)
        self._instructed = InstructedCarrier(world, config, self._mailboxes, self._programs)
        self._answering = AnsweringCarrier(world, config, self._instructed)

    async def handle(self, request: Request) -> Struct | None:
        match request:
            case Carry(batch=batch, letter=letter):
                carrier = self._programs if batch[0].route.kind is Kind.PIPE else self._answering
                return Carried(await carrier.carry(batch, letter))
            case Sweep():
                return await self._sweeping.sweep(request)
            case AskRoom(account=account, folder=folder, size=size):
                return Room(await self._mailboxes.is_full(account, folder, size))
            case StatusAsk():
                return StatusAnswer(True, os.getpid(), {})
        raise NotDone(f"the local role does not answer {type(request).__name__}")

    def prepared(self, config: Config) -> Change:
        def apply() -> None:
            self._programs.reload(config)
            self._mailboxes.reload(config.local)
            self._quotas.reload(config)
            self._instructed.reload(config)
            self._answering.reload(config)
            self._sweeping.reload(config)

        return apply

    async def stop(self) -> None:
        """Fronts stop first, so nothing is under way that anybody waits for."""


class FrontOffice:
    """A front as a role: reception, spool, delivery."""

    def __init__(
        self, world: World, config: Config, recorder: Recorder, number: int = 1, fronts: int = 0
    ) -> None:
        """The first of `fronts` (0: as the settings say) takes the spools over that higher numbers have
        left."""
        self._world = world
        self._config = config
        self._recorder = recorder
        self._number = number
        self._fronts = fronts or config.fronts
        self.listening: dict[str, str] = {}

    async def open(
        self,
        watch: Channel,
        vault: Channel,
        local: Channel,
        sockets: Mapping[str, socket] | None = None,
        neighbours: Sequence[tuple[str, socket]] = (),
    ) -> None:
        """Recovers the spool, starts delivering, then listens."""
        world, config, recorder = self._world, self._config, self._recorder
        self._directory = Directory.open(config.state, world.clock)
        folder = os.path.join(config.state, "spool", str(self._number))
        spool = Spool.open(folder, world, config.queue)
        self._addressing = Addressing(world, self._directory, config)
        zone, first = zone_of(config.zone), self._directory.first_domain
        self._bouncer = Bouncer(world.disk, config, zone, self._language, first)
        policies = os.path.join(folder, "mta-sts.json")
        self._remote = RemoteCarrier(world, config, recorder.record, policies=policies)
        self._signing = Signing(world, vault, self._directory, config)
        self._remote.sign = self._signing.fields
        means = Means(world, self._addressing, self._bouncer, self._remote, local, recorder)
        own = Despatch(spool, means)
        left = await left_over(means, config, self._fronts) if self._number == 1 else ()
        self._despatches = (own, *left)
        self._remote.places.wake = partial(woken, self._despatches)
        near_by = Neighbours(watch, vault, self._remote.callforward.verify, local)
        self._reception = Reception(world, config, self._directory, near_by, spool, recorder.record)
        self._local = local
        own.take_questions(self._reception.quiet, self._sweep if self._number == 1 else None)
        recorder.tell_watch(watch)
        for each in self._despatches:
            each.start()
        world.spawn.task("DNSSEC", self._remote.check())
        self.listening = await self._reception.listen(sockets, neighbours)
        world.spawn.task("return keys", hourly(self._read_keys, "return keys", recorder.trouble))
        world.spawn.task("certificate", self._reception.watch_certificate(recorder.trouble))

    async def handle(self, request: Request) -> Struct | None:
        match request:
            case DropSessions(action=action, account=account, spare=spare):
                dropped = self._reception.drop_sessions(account, spare)
                changed = tuple(str(number + 1) for number in range(dropped))
                return Performed(action, f"front-{self._number}", self._world.clock.now(), changed)
            case StatusAsk():
                return StatusAnswer(True, os.getpid(), self.listening, self._counts())
            case QueueAsk(verb="retry"):
                self._remote.places.forgive()
        answer = await answered(self._despatches, request)
        if answer is None:
            raise NotDone(f"a front does not answer {type(request).__name__}")
        return answer

    def _counts(self) -> dict[str, int]:
        return {
            "sessions": self._reception.sessions,
            "trying": sum(each.deliverer.under_way for each in self._despatches),
            "double_bounces_dropped": sum(each.reporter.dropped for each in self._despatches),
        }

    def _read_keys(self) -> None:
        self._reception.read_keys()
        self._addressing.read_keys()

    async def _sweep(self, request: Sweep) -> Swept:
        return await self._local.ask(request, Swept)

    def _language(self, account: str) -> str:
        known = self._directory.account(account) if account else None
        return known.language if known is not None else ""

    def prepared(self, config: Config) -> Change:
        """Certificates and time zone may be wrong."""
        receive, zone = self._reception.prepared(config), zone_of(config.zone)

        def apply() -> None:
            self._config = config
            receive()
            for each in self._despatches:
                each.spool.reload(config.queue)
                each.deliverer.reload()
            self._remote.reload(config)
            self._signing.configure(config)
            self._addressing.reload(config)
            self._bouncer.reload(config, zone)

        return apply

    async def stop(self) -> None:
        """First nobody new, then tries that are under way, then the spool."""
        await self._reception.stop()
        await asyncio.gather(*(each.deliverer.stop() for each in self._despatches))
        await self._remote.close()
        for each in self._despatches:
            each.spool.close()
        self._directory.close()


class WatchTower:
    """Watch as a role: the guard, its memory in the house, and what it does."""

    def __init__(self, world: World, config: Config, recorder: Recorder) -> None:
        self._world = world
        self._config = config
        self._recorder = recorder

    async def open(self, fronts: Sequence[Channel], vault: Channel | None = None) -> "WatchRole":
        """Reads the guard's memory and finishes actions that were planned before. Each queue in `[hands]` is
        one more front; without a front of ours only what it can do is planned.
        """
        from sekisho.service.foreign_hold import hands_beside
        from sekisho.service.hands import HandsChannel
        from sekisho.service.watching import WatchRole  # SQLAlchemy: half a second that only watch pays
        from sekisho.store.house import House

        self._house = House.open(self._config.state)
        beside = hands_beside(self._world, self._config)
        for hands in beside:
            self._world.spawn.task("hands", hands.keep_watch(self._recorder.trouble))
        theirs = [HandsChannel(self._world, self._house, hands) for hands in beside]
        self._role = WatchRole(
            self._world, self._config, self._house, (*fronts, *theirs), self._recorder,
            None if fronts else frozenset(kind for hands in beside for kind in hands.kinds), vault=vault,
        )  # fmt: skip
        await self._role.start()
        return self._role

    async def handle(self, request: Request) -> Struct | None:
        if isinstance(request, StatusAsk):
            return StatusAnswer(True, os.getpid(), {}, alarms=self.alarms)
        return await self._role.handle(request)

    @property
    def alarms(self) -> tuple[Phrase, ...]:
        """Alarms of the failure rate that stand now."""
        return self._role.alarms

    def hush(self) -> None:
        """As `WatchRole.hush`."""
        self._role.hush()

    def prepared(self, config: Config) -> Change:
        """The network table may be wrong."""
        return self._role.prepared(config)

    async def stop(self) -> None:
        await self._role.stop()
        self._house.close()
