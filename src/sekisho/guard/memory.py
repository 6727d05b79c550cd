"""What the guard remembers of one account: a few networks, a few sums, which recipients it knows. Bounded
in every part.

An account takes about 3 KB when written down, full and contained 23 KB (measured: docs/guard.md). Recipients
are kept as 40-bit digests, oldest first.
"""

from collections.abc import Iterable
from hashlib import blake2b

import msgspec
from msgspec import Struct

from sekisho.model.incident import Grade

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 3600 * SECOND
DAY = 24 * HOUR

CONFIRMED_KEPT = 16
"""Networks of the account's own: home, telephone, office, and a year of moving about."""
PROVISIONAL_KEPT = 24
"""Unfamiliar networks: more than a journey brings; of a botnet the latest."""
RECIPIENTS_KEPT = 1024
"""Known recipients; half of an account's bytes when it is full."""
FRESH_KEPT = 256
"""First-time recipients of the last day: more than the cap of 200 allows. Under containment, as many as
recipients."""
PREFIXES_KEPT = 16
"""The /24s (/48s) where the account was, for telling neighbours from itself."""
FINGERPRINTS_KEPT = 8
"""Mail programs of one person."""
TERMS_KEPT = 24
"""Pieces of evidence of the present episode."""
EVENTS_KEPT = 128
"""Ids of the latest events, so that a replay after a restart changes nothing (rule 13)."""
FAILED_KEPT = 64
"""Deliveries that failed, by which a bounce that comes twice is known."""
HANDS_KEPT = 16
"""Sessions that have named recipients and not yet sent."""
DIGEST_BYTES = 5
"""40 bits: with 1024 recipients known, a stranger passes for known once in a thousand million."""


class Place(Struct, omit_defaults=True):
    """A network as one account knows it. `days` counts distinct quiet days, `day` the last one counted.

    `proof` is set by mail to known recipients or by the confirmed client fingerprint. `strange` logins
    were made while the network was not confirmed; `address` is the latest one, by which a new table finds
    the network again.
    """

    first: int
    last: int
    address: str
    country: str = ""
    region: str = ""
    asn: int = 0
    shared: bool = False
    logins: int = 1
    days: int = 1
    day: int = 0
    proof: bool = False
    source: str = ""


class Term(Struct, omit_defaults=True, array_like=True):
    """One piece of evidence: which rule, its weight, the network or thing it is about, and the event."""

    at: int
    term: str
    weight: float
    about: str = ""
    country: str = ""
    address: str = ""
    event: str = ""
    count: int = 0


class Flow(Struct, omit_defaults=True):
    """Mail from one kind of place. `fresh` first-time recipients, halving in 42 minutes; `bounce` the
    CUSUM of refusals.

    `began`, `named`, `tried`, `refused` and `messages` describe the present burst for the sentence.
    """

    fresh: float = 0.0
    fresh_at: int = 0
    bounce: float = 0.0
    bounce_at: int = 0
    letters: float = 0.0
    letters_at: int = 0
    began: int = 0
    named: int = 0
    messages: int = 0
    tried: int = 0
    refused: int = 0


class Day(Struct, array_like=True):
    """One day's behaviour, waiting to become the account's habit: largest hour of first-time recipients,
    results, size."""

    day: int
    peak: float = 0.0
    tried: int = 0
    refused: int = 0
    sent: int = 0


class Memory(Struct, omit_defaults=True):
    """Written down with `pack_memory`. Fields that start with a capital of their own rule are named in
    docs/guard.md."""

    born: int
    last: int = 0
    v: int = 1
    confirmed: dict[str, Place] = msgspec.field(default_factory=dict)
    provisional: dict[str, Place] = msgspec.field(default_factory=dict)
    confirmed_at: list[int] = msgspec.field(default_factory=list)
    fingerprints: list[str] = msgspec.field(default_factory=list)
    prefixes: list[str] = msgspec.field(default_factory=list)
    new_since: dict[str, int] = msgspec.field(default_factory=dict)
    visits: float = 0.0
    visit_at: int = 0
    new_prefixes: float = 0.0
    new_networks: float = 0.0
    new_countries: float = 0.0
    score: float = 0.0
    score_at: int = 0
    lowered_at: int = 0
    open_score: float = 0.0
    open_at: int = 0
    open_networks: list[str] = msgspec.field(default_factory=list)
    open_told: int = 0
    grade: Grade = Grade.CLEAR
    since: int = 0
    ground: str = ""
    raised_score: float = 0.0
    raised_limit: float = 0.0
    watch_until: int = 0
    first_stranger: int = 0
    incident: str = ""
    action: str = ""
    gentle: bool = False
    terms: list[Term] = msgspec.field(default_factory=list)
    denied: int = 0
    held: int = 0
    strange: Flow = msgspec.field(default_factory=Flow)
    own: Flow = msgspec.field(default_factory=Flow)
    letters: float = 0.0
    to_strangers: float = 0.0
    all_mail: bool = False
    usual: float = 0.0
    results: float = 0.0
    refusals: float = 0.0
    days: list[Day] = msgspec.field(default_factory=list)
    bulk_days: list[int] = msgspec.field(default_factory=list)
    bulk_size: int = 0
    hour: int = 0
    hours: list[int] = msgspec.field(default_factory=list)
    allowance: int = 0
    allowance_until: int = 0
    over_cap: int = 0
    passed: int = 0
    sentence_at: int = 0
    remapped_at: int = 0
    clean_since: int = 0
    recipients: dict[int, None] = msgspec.field(default_factory=dict)
    fresh: dict[int, int] = msgspec.field(default_factory=dict)
    events: dict[int, int] = msgspec.field(default_factory=dict)
    events_from: int = 0
    failed: dict[int, int] = msgspec.field(default_factory=dict)
    failed_from: int = 0
    forgotten_event: int = 0
    hands: dict[str, int] = msgspec.field(default_factory=dict)

    def lodgings(self) -> frozenset[str]:
        """Unfamiliar networks that were in use at least a day before the episode's first stranger, with
        mail to known people or the owner's client: a hotel, a customer's office.
        """
        if not self.first_stranger:
            return frozenset()
        before = self.first_stranger - DAY
        return frozenset(
            key for key, place in self.provisional.items() if place.proof and place.first <= before
        )

    def strangers(self) -> dict[str, Place]:
        """The unfamiliar networks of the present episode, oldest first."""
        return {
            key: place for key, place in self.provisional.items() if place.first >= self.first_stranger > 0
        }


class _Packed(Struct, array_like=True):
    memory: msgspec.Raw
    recipients: bytes
    fresh: bytes
    fresh_strange: bytes
    events: bytes


def digest(text: str) -> int:
    """A recipient, or an event's id, as a number of 40 bits."""
    return int.from_bytes(
        blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest(), "big"
    )


def know(recipients: dict[int, None], keys: Iterable[int]) -> None:
    for key in keys:
        recipients.pop(key, None)
        recipients[key] = None
        if len(recipients) > RECIPIENTS_KEPT:
            del recipients[next(iter(recipients))]


def push(items: list[str], item: str, limit: int) -> None:
    """A short list, most recent last, without repeats."""
    if items and items[-1] == item:
        return
    if item in items:
        items.remove(item)
    items.append(item)
    del items[:-limit]


def pack_memory(memory: Memory) -> bytes:
    recipients, fresh, events = memory.recipients, memory.fresh, memory.events
    memory.recipients, memory.fresh, memory.events = {}, {}, {}
    try:
        body = msgspec.msgpack.encode(memory)
    finally:
        memory.recipients, memory.fresh, memory.events = recipients, fresh, events
    own = [key for key, named in fresh.items() if named > 0]
    strange = [key for key, named in fresh.items() if named <= 0]
    packed = _Packed(
        msgspec.Raw(body), _digests(recipients), _digests(own), _digests(strange), _digests(events)
    )
    return msgspec.msgpack.encode(packed)


def unpack_memory(data: bytes) -> Memory:
    """What `pack_memory` wrote. When each fresh recipient was first named is not kept: they count as
    named just now."""
    packed = msgspec.msgpack.decode(data, type=_Packed)
    memory = msgspec.msgpack.decode(packed.memory, type=Memory)
    memory.recipients = dict.fromkeys(_numbers(packed.recipients))
    memory.fresh = dict.fromkeys(_numbers(packed.fresh), memory.last)
    memory.fresh.update(dict.fromkeys(_numbers(packed.fresh_strange), -memory.last))
    memory.events = dict.fromkeys(_numbers(packed.events), memory.last)
    return memory


def _digests(keys: Iterable[int]) -> bytes:
    return b"".join(key.to_bytes(DIGEST_BYTES, "big") for key in keys)


def _numbers(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + DIGEST_BYTES], "big") for at in range(0, len(data), DIGEST_BYTES)]
