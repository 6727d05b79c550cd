"""Carries out what was planned about an account, at every owner, and marks it done only when all have
answered.

An action is written down before it is performed, and performed again after a restart that came between:
its owners know it by its id. A front that does not answer leaves the action planned; it is tried again
every few seconds.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import tzinfo
from functools import partial
from typing import Any, TypeVar

from msgspec.structs import replace

from sekisho.guard.contain import describe
from sekisho.guard.guard import Guard
from sekisho.model.action import Action, Kind, Performed
from sekisho.model.config import Config
from sekisho.model.event import ActionDone, Event
from sekisho.model.ident import make_id
from sekisho.model.incident import FAILURE_RATE, Grade, Incident
from sekisho.model.selector import Selector
from sekisho.service.alarms import Alarms
from sekisho.service.channel import Channel, NotDone
from sekisho.service.messages import (
    Deposit,
    DropSessions,
    HoldQueue,
    ReleaseQueue,
    Request,
    RestoreAccess,
    RevokeAccess,
)
from sekisho.service.notices import Sender, Stamp, operator_letter, owner_letter
from sekisho.service.remarks import remarks
from sekisho.service.zone import zone_of
from sekisho.store.house import House
from sekisho.store.texts import Texts
from sekisho.world import Unavailable, World

T = TypeVar("T")


class Containing:
    """`fronts` own the queues and the sessions; `guard` the logins; the first front takes notices.

    Without fronts (None) nothing is performed: no server runs, and the next start does it. `kinds`: what can
    be done here, None for everything; beside another mail server it is what its `Hands` can.
    """

    def __init__(
        self,
        world: World,
        house: House,
        guard: Guard,
        fronts: Sequence[Channel] | None,
        record: Callable[[Event], None],
        kinds: frozenset[Kind] | None = None,
        *,
        vault: Channel | None = None,
    ) -> None:
        self.kinds = kinds
        self._vault = vault
        self._world = world
        self._house = house
        self._guard = guard
        self._fronts = fronts
        self._record = record
        self._config: Config
        self._zone: tzinfo
        self._under_way: set[str] = set()
        self.alarms = Alarms(world, house)

    def configure(self, config: Config) -> None:
        self._config = config
        self._zone = zone_of(config.zone)
        self.alarms.configure(config)

    def ident(self) -> str:
        return make_id(self._world.clock.now(), self._world.chance.bits(30))

    async def keep(self, call: Callable[..., T], *values: Any) -> T:
        """A call of the house, off the loop."""
        result: T = await self._world.spawn.thread(partial(call, *values))
        return result

    async def plan(self, incident: Incident, actions: Sequence[Action]) -> None:
        """Write the case and what is to be done about it, before anything is done."""
        await self.keep(self._house.save_incident, incident)
        for action in actions:
            await self.keep(self._house.save_action, action)

    async def perform_all(self, actions: Sequence[Action]) -> bool:
        """True when every owner of every action has answered."""
        return all([await self.perform(action) for action in actions])

    async def perform(self, action: Action) -> bool:
        if action.id in self._under_way or self._fronts is None:
            return False
        self._under_way.add(action.id)
        try:
            done = await self._at_its_owners(action)
        except (Unavailable, NotDone):
            return False
        finally:
            self._under_way.discard(action.id)
        for performed in done:
            await self.keep(self._house.save_performed, performed)
        await self.keep(self._house.save_action, replace(action, status="done"))
        if action.undoes and (undone := await self.keep(self._house.action, action.undoes)) is not None:
            await self.keep(self._house.save_action, replace(undone, status="undone"))
        self._record(self._event(action, done))
        return True

    async def finish(self, recall: Callable[[Sequence[str]], Awaitable[None]]) -> None:
        """Everything that is planned and not done; `recall` brings accounts to the guard's memory."""
        planned = await self.keep(self._house.planned)
        await recall([action.subject for action in planned])
        for action in planned:
            await self.perform(action)

    async def _at_its_owners(self, action: Action) -> list[Performed]:
        match action.kind:
            case "hold_queue":
                return await self._fronts_do(HoldQueue(action.id, await self._held_by(action)))
            case "release_queue":
                return await self._fronts_do(ReleaseQueue(action.id, action.undoes))
            case "drop_sessions":
                return await self._fronts_do(DropSessions(action.id, action.subject, action.spare))
            case "refuse_logins":
                return [self._refuse(action)]
            case "allow_logins":
                return [self._allow(action)]
            case "revoke_access":
                return [await self._of_vault(RevokeAccess(action.id, action.subject))]
            case "restore_access":
                return [await self._of_vault(RestoreAccess(action.id, action.undoes))]
            case "notify":
                return [await self._notify(action)]
            case "alarm":
                return [await self.alarms.sound(action)]
        raise NotDone(f"nobody performs {action.kind}")

    @property
    def revokes(self) -> bool:
        """Whether there are app passwords to revoke: not beside another mail server."""
        return self.kinds is None and (self._vault is not None or self._fronts is None)

    async def _of_vault(self, request: Request) -> Performed:
        if self._vault is None:
            raise NotDone("there is no vault here")
        return await self._vault.ask(request, Performed)

    async def _fronts_do(self, request: Request) -> list[Performed]:
        answers = [await front.ask(request, Performed) for front in self._fronts or ()]
        return [replace(answer, owner=f"front-{n + 1}") for n, answer in enumerate(answers)]

    async def _held_by(self, action: Action) -> Selector:
        """What to hold: the account's mail, or again exactly what an undone release let go."""
        if not action.undoes:
            return Selector(account=action.subject, spare=action.spare)
        released = await self.keep(self._house.performed, action.undoes)
        return Selector(ids=tuple(name for done in released for name in done.changed))

    def _refuse(self, action: Action) -> Performed:
        memory = self._guard.memory(action.subject) if action.subject in self._guard else None
        before = int(memory.grade) if memory is not None else 0
        if before < Grade.CONTAIN or (memory is not None and memory.gentle and action.by != "guard"):
            self._guard.set_grade(action.subject, max(Grade(before), Grade.CONTAIN), action.at)
        self._guard.contained(action.subject, action.incident, action.incident)
        return self._by_watch(action, before)

    def _allow(self, action: Action) -> Performed:
        before = int(self._guard.memory(action.subject).grade) if action.subject in self._guard else 0
        self._guard.release(action.subject, action.at, teach=bool(action.spare))
        return self._by_watch(action, before)

    def _by_watch(self, action: Action, grade: int) -> Performed:
        at = self._world.clock.now()
        return Performed(action.id, "watch", at, (action.subject,), {action.subject: str(grade)}, count=1)

    async def _notify(self, action: Action) -> Performed:
        incident = await self.keep(self._house.incident, action.incident)
        if incident is None or not action.to or not self._fronts:
            raise NotDone("there is nobody to tell")
        account = await self.keep(self._house.account, action.to)
        texts = Texts.of((account.language if account else "") or self._config.notify.language)
        stamp = Stamp(await self._sender(), texts, action.id, self._world.clock.now())
        if action.to == action.subject and incident.kind != FAILURE_RATE:
            letter = owner_letter(incident, stamp)
        else:
            notes = await self.keep(remarks, self._house, incident, stamp.at)
            letter = operator_letter(incident, notes, action.to, stamp)
        return await self._fronts[0].ask(Deposit(action.id, "", action.to, letter), Performed)

    async def _sender(self) -> Sender:
        domains = await self.keep(self._house.domains)
        domain = domains[0].name if domains else self._config.hostname
        return Sender(f"postmaster@{domain}", self._config.hostname, self._zone, self._config.guard.help_url)

    async def operator(self) -> str:
        """The address that is told, "" where there is none."""
        if self._config.notify.operator:
            return self._config.notify.operator
        domains = await self.keep(self._house.domains)
        return f"postmaster@{domains[0].name}" if domains else ""

    def _event(self, action: Action, done: Sequence[Performed]) -> ActionDone:
        return ActionDone(
            id=self.ident(),
            at=self._world.clock.now(),
            source="watch",
            account=action.subject,
            action=action.id,
            kind=action.kind,
            subject=action.subject,
            changed=sum(performed.count or len(performed.changed) for performed in done),
            incident=action.incident,
            text=str(describe(action)),
        )
