"""What goes on around an account that was contained: who still knocks, which other accounts the same people
try, and what was tried before they got in.

Only wrong passwords, and right ones that are refused, are looked at here; nothing of it weighs as evidence.
Everything is bounded, so that a stranger who tries names and passwords all night costs no memory.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from msgspec import Struct, field

from sekisho.guard.after_lock import SECOND, cadence
from sekisho.guard.memory import DAY, Memory
from sekisho.guard.networks import number_of
from sekisho.model.event import LoginTried
from sekisho.model.incident import Incident, Place

TIMES_KEPT = 512
"""Latest tries of which pace and bursts are told: four weeks of the ten in twelve hours that were seen."""

ADDRESSES_KEPT = 512
"""Addresses from which they came, the latest."""

CORNERS_KEPT = 256
"""Corners of the net where the thief was, the latest."""

RELATED_KEPT = 50
"""Other accounts named for one case; more are a list of all accounts."""

RELATED_TRIES = 2
"""Wrong passwords on another account from the thief's corners of the net before it is named: one may be
anybody's."""

WATCHED = 30 * DAY
"""So long after the release tries are still counted."""

QUIET_FOR = DAY
"""They gave up when nothing came for a day, and for GAVE_UP_PERIODS of their rhythm."""

GAVE_UP_PERIODS = 3
"""A burst that is missed is no end; three are."""

FAILED_ACCOUNTS_KEPT = 2000
"""Accounts of which wrong passwords are remembered, the latest."""

FAILED_KEPT = 16
"""Wrong passwords remembered of each: enough for a pace, and to tell guessing from knowing."""

BEFORE = 30 * DAY
"""Wrong passwords older than this say nothing about how a password was lost."""

SAME_PACE = 0.1
"""How far two paces may differ, in parts of the longer one, to be one machine's."""

PACE_TRIES = 6
"""Wrong passwords of another account from which a pace of its own is told."""


class Failure(Struct, array_like=True):
    at: int
    address: str
    digest: str = ""


class Aftermath(Struct, omit_defaults=True):
    """Of one case. `tries` came from unfamiliar places since it was opened, `right` of them with the right
    password; `times` are the latest. `corners` are the /16s (/32s) where the thief was. `related`: other
    account -> tries from there, or at the same pace. `first` is the stranger who came first; `failures`,
    `passwords`, `guessers` are the wrong passwords before, how many different ones, from how many addresses.
    """

    incident: str
    account: str
    since: int
    tries: int = 0
    right: int = 0
    times: list[int] = field(default_factory=list)
    addresses: dict[str, int] = field(default_factory=dict)
    tools: dict[str, int] = field(default_factory=dict)
    corners: dict[str, int] = field(default_factory=dict)
    related: dict[str, int] = field(default_factory=dict)
    paced: list[str] = field(default_factory=list)
    first: int = 0
    first_address: str = ""
    first_network: str = ""
    failures: int = 0
    passwords: int = 0
    guessers: int = 0
    guessed_from_there: bool = False
    until: int = 0

    @property
    def last(self) -> int:
        return self.times[-1] if self.times else 0

    def named(self) -> tuple[str, ...]:
        """The related accounts, the most tried first."""
        sure = {name: tries for name, tries in self.related.items() if tries >= RELATED_TRIES}
        return (
            *sorted(sure, key=lambda name: (-sure[name], name)),
            *(n for n in self.paced if n not in sure),
        )


def corner_of(address: str) -> str:
    """The /16 (/32) around an address: providers get theirs in pieces of such size."""
    number, bits = number_of(address)
    if not bits:
        return ""
    return f"{number >> 24}.{number >> 16 & 255}/16" if bits == 32 else f"{number >> 96:08x}/32"


def has_given_up(record: Aftermath, now: int) -> bool:
    rhythm = cadence(record.times)
    pause = GAVE_UP_PERIODS * (rhythm.period_s or 0) * SECOND
    return bool(record.times) and now - record.last > max(QUIET_FOR, pause)


class Watcher:
    """All cases that are watched, and the latest wrong passwords of all accounts."""

    def __init__(self) -> None:
        self.records: dict[str, Aftermath] = {}
        self.changed: set[str] = set()
        self._by_account: dict[str, Aftermath] = {}
        self._by_corner: dict[str, set[str]] = {}
        self._paces: dict[str, tuple[int, int | None]] = {}
        self._failures: dict[str, list[Failure]] = {}

    def open(self, incident: Incident, memory: Memory | None) -> None:
        """A case was contained. Once for each."""
        if incident.id in self.records:
            return
        record = Aftermath(incident.id, incident.subject, incident.opened)
        if memory is not None:
            _note_thief(record, memory)
        _note_before(record, self._failures.get(incident.subject, ()))
        self.take(record)
        self.changed.add(record.incident)

    def take(self, record: Aftermath) -> None:
        """As it was written down."""
        self.records[record.incident] = record
        for corner in record.corners:
            self._by_corner.setdefault(corner, set()).add(record.incident)
        known = self._by_account.get(record.account)
        if known is None or known.since <= record.since:
            self._by_account[record.account] = record

    def close(self, incident: str, at: int) -> None:
        record = self.records.get(incident)
        if record is not None and not record.until:
            record.until = at + WATCHED
            self.changed.add(incident)

    def drop_old(self, now: int) -> tuple[str, ...]:
        """Cases whose watch is over, by id."""
        over = tuple(name for name, record in self.records.items() if 0 < record.until < now)
        for name in over:
            record = self.records.pop(name)
            self._paces.pop(name, None)
            for corner in record.corners:
                self._leave(corner, name)
            if self._by_account.get(record.account) is record:
                del self._by_account[record.account]
        return over

    def see(self, event: LoginTried, place: Place) -> tuple[str, ...]:
        """A wrong password, or a right one that was refused. Returns cases that have their first related
        account by it.
        """
        if not event.account or event.why == "unknown_user" or place == "known":
            return ()
        account = event.account.lower()
        record = self._by_account.get(account)
        if record is not None and event.at > record.since:
            if place == "unfamiliar":
                self._note_try(record, event)
            return ()
        if event.ok:
            return ()
        failures = self._note_failure(account, event)
        near = self._by_corner.get(corner_of(event.address), ())
        found = [name for name in near if self._relate(self.records[name], event)]
        if (spacing := _pace_of(failures)) is not None:
            found += [name for name in self.records if self._relate_by_pace(name, spacing, event)]
        return tuple(found)

    def _note_try(self, record: Aftermath, event: LoginTried) -> None:
        before = set(record.corners) if len(record.corners) >= CORNERS_KEPT else set()
        _note_try(record, event)
        self.changed.add(record.incident)
        self._by_corner.setdefault(corner_of(event.address), set()).add(record.incident)
        for corner in before - record.corners.keys():
            self._leave(corner, record.incident)

    def _leave(self, corner: str, name: str) -> None:
        names = self._by_corner.get(corner, set())
        names.discard(name)
        if not names:
            self._by_corner.pop(corner, None)

    def _note_failure(self, account: str, event: LoginTried) -> list[Failure]:
        failures = self._failures.pop(account, [])
        failures.append(Failure(event.at, event.address, event.digest))
        del failures[:-FAILED_KEPT]
        self._failures[account] = failures
        if len(self._failures) > FAILED_ACCOUNTS_KEPT:
            del self._failures[next(iter(self._failures))]
        return failures

    def _relate(self, record: Aftermath, event: LoginTried) -> bool:
        """True when the case has its first related account by this."""
        account, before = event.account.lower(), len(record.named())
        full = len(record.related) >= RELATED_KEPT and account not in record.related
        if event.at < record.since or full:
            return False
        record.related[account] = record.related.get(account, 0) + 1
        self.changed.add(record.incident)
        return not before and bool(record.named())

    def _relate_by_pace(self, name: str, spacing: int, event: LoginTried) -> bool:
        """The same, for tries from elsewhere at a machine's pace that is this case's."""
        record, account = self.records[name], event.account.lower()
        known = account in record.paced or account in record.related or len(record.paced) >= RELATED_KEPT
        if known or event.at < record.since or not self._is_alike(record, spacing):
            return False
        before = len(record.named())
        record.paced.append(account)
        self.changed.add(name)
        return not before

    def _is_alike(self, record: Aftermath, spacing: int) -> bool:
        """The pace of a case is looked at again when it has a quarter more tries: it costs a millisecond."""
        at, own = self._paces.get(record.incident, (0, None))
        if record.tries > at * 1.25:
            own = _machine_spacing(record.times) if len(record.times) >= PACE_TRIES else None
            self._paces[record.incident] = (record.tries, own)
        return own is not None and abs(own - spacing) <= SAME_PACE * max(own, spacing)

    def failures(self) -> Mapping[str, list[Failure]]:
        return self._failures

    def recall(self, failures: Mapping[str, list[Failure]]) -> None:
        self._failures = dict(failures)


def _note_try(record: Aftermath, event: LoginTried) -> None:
    record.tries += 1
    record.right += event.ok
    record.times.append(event.at)
    del record.times[:-TIMES_KEPT]
    _keep(record.addresses, event.address, event.at, ADDRESSES_KEPT)
    _keep(record.corners, corner_of(event.address), event.at, CORNERS_KEPT)


def _note_thief(record: Aftermath, memory: Memory) -> None:
    """Where he was before he was stopped."""
    strangers = memory.strangers()
    for place in strangers.values():
        _keep(record.corners, corner_of(place.address), place.last, CORNERS_KEPT)
    for term in memory.terms:
        _keep(record.corners, corner_of(term.address), term.at, CORNERS_KEPT)
        _keep(record.tools, term.address, term.at, ADDRESSES_KEPT)
    if strangers:
        key, place = min(strangers.items(), key=lambda item: item[1].first)
        record.first, record.first_address, record.first_network = place.first, place.address, key


def _note_before(record: Aftermath, failures: Iterable[Failure]) -> None:
    """Whether he guessed, or knew."""
    end = record.first or record.since
    before = [failure for failure in failures if end - BEFORE <= failure.at <= end]
    record.failures = len(before)
    record.passwords = len({failure.digest or failure.at for failure in before})
    record.guessers = len({failure.address for failure in before})
    record.guessed_from_there = any(corner_of(failure.address) in record.corners for failure in before)


def _keep(kept: dict[str, int], key: str, at: int, limit: int) -> None:
    if key:
        kept.pop(key, None)
        kept[key] = at
        if len(kept) > limit:
            del kept[next(iter(kept))]


def _pace_of(failures: Sequence[Failure]) -> int | None:
    """The pause between a machine's tries, from ever new addresses: people do not do that, nor does a device
    with an old password.
    """
    if len(failures) < PACE_TRIES or len({failure.address for failure in failures}) < PACE_TRIES // 2:
        return None
    times = [failure.at for failure in failures]
    return None if any(later < earlier for earlier, later in pairwise(times)) else _machine_spacing(times)


def _machine_spacing(times: Sequence[int]) -> int | None:
    rhythm = cadence(times)
    return rhythm.spacing_s or None if rhythm.machine else None
