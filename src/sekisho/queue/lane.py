"""One lane of the queue: what waits in memory for one destination, whose turn it is, how much may start.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence

from msgspec import Struct

from sekisho.model.delivery import Delivery
from sekisho.model.letter import Letter, party_of
from sekisho.queue.limits import Pace

BATCH_RECIPIENTS = 100
"""Most recipients of one transaction: every host must take so many (RFC 5321 4.5.3.1.8)."""

WINDOW_FIRST = 5
"""Connections at once to a destination that nothing is known of; one more with each batch that arrives."""

NEVER = 1 << 62


class Batch(Struct, frozen=True):
    """Deliveries of one message in one lane. `letter` is there if it is still in memory."""

    deliveries: tuple[Delivery, ...]
    letter: Letter | None = None

    @property
    def lane(self) -> str:
        return self.deliveries[0].route.lane

    @property
    def party(self) -> str:
        return party_of(self.letter.envelope) if self.letter is not None else ""


class Turns:
    """Batches of several parties, one of each in turn, each party's own in order."""

    __slots__ = ("_parties",)

    def __init__(self) -> None:
        self._parties: OrderedDict[str, deque[Batch]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._parties)

    def __iter__(self) -> Iterator[Batch]:
        for line in self._parties.values():
            yield from line

    def append(self, batch: Batch) -> None:
        self._parties.setdefault(batch.party, deque()).append(batch)

    def append_first(self, batch: Batch) -> None:
        """It was its turn, and it is again."""
        self._parties.setdefault(batch.party, deque()).appendleft(batch)
        self._parties.move_to_end(batch.party, last=False)

    def popleft(self) -> Batch:
        party, line = next(iter(self._parties.items()))
        batch = line.popleft()
        if line:
            self._parties.move_to_end(party)
        else:
            del self._parties[party]
        return batch

    def clear(self) -> None:
        self._parties.clear()

    def extend(self, batches: Sequence[Batch]) -> None:
        for batch in batches:
            self.append(batch)


class Lane:
    """What is known of one lane. `next_at`: when the first delivery in the table is due.

    `window`: connections that it is trusted with. `trouble`: batches in a row that reached nobody.
    `blocked_until`: a host is full; `due`: when the next message may go, where messages are counted.
    """

    __slots__ = (
        "active",
        "blocked_until",
        "claimed",
        "due",
        "name",
        "new",
        "next_at",
        "paused_until",
        "queued",
        "reserved",
        "shares",
        "trouble",
        "turn",
        "window",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.new = Turns()
        self.claimed: deque[Batch] = deque()
        self.shares: dict[str, int] = {}
        self.active = 0
        self.reserved = 0
        self.trouble = 0
        self.window = WINDOW_FIRST
        self.paused_until = 0
        self.blocked_until = 0
        self.due = 0
        self.next_at = NEVER
        self.turn = False
        self.queued = False

    def take(self) -> Batch | None:
        """New mail and what was taken from the table, by turns."""
        first, second = (self.claimed, self.new) if self.turn else (self.new, self.claimed)
        self.turn = not self.turn
        chosen = first or second
        return chosen.popleft() if chosen else None

    def take_again(self, batch: Batch) -> None:
        """It was taken, and nobody tried it."""
        if batch.letter is not None:
            self.new.append_first(batch)
        else:
            self.claimed.appendleft(batch)

    def ready_at(self, pace: Pace) -> int:
        """The earliest time at which anything of this lane may start."""
        return max(self.paused_until, self.blocked_until, pace.ready_at(self.due))

    def has_room(self, pace: Pace) -> bool:
        limit = 1 if self.trouble else min(self.window, pace.concurrency)
        return self.active < limit

    def reserve(self, party: str, count: int) -> None:
        self.reserved += count
        self.shares[party] = self.shares.get(party, 0) + count

    def release(self, party: str, count: int) -> None:
        self.reserved -= count
        self.shares[party] -= count
        if not self.shares[party]:
            del self.shares[party]

    @property
    def idle(self) -> bool:
        return (
            not (self.new or self.claimed or self.active or self.reserved or self.trouble or self.due)
            and self.next_at == NEVER
        )


def batches(deliveries: Sequence[Delivery], letter: Letter | None) -> list[Batch]:
    """Deliveries of one message and lane together, in pieces that every host takes."""
    groups: dict[tuple[str, str], list[Delivery]] = {}
    for delivery in deliveries:
        groups.setdefault((delivery.message, delivery.route.lane), []).append(delivery)
    return [
        Batch(tuple(group[start : start + BATCH_RECIPIENTS]), letter)
        for group in groups.values()
        for start in range(0, len(group), BATCH_RECIPIENTS)
    ]
