"""What `sekisho scan` finds, in the shape of its JSON (see docs/scan.md). Times are RFC 3339 text,
sentences phrases."""

from collections.abc import Callable
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from sekisho.model.phrase import Phrase

Kind = Literal["takeover", "failures_only", "volume", "nothing"]
"""`nothing`: the account was asked for by name, and is honest as far as the log shows."""


class FileRead(Struct, frozen=True):
    name: str
    lines: int
    notes: tuple[Phrase, ...] = ()


class ShapeSeen(Struct, frozen=True):
    shape: str
    count: int
    example: str


class AssumedTime(Struct, frozen=True):
    year: int | None
    zone: str
    how: Phrase


class Span(Struct, frozen=True):
    first: str | None
    last: str | None


class Busy(Struct, frozen=True):
    account: str
    logins: int
    failures: int
    distinct_addresses: int
    messages: int


class Accounts(Struct, frozen=True):
    """`busiest`: those with most addresses, so that a log without incidents still shows something."""

    seen: int
    busiest: tuple[Busy, ...] = ()


class TopAddress(Struct, frozen=True):
    address: str
    logins: int
    failures: int
    network: str
    country: str


class Joined(Struct, frozen=True):
    login_at: str | None
    address: str
    message: str
    message_at: str
    gap_s: float
    recipients: int
    confidence: float


class Proof(Struct, frozen=True):
    at: str
    term: str
    weight: float
    text: Phrase
    file: str
    line: int


class BurstSeen(Struct, frozen=True):
    first: str
    last: str
    attempts: int


class After(Struct, frozen=True):
    """What follows the last successful sign-in; of failures_only, all of it."""

    failures: int
    last_failure: str | None
    bursts: tuple[BurstSeen, ...]
    period_s: int | None
    periods_seen: int
    spacing_s: int | None
    distinct_addresses: int
    addresses_seen_before: int
    networks_seen_before: tuple[str, ...]
    sentence: Phrase


class Case(Struct, frozen=True):
    account: str
    kind: Kind
    sentence: Phrase
    opened: str | None
    closed: str | None
    first: str
    last: str
    logins: int
    failures: int
    services: dict[str, int]
    distinct_addresses: int
    distinct_networks: int
    distinct_countries: int
    logins_per_address: dict[str, int]
    top_addresses: tuple[TopAddress, ...]
    messages: int
    recipients: int
    delivered: int
    bounced: int
    deferred: int
    joins: tuple[Joined, ...]
    evidence: tuple[Proof, ...]
    after: After
    related_accounts: tuple[str, ...]
    watch_at: str | UnsetType | None = UNSET
    contain_at: str | UnsetType | None = UNSET
    lock_at: str | UnsetType | None = UNSET
    messages_before: int | UnsetType = UNSET
    recipients_before: int | UnsetType = UNSET
    owner_messages_held: int | UnsetType = UNSET


class Bothered(Struct, frozen=True):
    account: str
    at: str
    grade: str
    sentence: Phrase


class Report(Struct, frozen=True):
    files: tuple[FileRead, ...]
    lines: int
    events: int
    unparsed: int
    unparsed_shapes: tuple[ShapeSeen, ...]
    dialects: dict[str, int]
    assumed: AssumedTime
    span: Span
    accounts: Accounts
    unrelated_messages: int
    incidents: tuple[Case, ...]
    verdicts: dict[str, int]
    failures_by_kind: dict[str, int]
    account_days: int | UnsetType = UNSET
    would_have_bothered: tuple[Bothered, ...] | UnsetType = UNSET


def plain(value: Any, say: Callable[[Phrase], str]) -> Any:
    """The report as JSON's own types, its sentences said in a language."""
    if isinstance(value, Phrase):
        return say(value)
    if isinstance(value, Struct):
        fields = ((name, getattr(value, name)) for name in value.__struct_fields__)
        return {name: plain(part, say) for name, part in fields if part is not msgspec.UNSET}
    if isinstance(value, dict):
        return {name: plain(part, say) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return [plain(part, say) for part in value]
    return value
