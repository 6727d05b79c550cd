"""The takeover guard: it observes what happens to accounts, and says how each stands; it never refuses or
waits.

`observe` takes one event and returns findings (a grade was raised); `standing` answers at once from
memory; `judge` does both for the event in hand. Time comes from the events. Everything is O(1) per event
and per recipient. The shell (`service/watching`) turns findings into incidents, keeps memories in the
database, and carries out what follows.
"""

from sekisho.guard import evidence, grading, logins
from sekisho.guard.crowd import ACTIVE, CROWD_WEIGHT, Brake, Crowd
from sekisho.guard.incident import make_finding
from sekisho.guard.keeping import Keeper
from sekisho.guard.memory import DAY, EVENTS_KEPT, Flow, Memory, Term, digest
from sekisho.guard.networks import NetworkTable, prefix_around
from sekisho.guard.standing import Letter, login_treatment, mail_treatment, place_of
from sekisho.guard.wording import Case, sentence
from sekisho.model.config import Guard as Settings
from sekisho.model.envelope import Network
from sekisho.model.event import Accepted, DeliveryTried, Event, LoginTried, RecipientGiven, Returned
from sekisho.model.incident import Finding, Grade, Standing
from sekisho.model.phrase import Phrase

Watched = LoginTried | RecipientGiven | Accepted | DeliveryTried | Returned
Findings = tuple[Finding, ...]


class Guard(Keeper):
    def __init__(self, settings: Settings, networks: NetworkTable) -> None:
        super().__init__(settings, networks)
        self._crowd = Crowd()
        self._brake = Brake()

    def observe(self, event: Event) -> Findings:
        """What this event raised: usually nothing."""
        return self._take(event)[0]

    def judge(self, event: Event) -> tuple[Standing, Findings]:
        """Observe the event, then say what to do with it: this login, this recipient, this message."""
        findings, fresh = self._take(event)
        letter = fresh if isinstance(event, RecipientGiven | Accepted) else None
        standing = self._standing(event.account, event.address, event.at, event.network, letter)
        if isinstance(event, Accepted) and standing.treatment == "hold":
            self._memories[standing.account].held += 1
        return standing, findings

    def standing(self, account: str, address: str, at: int) -> Standing:
        """How the account stands for a client at this address now."""
        return self._standing(account, address, at, None)

    def reason(self, account: str, at: int) -> Phrase:
        """The sentence for the account's present grade."""
        memory = self._memories[account.lower()]
        case = grading.present_case(memory, self._settings, at)
        return sentence(account.lower(), memory, case, memory.since or at)

    def _take(self, event: Event) -> tuple[Findings, int]:
        """Returns the findings, and how many first-time recipients the message in hand has."""
        if not isinstance(event, Watched) or not event.account:
            return (), 0
        if isinstance(event, LoginTried) and not event.ok:
            return (), 0  # rule 9: a wrong password changes nothing that is remembered
        account = event.account.lower()
        memory = self._memories.get(account)
        if memory is None:
            memory = self._memories[account] = Memory(born=event.at)
        if event.id and _is_repeated(memory, event):
            return (), 0
        memory.last = max(memory.last, event.at)
        self._changed.add(account)
        network = self._network(account, event.address, event.at, event.network)
        if event.trust == "open":
            return self._hear(account, memory, event, network), 0
        stranger = isinstance(event, Accepted) and self._flow(memory, event, network) is memory.strange
        if stranger:
            grading.begin_count(memory, event.at)
        found, fresh = self._apply(account, memory, event, network)
        found += self._assess(account, memory, event.at)
        if stranger and grading.grade_at(memory, event.at) < Grade.CONTAIN:
            memory.passed += 1
        return found, fresh

    def _apply(self, account: str, memory: Memory, event: Watched, network: Network) -> tuple[Findings, int]:
        match event:
            case LoginTried():
                return self._login(account, memory, event, network), 0
            case RecipientGiven():
                fresh = evidence.name_recipient(memory, event, self._flow(memory, event, network))
                return self._pass_cap(account, memory, event.at), fresh
            case Accepted():
                fresh = evidence.take_message(memory, event, self._flow(memory, event, network), network)
                return self._pass_cap(account, memory, event.at), fresh
            case DeliveryTried():
                evidence.see_result(memory, event, self._flow(memory, event, network))
            case Returned():
                evidence.see_return(memory, event)
        return (), 0

    def _flow(self, memory: Memory, event: Watched, network: Network) -> Flow:
        """Whose mail it counts as: the account's own places', or strangers'. A /24 of a confirmed network
        where the account never was is a stranger's until the account was there for some hours.
        """
        if not network.place:
            return memory.own
        known = network.key in memory.confirmed and not _is_distant(memory, event.address, network)
        return memory.own if known else memory.strange

    def _login(self, account: str, memory: Memory, event: LoginTried, network: Network) -> Findings:
        standpoint = logins.standpoint(memory, network)
        grade = grading.grade_at(memory, event.at)
        weight = evidence.see_login(memory, event, network, standpoint, grade)
        if network.key in memory.confirmed:
            if grade == Grade.CLEAR:
                logins.learn_prefix(memory, prefix_around(event.address), event.at)
            for tool in (event.address, event.fingerprint):
                self._crowd.familiar(tool, account, event.at)
            return ()
        found: Findings = ()
        for tool in (event.address, event.fingerprint) if weight else ():
            for other in self._crowd.strange(tool, account, memory, event.at):
                found += self._weigh_crowd(other, tool, event)
        return found

    def _weigh_crowd(self, account: str, tool: str, event: LoginTried) -> Findings:
        """An address or a way of speaking turned out to visit several accounts: evidence for each of them."""
        memory = self._memories.get(account)
        if memory is None or memory.grade >= Grade.CONTAIN:
            return ()
        logins.raise_score(memory, CROWD_WEIGHT, event.at)
        term = Term(event.at, "crowd", CROWD_WEIGHT, address=tool, event=event.id)
        term.count = self._crowd.strangers(tool)
        evidence.add_term(memory, term)
        self._changed.add(account)
        return self._assess(account, memory, event.at)

    def _assess(self, account: str, memory: Memory, at: int) -> Findings:
        if not self._settings.enabled:
            return ()
        before = grading.grade_at(memory, at)
        case = grading.raise_grade(memory, self._settings, at)
        if case is None:
            return ()
        if case.ground == "strange" and case.grade >= Grade.CONTAIN > before:
            strangers = memory.strangers()
            memory.gentle = self._brake.contained(account, frozenset(strangers), self._active(at), at)
            self._crowd.condemn((term.address for term in memory.terms), at)
        return (make_finding(account, memory, case, at),)

    def _active(self, at: int) -> int:
        return sum(1 for memory in self._memories.values() if at - memory.last < ACTIVE)

    def _pass_cap(self, account: str, memory: Memory, at: int) -> Findings:
        if not self._settings.enabled or not memory.hours:
            return ()
        steps = (
            grading.pass_cap(memory, self._settings, at),
            grading.pass_cap_far(memory, self._settings, at),
        )
        return tuple(make_finding(account, memory, case, at) for case in steps if case is not None)

    def _hear(self, account: str, memory: Memory, event: Watched, network: Network) -> Findings:
        """Rule 9: an open source teaches nothing and holds nothing; what it says may alert, once a day."""
        if not isinstance(event, LoginTried) or logins.standpoint(memory, network) != "new":
            return ()
        score = logins.hear(memory, network, event.at, reading=event.service not in evidence.SENDING)
        if score < self._settings.contain or event.at - memory.open_told < DAY:
            return ()
        memory.open_told = event.at
        case = Case(Grade.CONTAIN, "open", score, self._settings.contain)
        return (make_finding(account, memory, case, event.at, "open"),)

    def _standing(
        self, account: str, address: str, at: int, network: Network | None, fresh: int | None = None
    ) -> Standing:
        memory = self._memories.get(account.lower())
        if memory is None or not self._settings.enabled:
            return Standing(account.lower(), address)
        network = self._network(account.lower(), address, at, network)
        place = place_of(logins.standpoint(memory, network))
        grade = grading.grade_at(memory, at)
        lodger = network.key in memory.lodgings()
        if fresh is None:
            treatment = login_treatment(memory, grade, place, lodger=lodger)
        else:
            letter = Letter(fresh, _is_distant(memory, address, network), lodger)
            treatment = mail_treatment(memory, grade, place, letter, self._settings, at)
        return Standing(
            account=account.lower(),
            address=address,
            grade=grade,
            place=place,
            treatment=treatment,
            delay_s=self._settings.watch_delay_s if treatment == "delay" else 0,
            incident=memory.incident,
            score=round(grading.strange_score(memory, at), 2),
            network=network.key,
            reason=self.reason(account, at) if treatment in ("hold", "refuse") else None,
            action=memory.action,
        )


def _is_distant(memory: Memory, address: str, network: Network) -> bool:
    return network.place and logins.is_distant(memory, network, prefix_around(address))


def _is_repeated(memory: Memory, event: Watched) -> bool:
    """Rule 13: an event seen before, or older than all that is remembered, changes nothing."""
    key = digest(event.id)
    if key in memory.events or key == memory.forgotten_event or event.at < memory.events_from:
        return True
    memory.events[key] = event.at
    if len(memory.events) > EVENTS_KEPT:
        memory.forgotten_event = next(iter(memory.events))
        memory.events_from = max(memory.events_from, memory.events.pop(memory.forgotten_event))
    return False
