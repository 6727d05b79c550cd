"""What the guard thinks of an account now (Standing), and the case it has opened about one (Incident)."""

from enum import IntEnum
from typing import Literal

from msgspec import Struct

from sekisho.model.phrase import Phrase

FAILURE_RATE = "failure_rate"
"""The kind of a case about deliveries that fail: it says that, accuses nobody, and holds nothing."""


class Grade(IntEnum):
    """How sure the guard is, per account. What follows for a client depends on where it calls from."""

    CLEAR = 0
    WATCH = 1
    CONTAIN = 2
    LOCK = 3
    OPERATOR = 4


Place = Literal["known", "unfamiliar", "nowhere"]
Treatment = Literal["pass", "delay", "hold", "refuse"]


class Standing(Struct, frozen=True):
    """The guard's answer for one account and one client address at one moment.

    `treatment` is what to do with this client's mail (refuse: also its logins); `delay_s` for delay;
    `incident` the open incident's id or ""; `action` the id under which its mail is held
    (`Delivery.held_by`); `reason` one sentence, `score` the evidence it was made from.
    """

    account: str
    address: str
    grade: Grade = Grade.CLEAR
    place: Place = "known"
    treatment: Treatment = "pass"
    delay_s: int = 0
    incident: str = ""
    score: float = 0.0
    network: str = ""
    reason: Phrase | None = None
    action: str = ""


class Evidence(Struct, frozen=True):
    """One term of the score: what was seen, what it weighs, and where it stands (a log's file and line, or
    an event)."""

    at: int
    term: str
    weight: float
    text: Phrase
    event: str = ""
    file: str = ""
    line: int = 0


class Finding(Struct, frozen=True):
    """The guard raised an account's grade. Returned by `Guard.observe`; the shell turns it into an
    incident."""

    account: str
    at: int
    grade: Grade
    kind: Literal["takeover", "failures_only", "volume"]
    sentence: Phrase
    score: float
    evidence: tuple[Evidence, ...]
    network: str = ""
    address: str = ""
    event: str = ""
    trust: Literal["sealed", "open"] = "sealed"


class Incident(Struct, frozen=True, omit_defaults=True):
    """A case. `actions` are ids in order; `counters` are shown with the sentence. Times in microseconds."""

    id: str
    subject: str
    kind: str
    grade: Grade
    opened: int
    sentence: Phrase
    evidence: tuple[Evidence, ...] = ()
    counters: dict[str, int] = {}
    actions: tuple[str, ...] = ()
    closed: int = 0
    closed_why: str = ""
    v: int = 1
