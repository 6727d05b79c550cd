"""An incident stream: a head line that says what must be found, then events as the archive writes them.

A stream is played as production plays it: through the guard as watch asks it (sign-ins, recipients and
messages are judged, results observed, a finding opens a case, a release ends it), or, where the head says
`"door": "scan"`, through `sekisho scan`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from command import sekisho
from sekisho.guard.failures import Failures
from sekisho.guard.guard import Guard
from sekisho.guard.network_csv import read_rows
from sekisho.guard.networks import NetworkTable
from sekisho.guard.packing import pack
from sekisho.model import config
from sekisho.model.event import (
    Accepted,
    ActionDone,
    DeliveryTried,
    Event,
    LoginTried,
    RecipientGiven,
    Returned,
)
from sekisho.model.incident import Finding, Standing

FOLDER = Path(__file__).parent
HONEST = ".honest"
TEACHES = "count the strangers"
"""So `allow_logins` tells in the archive that the release taught the guard."""


class Head(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """`finds`: account -> the event that raised its grade -> that grade. `leaked`: messages taken from
    strangers before the account was contained. `alarms`: the result that raised an alarm of the failure rate
    -> whose, and the commonest cause. `treats`: what the client met at an event. `report`: what scan
    must say, in part.

    `holds`: constant -> changes of it under which this stream, or its honest companion, is no longer true.
    `networks`: whose the addresses are, as for `networks update`; `new_table_at`: that table came in then.
    `at_most` of an honest stream: the most that may happen; "report" where scan may name a case.
    """

    why: str
    networks: tuple[str, ...] = ()
    holds: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    finds: dict[str, dict[str, str]] = field(default_factory=dict)
    leaked: dict[str, int] = field(default_factory=dict)
    treats: dict[str, str] = field(default_factory=dict)
    alarms: dict[str, str] = field(default_factory=dict)
    report: list[dict[str, Any]] = field(default_factory=list)
    door: str = "watch"
    new_table_at: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    at_most: str = "delay"


class Stream(Struct):
    name: str
    head: Head
    events: list[Event]

    @property
    def honest(self) -> bool:
        return self.name.endswith(HONEST)


class Outcome(Struct):
    """What happened in one playing; compared with the head's own lists."""

    finds: dict[str, dict[str, str]] = field(default_factory=dict)
    leaked: dict[str, int] = field(default_factory=dict)
    treats: dict[str, str] = field(default_factory=dict)
    alarms: dict[str, str] = field(default_factory=dict)
    report: list[dict[str, Any]] = field(default_factory=list)


def read(path: Path) -> Stream:
    head, *lines = path.read_bytes().splitlines()
    events: list[Event] = [msgspec.json.decode(line, type=Event) for line in lines]
    return Stream(path.name.removesuffix(".jsonl"), msgspec.json.decode(head, type=Head), events)


def streams() -> Iterator[Stream]:
    for path in sorted(FOLDER.glob("*.jsonl")):
        yield read(path)


def play(stream: Stream, folder: Path) -> Outcome:
    return _scan(stream, folder) if stream.head.door == "scan" else _Watch(stream).play()


def differs(stream: Stream, outcome: Outcome) -> str:
    """Where the outcome is not what the head says; "" if it is."""
    head = stream.head
    if outcome.finds != head.finds:
        return f"found {outcome.finds}, not {head.finds}"
    for account, messages in head.leaked.items():
        if outcome.leaked.get(account, 0) != messages:
            return f"{outcome.leaked.get(account, 0)} messages of {account} leaked, not {messages}"
    if outcome.alarms != head.alarms:
        return f"alarmed {outcome.alarms}, not {head.alarms}"
    for event, treatment in head.treats.items():
        if outcome.treats.get(event) != treatment:
            return f"{event} was {outcome.treats.get(event)}, not {treatment}"
    if head.door == "scan" and not _within(head.report, outcome.report):
        return f"scan reported {outcome.report}, not {head.report}"
    return ""


def _within(part: Any, whole: Any) -> bool:
    """Everything that `part` names is so in `whole`."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and _within(value, whole[key]) for key, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) == len(whole) and all(map(_within, part, whole))
    return bool(part == whole)


class _Watch:
    """The guard with what the watch role does around it."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._table = NetworkTable(pack(read_rows(stream.head.networks)))
        self._guard = Guard(replace(config.Guard(), **stream.head.settings), self._table)
        self._failures = Failures()
        self._outcome = Outcome()

    def play(self) -> Outcome:
        moved = self._stream.head.new_table_at
        for event in self._stream.events:
            if moved and event.at >= moved:
                self._guard.use_table(self._table, moved)
                moved = 0
            self._take(event)
        return self._outcome

    def _take(self, event: Event) -> None:
        match event:
            case LoginTried(ok=True) | RecipientGiven() | Accepted():
                standing, findings = self._guard.judge(event)
                self._follow(event, findings)
                self._outcome.treats[event.id] = _treatment(standing)
                if isinstance(event, Accepted) and standing.place == "unfamiliar":
                    self._outcome.leaked.setdefault(event.account, 0)
                    self._outcome.leaked[event.account] += standing.treatment in ("pass", "delay")
            case LoginTried() | DeliveryTried() | Returned():
                self._follow(event, self._guard.observe(event))
                if isinstance(event, DeliveryTried):
                    self._alarm(event)
            case ActionDone(kind="allow_logins"):
                self._guard.release(event.subject, event.at, teach=TEACHES in event.text)

    def _alarm(self, event: DeliveryTried) -> None:
        self._failures.settle(event.at)
        jump = self._failures.observe(event)
        if jump is not None:
            self._outcome.alarms[event.id] = f"{jump.subject} {jump.cause}"

    def _follow(self, event: Event, findings: tuple[Finding, ...]) -> None:
        for finding in findings:
            grade = finding.grade.name.lower()
            found = self._outcome.finds.setdefault(finding.account, {})
            found[event.id] = grade if finding.trust == "sealed" else f"open {grade}"
            self._guard.contained(finding.account, "incident", "action")


def _treatment(standing: Standing) -> str:
    return f"delay {standing.delay_s} s" if standing.treatment == "delay" else standing.treatment


def _scan(stream: Stream, folder: Path) -> Outcome:
    """Archive and table as files, given to the command."""
    table, archive = folder / "networks.csv", folder / "2026-06-01.front.jsonl"
    table.write_text("".join(f"{row}\n" for row in stream.head.networks))
    archive.write_bytes(b"".join(msgspec.json.encode(event) + b"\n" for event in stream.events))
    result = sekisho("scan", "--json", "--networks", str(table), str(archive))
    assert result.code in (0, 1), result.err
    (report,) = result.rows()
    return Outcome(report=report["incidents"])
