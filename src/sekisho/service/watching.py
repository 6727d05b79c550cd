"""Watch: the one owner of the guard. Judges what fronts ask, observes what they tell, opens cases,
answers for them.

A finding is written down before the front that caused it is answered; what follows from it is done
beside. The guard's memory is saved every few seconds, what happened since then is read again from the
event archive.
"""

import contextlib
import os
from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from sekisho.guard.guard import Guard
from sekisho.guard.incident import counters
from sekisho.guard.memory import HOUR
from sekisho.model.action import Kind
from sekisho.model.config import Config
from sekisho.model.event import Accepted, Event, LoginTried
from sekisho.model.incident import Finding, Grade, Incident, Standing
from sekisho.model.phrase import Phrase
from sekisho.service.aftercare import Aftercare
from sekisho.service.alarming import Alarming
from sekisho.service.allowing import note_allowed
from sekisho.service.boundary import boundary
from sekisho.service.casebook import Casebook
from sekisho.service.channel import Channel, NotDone
from sekisho.service.containing import Containing
from sekisho.service.listed import Listed
from sekisho.service.memories import SAVED_AT, Memories
from sekisho.service.messages import (
    Consult,
    IncidentAnswer,
    IncidentAsk,
    Judge,
    Kept,
    Observe,
    Report,
    Request,
)
from sekisho.service.recording import Recorder
from sekisho.service.rereading import Change
from sekisho.store import networktable
from sekisho.store.events import read_events
from sekisho.store.house import House
from sekisho.world import Unavailable, World

RHYTHM_S = 2.0
"""Changed memories are saved, unfinished actions tried again, this often."""
LISTED_S = 60.0
"""Whether it is time to ask the block lists is looked at this often."""
REMINDERS = (4 * HOUR, 24 * HOUR)
"""Rule 11: a hold that nobody has looked at alarms again."""
LOST = 30 * 1_000_000
"""So long before the last save events are read again after a restart; those seen already change nothing."""


PAST = 24 * HOUR
"""What a log tells of longer ago teaches the guard, but nothing follows from it any more."""

Listener = Callable[[Incident, Finding], None]


class WatchRole:
    def __init__(
        self,
        world: World,
        config: Config,
        house: House,
        fronts: Sequence[Channel],
        recorder: Recorder,
        kinds: frozenset[Kind] | None = None,
        *,
        vault: Channel | None = None,
    ) -> None:
        """`kinds`: what can be done about an account here, None for all of it."""
        self._world = world
        self._config = config
        self._house = house
        self._recorder = recorder
        self.guard = Guard(config.guard, networktable.of(config))
        self._memories = Memories(world, house, self.guard)
        self._containing = Containing(world, house, self.guard, fronts, recorder.record, kinds, vault=vault)
        self._containing.configure(config)
        self._aftercare = Aftercare(world, house, self.guard)
        self._listed = Listed(world, house)
        self._listed.configure(config)
        self._cases = Casebook(house, self.guard, self._containing)
        self._alarming = Alarming(house, self._containing, self._is_contained)
        self._undone: list[tuple[Incident, Finding]] = []
        self._acting = 0
        self._told: set[str] = set()
        self._listeners: list[Listener] = []
        self._stopped = False

    def listen(self, listener: Listener, alarmed: Callable[[Incident], None]) -> None:
        """Calls `listener` with each finding, and the case as it stands with it; `alarmed` with each alarm of
        the failure rate. They speak in place of the log."""
        self.hush()
        self._listeners.append(listener)
        self._alarming.listeners.append(alarmed)

    def hush(self) -> None:
        """Somebody else tells of incidents: no line of the log besides."""
        self._containing.alarms.hush()

    def _is_contained(self, account: str) -> bool:
        case = self._cases.open.get(account)
        return case is not None and case.grade >= Grade.CONTAIN

    @property
    def alarms(self) -> tuple[Phrase, ...]:
        """Of the failure rate, and of block lists that we stand on: those that stand now."""
        return (*self._alarming.alarms, *self._listed.sentences())

    async def start(self) -> None:
        """Open cases first, then what was lost since the last save; planned actions are finished beside."""
        await self._cases.read()
        await self._memories.recall(self._cases.open)
        for incident in self._cases.open.values():
            self._take_up(incident, lifted=await self._cases.is_lifted(incident))
        await self._alarming.start()
        await self._aftercare.read()
        await self._listed.read()
        await self._containing.keep(note_allowed, self._house, self._config.guard, self._world.clock.now())
        await self._catch_up()
        self._world.spawn.task("watch", self._run())
        self._containing.alarms.run(self._recorder.trouble)
        self._world.spawn.task("block lists", self._run_listed())

    def _take_up(self, incident: Incident, *, lifted: bool) -> None:
        """A case is at least as grave as it was, whatever became of the memory, unless somebody lifted it."""
        account = incident.subject
        known = self.guard.memory(account).grade if account in self.guard else Grade.CLEAR
        if incident.grade >= Grade.CONTAIN and known < incident.grade and not lifted:
            self.guard.set_grade(account, incident.grade, incident.opened)
        if account in self.guard:
            self.guard.contained(account, incident.id, incident.id)

    async def _catch_up(self) -> None:
        saved = await self._containing.keep(self._house.state, SAVED_AT)
        if saved is None:
            return
        since, folder = int(saved) - LOST, os.path.join(self._config.state, "events")
        events = await self._containing.keep(lambda: list(read_events(folder, since)))
        await self._observe(events)

    async def handle(self, request: Request) -> Struct | None:
        match request:
            case Judge(event=event):
                return await self._judge(event)
            case Consult(account=account, address=address):
                await self._memories.recall((account,))
                return self.guard.standing(account, address, self._world.clock.now())
            case Observe(events=events):
                await self._observe(events)
                return None
            case Report(events=events):
                await self._observe(events)
                await self._memories.save()
                return Kept(len(events))
            case IncidentAsk():
                return await self._incident(request)
        raise NotDone(f"watch does not answer {type(request).__name__}")

    async def _judge(self, event: Event) -> Standing:
        await self._memories.recall((event.account,))
        standing, findings = self.guard.judge(event)
        if standing.treatment == "refuse" and isinstance(event, LoginTried):
            self._see_try(event)
        if findings:
            await self._follow(findings)
            case = self._cases.open.get(standing.account)
            standing = replace(standing, incident=case.id, action=case.id) if case else standing
        if standing.treatment == "hold" and isinstance(event, Accepted):
            await self._tell_of_hold(standing, event)
        return standing

    async def _tell_of_hold(self, standing: Standing, event: Event) -> None:
        """Mail held under a mere watch is told too, once."""
        case = self._cases.open.get(standing.account)
        if case is not None and not case.actions and case.id not in self._told:
            self._told.add(case.id)
            self._world.spawn.task("notices", self._tell(case, event.at))

    async def _tell(self, case: Incident, at: int) -> None:
        async with boundary(self._recorder.trouble, "notices", case.subject):
            with contextlib.suppress(Unavailable):
                await self._cases.tell(case, at)

    async def _observe(self, events: Sequence[Event]) -> None:
        await self._memories.recall(event.account for event in events)
        past = self._world.clock.now() - PAST
        for event in events:
            findings = self.guard.observe(event)
            if isinstance(event, LoginTried) and not event.ok:
                self._see_try(event)
            if findings and event.at < past:
                self._let_rest(findings)
            else:
                await self._follow(findings)
        with contextlib.suppress(Unavailable):
            await self._alarming.observe(events, self._world.clock.now())

    def _see_try(self, event: LoginTried) -> None:
        """The operator is told when a case has its first related account."""
        related = self._aftercare.see(event)
        for case in [case for case in self._cases.open.values() if case.id in related]:
            self._world.spawn.task("notices", self._remind(case, event.at))

    async def _remind(self, case: Incident, at: int) -> None:
        async with boundary(self._recorder.trouble, "notices", case.subject):
            with contextlib.suppress(Unavailable):
                await self._aftercare.save(self._cases.open)
                await self._cases.remind(case, at)

    def _let_rest(self, findings: Sequence[Finding]) -> None:
        """Long ago: it taught, and who has not stopped since will be found again."""
        for finding in findings:
            if finding.grade >= Grade.CONTAIN and finding.account not in self._cases.open:
                self.guard.release(finding.account, finding.at, teach=False)

    async def _follow(self, findings: Sequence[Finding]) -> None:
        """Cases are written at once; a house that does not answer is no reason to let mail go."""
        for finding in findings:
            incident = self._cases.fold(finding)
            for listener in self._listeners:
                listener(incident, finding)
            self._aftercare.open(incident)
            with contextlib.suppress(Unavailable):
                await self._cases.save(incident)
                await self._aftercare.save(self._cases.open)
                await self._memories.save((finding.account,))
            self._acting += 1
            self._world.spawn.task("contain", self._act_beside(incident, finding))

    async def _act_beside(self, incident: Incident, finding: Finding) -> None:
        try:
            await self._act(incident, finding)
        finally:
            self._acting -= 1

    async def is_busy(self) -> bool:
        """Something is being done about a finding, or waits to be done."""
        return bool(self._acting or self._undone or await self._containing.keep(self._house.planned))

    async def _act(self, incident: Incident, finding: Finding) -> None:
        async with boundary(self._recorder.trouble, "containment", finding.account):
            try:
                await self._cases.follow(incident, finding)
                await self._memories.save((finding.account,))
            except Unavailable:
                self._undone.append((incident, finding))

    async def _incident(self, ask: IncidentAsk) -> IncidentAnswer:
        if ask.verb == "contain" and "@" in ask.ident:
            await self._memories.recall((ask.ident,))
        await self._aftercare.save(self._cases.open)
        answer = await self._cases.answer(ask, self._world.clock.now())
        for incident in answer.incidents if answer.changed else ():
            self._aftercare.open(incident)
        if answer.changed:
            await self._memories.save()
            self._alarming.dismiss(answer.incidents)
        return replace(answer, incidents=tuple(self._counted(incident) for incident in answer.incidents))

    def _counted(self, incident: Incident) -> Incident:
        """An open case shows the counters of this moment."""
        if incident.closed or incident.subject not in self.guard:
            return incident
        counted = counters(self.guard.memory(incident.subject))
        return replace(incident, counters={**incident.counters, **counted})

    async def _run(self) -> None:
        while not self._stopped:
            async with boundary(self._recorder.trouble, "watch"):
                with contextlib.suppress(Unavailable):
                    await self._turn()
            await self._world.clock.sleep(RHYTHM_S)

    async def _run_listed(self) -> None:
        """Beside everything else: a resolver may be slow."""
        while not self._stopped:
            async with boundary(self._recorder.trouble, "block lists"):
                with contextlib.suppress(Unavailable):
                    urgent = any(case.grade >= Grade.CONTAIN for case in self._cases.open.values())
                    await self._listed.look(urgent=urgent)
            await self._world.clock.sleep(LISTED_S)

    async def _turn(self) -> None:
        await self._memories.save()
        await self._aftercare.save(self._cases.open)
        for incident, finding in [self._undone.pop() for _ in range(len(self._undone))]:
            await self._act(incident, finding)
        await self._containing.finish(self._memories.recall)
        now = self._world.clock.now()
        await self._alarming.turn(now)
        for incident in list(self._cases.open.values()):
            await self._look_after(incident, now)

    async def _look_after(self, incident: Incident, now: int) -> None:
        if incident.grade >= Grade.CONTAIN or incident.actions:
            alarms = incident.counters.get("alarms", 0)
            unseen = "seen" not in incident.counters and alarms < len(REMINDERS)
            if unseen and now - incident.opened >= REMINDERS[alarms]:
                counted = {**incident.counters, "alarms": alarms + 1}
                await self._cases.remind(replace(incident, counters=counted), now)
        elif now - incident.opened >= 24 * HOUR and self.guard.is_clear(incident.subject, now):
            await self._cases.close(incident, now, "the watch has ended")

    def reload(self, config: Config) -> None:
        self.prepared(config)()

    def prepared(self, config: Config) -> Change:
        """New limits, a new network table; what is remembered stays. Raises Unavailable for the table."""
        moved = self._config.guard.networks != config.guard.networks
        table = networktable.of(config) if moved or os.path.exists(networktable.own(config)) else None

        def apply() -> None:
            self._config = config
            self._containing.configure(config)
            self._listed.configure(config)
            self.guard.configure(config.guard)
            self._world.spawn.task("audit", self._note_allowed())
            if table is not None:
                self.guard.use_table(table, self._world.clock.now())

        return apply

    async def _note_allowed(self) -> None:
        async with boundary(self._recorder.trouble, "audit", "guard.allow"):
            now = self._world.clock.now()
            await self._containing.keep(note_allowed, self._house, self._config.guard, now)

    async def stop(self) -> None:
        self._stopped = True
        self._containing.alarms.stop()
        with contextlib.suppress(Unavailable):
            await self._memories.save()
            await self._alarming.save(self._world.clock.now())
            await self._aftercare.save(self._cases.open)
            await self._aftercare.close()
