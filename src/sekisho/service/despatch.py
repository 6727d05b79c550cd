"""One spool at work: who delivers what is in it, who reports what failed, who answers questions about it.

A front has one for its own spool, and one for each that is left of a front that is no more: lowering `fronts`
strands no mail.
"""

import os
from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct

from sekisho.model.action import Performed
from sekisho.model.config import FRONTS_MOST, Config
from sekisho.model.delivery import Kind, State
from sekisho.model.selector import Selector
from sekisho.service.addressing import Addressing
from sekisho.service.bouncing import Bouncer
from sekisho.service.channel import Channel
from sekisho.service.delivery import Carrier, Deliverer, Voice
from sekisho.service.desk import merged, together
from sekisho.service.errands import Errands
from sekisho.service.forwarding import Forwarder
from sekisho.service.listing import ListCarrier
from sekisho.service.messages import (
    HoldQueue,
    QueueAnswer,
    QueueAsk,
    ReleaseQueue,
    Request,
    Sweep,
    Swept,
)
from sekisho.service.recording import Recorder
from sekisho.service.remote import RemoteCarrier
from sekisho.service.reporting import Reporter
from sekisho.service.spool_owner import SpoolOwner
from sekisho.store.spool import Spool
from sekisho.world import Unavailable, World


class Means(Struct, frozen=True):
    """What the spools of one front share."""

    world: World
    addressing: Addressing
    bouncer: Bouncer
    remote: RemoteCarrier
    local: Channel
    recorder: Recorder


class Despatch:
    def __init__(self, spool: Spool, means: Means) -> None:
        world, recorder = means.world, means.recorder
        self.spool = spool
        self._means = means
        self.reporter = Reporter(world, spool, means.addressing, means.bouncer, recorder.record)
        forwarder = Forwarder(world, spool, means.addressing)
        near = dict.fromkeys((Kind.MAILDIR, Kind.PIPE), Errands(means.local, forwarder))
        lists = {Kind.LIST: ListCarrier(world, means.addressing, forwarder)}
        far = dict.fromkeys((Kind.MX, Kind.RELAY, Kind.LMTP), means.remote)
        carriers: dict[Kind, Carrier] = {**near, **far, **lists}
        voice = Voice(recorder.record, recorder.trouble)
        self.deliverer = Deliverer(world, spool, carriers, self.reporter, voice)
        self.owner = SpoolOwner(world, spool, means.addressing, self.deliverer)

    def take_questions(
        self, quiet: Callable[[str], Awaitable[None]], sweep: Callable[[Sweep], Awaitable[Swept]] | None
    ) -> None:
        """For the spool that takes new mail: as `SpoolOwner` has them."""
        means = self._means
        self.owner = SpoolOwner(means.world, self.spool, means.addressing, self.deliverer, quiet, sweep)

    def start(self) -> None:
        spawn, trouble = self._means.world.spawn, self._means.recorder.trouble
        spawn.task("bounces", self.reporter.run(trouble))
        spawn.task("delay warnings", self.reporter.warn(trouble))
        spawn.task("delivery", self.deliverer.run())


async def left_over(means: Means, config: Config, fronts: int) -> list[Despatch]:
    """A Despatch for each spool of a higher number than there are fronts, in which there is anything."""
    found = []
    for number in range(fronts + 1, FRONTS_MOST + 1):
        folder = os.path.join(config.state, "spool", str(number))
        if not means.world.disk.exists(f"{folder}/spool.db"):
            continue
        try:
            spool = Spool.open(folder, means.world, config.queue)
        except Unavailable as trouble:  # its front still runs, or it is damaged: ours goes on
            means.recorder.trouble("the queue of a front that is no more", f"spool/{number}", str(trouble))
            continue
        if await _holds_anything(spool):
            found.append(Despatch(spool, means))
        else:
            spool.close()
    return found


async def _holds_anything(spool: Spool) -> bool:
    return bool((await spool.count(Selector(states=tuple(State)))).deliveries)


def woken(despatches: Sequence[Despatch], lane: str) -> bool:
    """There is a place at a host that was full: for the first who wants it."""
    return any(each.deliverer.woken(lane) for each in despatches)


async def answered(despatches: Sequence[Despatch], request: Request) -> Struct | None:
    """By all of them as if there were one spool; what is new goes into the first. None: not theirs. Raises
    NotDone, Unavailable."""
    first, *others = despatches
    answer = await first.owner.handle(request)
    match request, answer:
        case QueueAsk(), QueueAnswer():
            more = [await each.owner.handle(request) for each in others]
            return merged([answer, *(each for each in more if isinstance(each, QueueAnswer))], request.limit)
        case HoldQueue() | ReleaseQueue(), Performed():
            more = [await each.owner.handle(request) for each in others]
            return together([answer, *(each for each in more if isinstance(each, Performed))])
    return answer
