"""What a list of letters in another server's queue comes to: counts, and sums by name."""

from collections.abc import Sequence

from sekisho.integrations.foreign import ForeignLetter
from sekisho.model.address import domain_of
from sekisho.model.queue_row import QueueGroup, QueueRow
from sekisho.service.messages import QueueAnswer


def counted(letters: Sequence[ForeignLetter]) -> QueueAnswer:
    recipients = sum(len(letter.recipients) for letter in letters)
    return QueueAnswer(recipients, len(letters), sum(letter.size for letter in letters))


def groups(found: Sequence[QueueRow], by: str, limit: int) -> tuple[QueueGroup, ...]:
    """The same sums as of our own queue, the largest first."""
    sums: dict[str, QueueGroup] = {}
    for row in found:
        name = _name_of(row, by)
        known = sums.get(name) or QueueGroup(name, 0, 0, row.accepted_at, row.next_at)
        sums[name] = QueueGroup(
            name, known.deliveries + 1, known.bytes + row.size, min(known.oldest_at, row.accepted_at),
            min(known.next_at, row.next_at),
        )  # fmt: skip
    return tuple(sorted(sums.values(), key=lambda group: (-group.deliveries, group.name))[:limit])


def _name_of(row: QueueRow, by: str) -> str:
    match by:
        case "domain":
            return domain_of(row.recipient)
        case "recipient" | "sender":
            return str(getattr(row, by)).lower()
        case "reply":
            return row.last_reply
        case "lane":
            return row.route
    return str(getattr(row, by))
