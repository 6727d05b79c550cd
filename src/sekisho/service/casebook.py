"""The open cases, and the verbs of `sekisho incident`: list, show, contain, release, undo.

The same book serves a running watch and a command that found no server: then actions are only planned, and
the next start performs them.
"""

from collections.abc import Sequence
from functools import partial

from msgspec.structs import replace

from sekisho.guard.contain import Wish, describe, plan_containment, plan_notices, plan_release, plan_undo
from sekisho.guard.guard import Guard
from sekisho.guard.incident import fold
from sekisho.model.action import Action
from sekisho.model.incident import FAILURE_RATE, Finding, Grade, Incident
from sekisho.model.phrase import Phrase, phrase
from sekisho.service.aftercare import aftermath_of
from sekisho.service.channel import NotDone
from sekisho.service.containing import Containing
from sekisho.service.hands import within
from sekisho.service.messages import IncidentAnswer, IncidentAsk
from sekisho.service.remarks import remarks, still_opens
from sekisho.store.house import House

LISTED = 200
"""Most incidents of one `list`, the newest first."""


NOTICES = frozenset(("notify", "alarm"))


class Casebook:
    def __init__(self, house: House, guard: Guard, containing: Containing) -> None:
        self._house = house
        self._guard = guard
        self._containing = containing
        self.open: dict[str, Incident] = {}
        self._told: dict[str, set[tuple[str, bool]]] = {}

    async def read(self) -> None:
        """The cases that were open when watch stopped."""
        found = await self._containing.keep(lambda: self._house.incidents(open_only=True))
        cases = [incident for incident in reversed(found) if incident.kind != FAILURE_RATE]
        self.open = {incident.subject: incident for incident in cases}
        for incident in cases:
            actions = await self._containing.keep(self._house.actions, incident.id)
            contained = any(action.kind == "hold_queue" for action in actions)
            notices = {action.to for action in actions if action.kind in NOTICES}
            self._told[incident.id] = {(to, stage) for to in notices for stage in {False, contained}}

    def fold(self, finding: Finding) -> Incident:
        """The account's case with this finding in it, not yet written down."""
        account = finding.account
        incident = fold(self.open.get(account), finding, self._containing.ident())
        if finding.trust == "open":
            incident = replace(incident, grade=min(incident.grade, Grade.WATCH))
        self.open[account] = incident
        self._guard.contained(account, incident.id, incident.id)
        return incident

    async def save(self, incident: Incident) -> None:
        await self._containing.keep(self._house.save_incident, incident)

    async def follow(self, incident: Incident, finding: Finding) -> bool:
        """Plan and do what the finding asks for. True when every owner has answered."""
        wish = await self._wish(incident, "guard", finding.at)
        if finding.trust == "open":
            actions = plan_notices(incident, replace(wish, tell=wish.tell[1:]), self._containing.ident)
        elif finding.grade >= Grade.CONTAIN:
            actions = self._again(incident, plan_containment(incident, wish, self._containing.ident))
        elif finding.kind == "volume":
            actions = plan_notices(incident, wish, self._containing.ident)
        else:
            return True  # a watch is nothing that anybody should notice
        return await self._follow(incident, self._untold(incident, actions))

    async def tell(self, incident: Incident, at: int) -> None:
        """Owner and operator, of mail that is held."""
        wish = await self._wish(incident, "guard", at)
        actions = plan_notices(incident, wish, self._containing.ident)
        await self._follow(incident, self._untold(incident, actions))

    def _untold(self, incident: Incident, actions: Sequence[Action]) -> tuple[Action, ...]:
        """Rule 11: each is told once of a case, and once more when it is contained; findings that come
        together are one piece of news.
        """
        present = self.open.get(incident.subject, incident)
        contained = max(present.grade, incident.grade) >= Grade.CONTAIN
        told = self._told.setdefault(incident.id, set())
        kept = []
        for action in actions:
            if action.kind in NOTICES:
                if (action.to, contained) in told:
                    continue
                told.add((action.to, contained))
            kept.append(action)
        return tuple(kept)

    async def remind(self, incident: Incident, at: int) -> None:
        """Tell the operator again."""
        operator = await self._containing.operator()
        wish = Wish("guard", at, tell=(operator,) if operator else (), alarm=self._containing.alarms.ways())
        await self._follow(incident, plan_notices(incident, wish, self._containing.ident))

    async def _follow(self, incident: Incident, actions: Sequence[Action]) -> bool:
        actions = within(actions, self._containing.kinds)
        await self._plan(incident, actions)
        return await self._containing.perform_all(actions)

    async def _plan(self, incident: Incident, actions: Sequence[Action]) -> Incident:
        """The case as it stands by now, with these actions, written down. In memory before anybody waits:
        findings of one account follow each other closely.
        """
        present = self.open.get(incident.subject, incident)
        if present.id == incident.id:
            merged = max(present.grade, incident.grade)
            incident = replace(present, grade=merged, counters={**present.counters, **incident.counters})
        incident = replace(incident, actions=(*incident.actions, *(action.id for action in actions)))
        if not incident.closed:
            self.open[incident.subject] = incident
        await self._containing.plan(incident, actions)
        return incident

    async def _wish(self, incident: Incident, by: str, at: int) -> Wish:
        memory = self._guard.memory(incident.subject)
        operator = await self._containing.operator()
        tell = tuple(dict.fromkeys(to for to in (incident.subject, operator) if to))
        spare = (*memory.confirmed, *sorted(memory.lodgings()))
        ways, revokes = self._containing.alarms.ways(), self._containing.revokes
        return Wish(by, at, spare, tell, ways, memory.gentle, revokes)

    async def close(self, incident: Incident, at: int, why: str) -> None:
        closed = replace(incident, closed=at, closed_why=why)
        self.open.pop(incident.subject, None)
        self._told.pop(incident.id, None)
        await self.save(closed)

    async def answer(self, ask: IncidentAsk, at: int) -> IncidentAnswer:
        """Raises NotDone for what does not exist or cannot be."""
        match ask.verb:
            case "list":
                found = await self._containing.keep(lambda: self._house.incidents(limit=LISTED))
                return IncidentAnswer(tuple(found))
            case "show":
                incident = await self._find(ask.ident)
                if not incident.closed and "seen" not in incident.counters:
                    incident = replace(incident, counters={**incident.counters, "seen": 1})
                    if incident.kind != FAILURE_RATE:
                        self.open[incident.subject] = incident
                    await self.save(incident)
                return await self._file(incident, at)
            case "contain":
                return await self._contain(ask, at)
            case "release":
                return await self._release(ask, at)
            case _:
                return await self._undo(ask, at)

    async def _contain(self, ask: IncidentAsk, at: int) -> IncidentAnswer:
        account = ask.ident.lower()
        if "@" not in account:
            account = (await self._find(ask.ident)).subject
        known = self.open.get(account)
        if known is not None and known.grade >= Grade.CONTAIN and await self._is_shut(known):
            return await self._file(known, at)
        if known is None and not await self._exists(account):
            raise NotDone(f"there is no account {account}")
        if known is None:
            sentence = phrase("{account}: contained by {by}", account=account, by=ask.by)
            known = Incident(self._containing.ident(), account, "takeover", Grade.CONTAIN, at, sentence)
        else:
            sentence = phrase("{found}; then contained by {by}", found=known.sentence, by=ask.by)
        incident = replace(known, grade=max(known.grade, Grade.CONTAIN), sentence=sentence)
        if not ask.dry_run:
            self.open[account] = incident
        spare = tuple(self._guard.memory(account).confirmed) if account in self._guard else ()
        hooks = self._containing.alarms.ways()[1:]  # who has typed it reads no log
        wish = Wish(ask.by, at, spare, (account,), hooks, revoke=self._containing.revokes)
        actions = self._again(incident, plan_containment(incident, wish, self._containing.ident))
        return await self._do(incident, actions, ask)

    async def _exists(self, account: str) -> bool:
        """One of ours, or one of the mail server beside us of which the guard has heard."""
        heard = self._containing.kinds is not None and account in self._guard
        return heard or await self._containing.keep(self._house.account, account) is not None

    async def _is_shut(self, incident: Incident) -> bool:
        """Strangers are refused, or will be: not where the mass brake was gentle, or a refusal was undone."""
        account = incident.subject
        memory = self._guard.memory(account) if account in self._guard else None
        if memory is not None and memory.grade >= Grade.CONTAIN and not memory.gentle:
            return True
        actions = await self._containing.keep(self._house.actions, incident.id)
        return any(action.kind == "refuse_logins" and action.status == "planned" for action in actions)

    async def is_lifted(self, incident: Incident) -> bool:
        """The refusal of logins was taken back, and the case left open."""
        actions = await self._containing.keep(self._house.actions, incident.id)
        turns = [action for action in actions if action.kind in ("refuse_logins", "allow_logins")]
        return bool(turns) and turns[-1].kind == "allow_logins" and turns[-1].status == "done"

    def _again(self, incident: Incident, actions: Sequence[Action]) -> tuple[Action, ...]:
        """Containing once more is another action: what bears an old id has been done, and changes nothing."""
        ident = self._containing.ident
        return tuple(
            replace(action, id=ident()) if action.id in incident.actions else action for action in actions
        )

    async def _release(self, ask: IncidentAsk, at: int) -> IncidentAnswer:
        """Rule 8: the operator's to say; an owner's own word needs a second factor, which accounts have
        not. The password must be another by now, unless it was the owner (`teach`)."""
        if ask.by == "account":
            raise NotDone("a release needs the operator: whoever has the password could ask for it")
        incident = await self._find(ask.ident)
        if incident.closed:
            return await self._file(incident, at)
        if incident.kind == FAILURE_RATE:
            return await self._dismiss(incident, ask, at)
        if not (ask.teach or ask.keep_password):
            blocked = await self._containing.keep(still_opens, self._house, incident)
            if blocked is not None:
                return IncidentAnswer((incident,), blocked=blocked)
        actions = await self._containing.keep(self._house.actions, incident.id)
        known = self._guard.memory(incident.subject) if incident.subject in self._guard else None
        taught = tuple(known.strangers()) if ask.teach and known is not None else ()
        wish = Wish(ask.by, at, taught, revoke=ask.teach)
        answer = await self._do(incident, plan_release(incident, actions, wish, self._containing.ident), ask)
        if not answer.changed:
            return answer
        await self.close(replace(answer.incidents[0], closed=at), at, f"released by {ask.by}")
        return replace(answer, incidents=(await self._find(incident.id),))

    async def _dismiss(self, incident: Incident, ask: IncidentAsk, at: int) -> IncidentAnswer:
        """An alarm holds nothing: it is closed."""
        plan = (phrase("close the alarm; nothing is held for it"),)
        if ask.dry_run:
            return IncidentAnswer((incident,), plan=plan)
        closed = replace(incident, closed=at, closed_why=f"released by {ask.by}")
        await self.save(closed)
        return replace(await self._file(closed, at), plan=plan, changed=True)

    async def _undo(self, ask: IncidentAsk, at: int) -> IncidentAnswer:
        action = await self._containing.keep(self._house.action, ask.ident)
        if action is None:
            raise NotDone(f"there is no action {ask.ident}")
        incident = await self._find(action.incident)
        if action.status == "undone":
            return await self._file(incident, at)
        inverse = plan_undo(incident, action, Wish(ask.by, at), self._containing.ident)
        if inverse is None:
            raise NotDone(f"{action.kind} cannot be undone")
        if incident.closed and inverse.kind in ("hold_queue", "refuse_logins"):
            if incident.subject in self.open:
                raise NotDone(f"{incident.subject} has another open case: contain or release that one")
            incident = replace(incident, closed=0, closed_why="")  # what stands again can be released again
        return await self._do(incident, (inverse,), ask)

    async def _do(self, incident: Incident, actions: Sequence[Action], ask: IncidentAsk) -> IncidentAnswer:
        actions = within(actions, self._containing.kinds)
        plan: tuple[Phrase, ...] = tuple(describe(action) for action in actions)
        if ask.dry_run:
            return IncidentAnswer((incident,), tuple(actions), plan=plan)
        incident = await self._plan(incident, actions)
        complete = await self._containing.perform_all(actions)
        answer = await self._file(incident, actions[0].at)
        return replace(answer, plan=plan, changed=True, complete=complete)

    async def _find(self, ident: str) -> Incident:
        """By its id, or the open case of an account, or its newest."""
        incident = self.open.get(ident.lower()) or await self._containing.keep(self._house.incident, ident)
        if incident is None and "@" in ident:
            newest = partial(self._house.incidents, subject=ident.lower(), limit=1)
            incident = next(iter(await self._containing.keep(newest)), None)
        if incident is None:
            raise NotDone(f"there is no incident {ident}")
        return incident

    async def _file(self, incident: Incident, at: int) -> IncidentAnswer:
        actions = await self._containing.keep(self._house.actions, incident.id)
        performed = [
            done
            for action in actions
            for done in await self._containing.keep(self._house.performed, action.id)
        ]
        complete = all(action.status != "planned" for action in actions)
        notes = await self._containing.keep(remarks, self._house, incident, at)
        after = await self._containing.keep(aftermath_of, self._house, incident.id)
        return IncidentAnswer(
            (incident,), tuple(actions), tuple(performed), complete=complete, notes=notes, after=after
        )
