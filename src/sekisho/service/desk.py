"""The desk behind the control socket: each question goes to the role that owns the answer.

Queue verbs go to every front and come back as one, as does the end of sessions; incident verbs go to
watch; what concerns the whole server is answered here.
"""

from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct

from sekisho.model.action import Performed
from sekisho.model.queue_row import QueueGroup
from sekisho.service.channel import Channel, NotDone
from sekisho.service.messages import (
    DropSessions,
    IncidentAnswer,
    IncidentAsk,
    Kept,
    QueueAnswer,
    QueueAsk,
    Reload,
    Report,
    Request,
    StatusAnswer,
    StatusAsk,
)


class Desk:
    def __init__(
        self,
        watch: Channel,
        fronts: Sequence[Channel],
        status: Callable[[], Awaitable[StatusAnswer]],
        reload: Callable[[], Awaitable[object]],
    ) -> None:
        self._watch = watch
        self._fronts = fronts
        self._status = status
        self._reload = reload

    async def handle(self, request: Request) -> Struct | None:
        match request:
            case QueueAsk():
                return merged(
                    [await front.ask(request, QueueAnswer) for front in self._fronts], request.limit
                )
            case DropSessions():
                return together([await front.ask(request, Performed) for front in self._fronts])
            case IncidentAsk():
                return await self._watch.ask(request, IncidentAnswer)
            case Report():
                return await self._watch.ask(request, Kept)
            case StatusAsk():
                return await self._status()
            case Reload():
                await self._reload()
                return await self._status()
        raise NotDone(f"{type(request).__name__} is not for the control socket")


def merged(answers: Sequence[QueueAnswer], limit: int) -> QueueAnswer:
    """The fronts' answers as if there were one queue: oldest message first, up to the limit."""
    if len(answers) == 1:
        return answers[0]
    rows = sorted((row for answer in answers for row in answer.rows), key=lambda row: row.accepted_at)
    performed = [answer.performed for answer in answers if answer.performed is not None]
    return QueueAnswer(
        matched=sum(answer.matched for answer in answers),
        messages=sum(answer.messages for answer in answers),
        bytes=sum(answer.bytes for answer in answers),
        rows=tuple(rows[:limit]),
        performed=together(performed) if performed else None,
        head="".join(answer.head for answer in answers),
        arrived=sum(answer.arrived for answer in answers),
        groups=tuple(_summed(answers)[:limit]),
    )


def _summed(answers: Sequence[QueueAnswer]) -> list[QueueGroup]:
    """Groups of one name as one, the largest first."""
    found: dict[str, QueueGroup] = {}
    for group in (group for answer in answers for group in answer.groups):
        other = found.get(group.name)
        found[group.name] = group if other is None else QueueGroup(
            group.name,
            group.deliveries + other.deliveries,
            group.bytes + other.bytes,
            min(group.oldest_at, other.oldest_at),
            min(group.next_at, other.next_at),
        )  # fmt: skip
    return sorted(found.values(), key=lambda group: (-group.deliveries, group.name))


def together(parts: Sequence[Performed]) -> Performed:
    """One action that several have performed."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    return Performed(
        action=first.action,
        owner=",".join(part.owner for part in parts),
        at=max(part.at for part in parts),
        changed=tuple(name for part in parts for name in part.changed),
        before={name: value for part in parts for name, value in part.before.items()},
        already_on_the_wire=sum(part.already_on_the_wire for part in parts),
        count=sum(part.count for part in parts),
    )
