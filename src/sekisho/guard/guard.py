"""The takeover guard: it observes what happens to accounts, and says how each stands. It never refuses
and never waits.

`observe` takes one event and returns findings (a grade was raised); `standing` answers at once from
memory; `judge` does both for the event in hand. Time comes from the events. Everything is O(1) per event
and per recipient. The shell (`service/watching`) turns findings into incidents, keeps memories in the
database, and carries out what follows.
"""

from sekisho.guard import evidence, grading, logins
from sekisho.guard.crowd import ACTIVE, CROWD_WEIGHT, Brake, Crowd
from sekisho.guard.incident import Case, make_finding, sentence
from sekisho.guard.memory import (
    DAY,
    EVENTS_KEPT,
    PREFIXES_KEPT,
    Flow,
    Memory,
    Term,
    digest,
    pack_memory,
    push,
    unpack_memory,
)
from sekisho.guard.networks import NetworkTable, number_of, prefix_of
from sekisho.guard.standing import login_treatment, mail_treatment, place_of
from sekisho.model.config import Guard as Settings
from sekisho.model.envelope import Network
from sekisho.model.event import Accepted, DeliveryTried, Event, LoginTried, RecipientGiven
from sekisho.model.incident import Finding, Grade, Standing
from sekisho.model.phrase import Phrase

Watched = LoginTried | RecipientGiven | Accepted | DeliveryTried
NOWHERE = Network(key="", place=False)


class Guard:
    def __init__(self, settings: Settings, networks: NetworkTable) -> None:
        self._settings = settings
        self._networks = networks
        self._memories: dict[str, Memory] = {}
        self._changed: set[str] = set()
        self._crowd = Crowd()
        self._brake = Brake()
        self._webmail = frozenset(settings.webmail)

    def observe(self, event: Event) -> tuple[Finding, ...]:
        """What this event raised: usually nothing."""
        return self._take(event)[0]

    def judge(self, event: Event) -> tuple[Standing, tuple[Finding, ...]]:
        """Observe the event, then say what to do with it: this login, this recipient, this message."""
        findings, fresh = self._take(event)
        if isinstance(event, RecipientGiven | Accepted):
            return self._standing(event.account, event.address, event.at, event.network, fresh), findings
        return self.standing(event.account, event.address, event.at), findings

    def standing(self, account: str, address: str, at: int) -> Standing:
        """How the account stands for a client at this address now: its logins, and its mail to known
        recipients."""
        return self._standing(account, address, at, None, None)

    def _take(self, event: Event) -> tuple[tuple[Finding, ...], int]:
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
        network = self._network(event.address, event.network)
        if event.trust == "open":
            return self._hear(account, memory, event, network), 0
        findings, fresh = self._apply(account, memory, event, network)
        return findings + self._assess(account, memory, event.at), fresh

    def _apply(
        self, account: str, memory: Memory, event: Watched, network: Network
    ) -> tuple[tuple[Finding, ...], int]:
        standpoint = logins.standpoint(memory, network)
        match event:
            case LoginTried():
                return self._login(account, memory, event, network), 0
            case RecipientGiven():
                return (), evidence.name_recipient(memory, event, standpoint)
            case Accepted():
                fresh = evidence.take_message(memory, event, network, standpoint)
                return self._pass_cap(account, memory, event.at), fresh
            case DeliveryTried():
                evidence.see_result(memory, event, standpoint)
        return (), 0

    def _login(
        self, account: str, memory: Memory, event: LoginTried, network: Network
    ) -> tuple[Finding, ...]:
        standpoint = logins.standpoint(memory, network)
        grade = grading.grade_at(memory, event.at)
        weight = evidence.see_login(memory, event, network, standpoint, grade)
        if not network.place:
            return ()
        if network.key in memory.confirmed:
            push(memory.prefixes, prefix_of(*number_of(event.address)), PREFIXES_KEPT)
            self._crowd.familiar(event.address, account, event.at)
            return ()
        if not weight:
            return ()
        found: tuple[Finding, ...] = ()
        for other in self._crowd.strange(event.address, account, memory, event.at):
            found += self._weigh_crowd(other, event)
        return found

    def _weigh_crowd(self, account: str, event: LoginTried) -> tuple[Finding, ...]:
        """The address turned out to visit several accounts: evidence for each of them, the earlier ones
        included."""
        memory = self._memories.get(account)
        if memory is None or memory.grade >= Grade.CONTAIN:
            return ()
        logins.raise_score(memory, CROWD_WEIGHT, event.at)
        count = self._crowd.strangers(event.address)
        evidence.add_term(
            memory, Term(event.at, "crowd", CROWD_WEIGHT, address=event.address, event=event.id, count=count)
        )
        self._changed.add(account)
        return self._assess(account, memory, event.at)

    def _assess(self, account: str, memory: Memory, at: int) -> tuple[Finding, ...]:
        if not self._settings.enabled:
            return ()
        case = grading.raise_grade(memory, self._settings, at)
        if case is None:
            return ()
        if case.grade == Grade.CONTAIN:
            memory.gentle = self._brake.contained(
                account, self._strange_networks(memory), self._active(at), at
            )
        return (make_finding(account, memory, case, at),)

    def _pass_cap(self, account: str, memory: Memory, at: int) -> tuple[Finding, ...]:
        case = grading.pass_cap(memory, self._settings, at) if self._settings.enabled else None
        return (make_finding(account, memory, case, at),) if case else ()

    def _hear(self, account: str, memory: Memory, event: Watched, network: Network) -> tuple[Finding, ...]:
        """Rule 9: an open source teaches nothing and holds nothing; what it says may at most alert, once
        a day."""
        if not isinstance(event, LoginTried) or logins.standpoint(memory, network) != "new":
            return ()
        score = logins.hear(memory, network, event.at, reading=event.service not in evidence.SENDING)
        if score < self._settings.contain or event.at - memory.open_told < DAY:
            return ()
        memory.open_told = event.at
        case = Case(Grade.CONTAIN, "takeover", score, self._settings.contain)
        return (make_finding(account, memory, case, event.at, "open"),)

    def _standing(
        self, account: str, address: str, at: int, network: Network | None, fresh: int | None
    ) -> Standing:
        account = account.lower()
        memory = self._memories.get(account)
        if memory is None or not self._settings.enabled:
            return Standing(account, address)
        network = self._network(address, network)
        place = place_of(logins.standpoint(memory, network))
        grade = grading.grade_at(memory, at)
        if fresh is None:
            treatment = login_treatment(memory, grade, place)
        else:
            treatment = mail_treatment(memory, grade, place, fresh, self._settings, at)
        return Standing(
            account=account,
            address=address,
            grade=grade,
            place=place,
            treatment=treatment,
            delay_s=self._settings.watch_delay_s if treatment == "delay" else 0,
            incident=memory.incident,
            score=round(grading.strange_score(memory, at), 2),
            network=network.key,
            reason=self.reason(account, at) if treatment != "pass" else None,
            action=memory.action,
        )

    def reason(self, account: str, at: int) -> Phrase:
        """The sentence for the account's present grade."""
        memory = self._memories[account.lower()]
        return sentence(
            account.lower(), memory, grading.present_case(memory, self._settings, at), memory.since or at
        )

    def contained(self, account: str, incident: str, action: str) -> None:
        """The shell has opened a case: `action` is the id under which mail of this account is held."""
        memory = self._memories[account.lower()]
        memory.incident, memory.action = incident, action
        self._changed.add(account.lower())

    def set_grade(self, account: str, grade: Grade, at: int) -> None:
        """The operator's word: contain or lock an account whatever the evidence says."""
        memory = self._memories.setdefault(account.lower(), Memory(born=at))
        memory.grade, memory.since, memory.gentle = grade, at, False
        memory.first_stranger = memory.first_stranger or at
        self._changed.add(account.lower())

    def release(self, account: str, at: int, *, teach: bool) -> None:
        """End the case. With `teach` the strangers were the owner: their networks become the account's
        own."""
        memory = self._memories.get(account.lower())
        if memory is None:
            return
        logins.settle_strangers(memory, at, teach=teach)
        memory.score, memory.score_at, memory.terms = 0.0, at, []
        memory.strange, memory.own = Flow(), Flow()
        memory.grade, memory.since, memory.watch_until, memory.gentle = Grade.CLEAR, at, 0, False
        memory.first_stranger, memory.incident, memory.action = 0, "", ""
        memory.denied = memory.passed = memory.over_cap = 0
        if teach:
            grading.allow_bulk(memory, at)
        else:
            memory.clean_since = at
        self._changed.add(account.lower())

    def accounts(self) -> tuple[str, ...]:
        return tuple(self._memories)

    def __contains__(self, account: str) -> bool:
        return account.lower() in self._memories

    def memory(self, account: str) -> Memory:
        """For reports and tests; to be looked at, not changed."""
        return self._memories[account.lower()]

    def snapshot(self, account: str) -> bytes:
        return pack_memory(self._memories[account.lower()])

    def restore(self, account: str, data: bytes) -> None:
        self._memories[account.lower()] = unpack_memory(data)

    def changed(self) -> frozenset[str]:
        """The accounts whose memory changed since this was last asked."""
        changed = frozenset(self._changed)
        self._changed.clear()
        return changed

    def forget(self, account: str) -> None:
        """Drop an account from memory; the shell has written it down, and restores it when it is heard of
        again."""
        self._memories.pop(account.lower(), None)

    def use_table(self, networks: NetworkTable, at: int) -> None:
        """Rule 14: a new network table. Every remembered network is looked up again before the next event."""
        self._networks = networks
        for account, memory in self._memories.items():
            logins.remap(memory, networks.find, at)
            self._changed.add(account)

    def _network(self, address: str, known: Network | None) -> Network:
        if address in self._webmail:
            return NOWHERE
        return known if known is not None else self._networks.find(address)

    def _strange_networks(self, memory: Memory) -> frozenset[str]:
        return frozenset(
            key for key, place in memory.provisional.items() if place.first >= memory.first_stranger
        )

    def _active(self, at: int) -> int:
        return sum(1 for memory in self._memories.values() if at - memory.last < ACTIVE)


def _is_repeated(memory: Memory, event: Watched) -> bool:
    """Rule 13: an event seen before, or older than all that is remembered, changes nothing."""
    key = digest(event.id)
    if key in memory.events or event.at < memory.events_from:
        return True
    memory.events[key] = event.at
    if len(memory.events) > EVENTS_KEPT:
        oldest = next(iter(memory.events))
        memory.events_from = max(memory.events_from, memory.events.pop(oldest))
    return False
