"""Mail for accounts whose folder holds a `.qmail` or `.forward` file: its steps are followed in order.

Forwards are only gathered here: this role does not reach the network. The front sends them on in the step in
which the delivery ends, so that a crash neither loses nor repeats them. As with qmail, the first step that
fails decides, and a letter that is tried again goes through all steps again; what is in a Maildir is not put
there twice.
"""

from functools import partial

from msgspec import Struct

from sekisho.model.account import key_of
from sekisho.model.config import Config
from sekisho.model.delivery import Deferred, Delivered, Delivery, Outcome
from sekisho.model.letter import Letter
from sekisho.model.text import printable
from sekisho.model.verdict import Reply
from sekisho.queue.instructions import MAILBOX, Step
from sekisho.service.local import LocalCarrier
from sekisho.service.looping import loops
from sekisho.service.piping import PipeCarrier
from sekisho.store.paths import divided
from sekisho.store.standing_orders import Orders, read
from sekisho.world import Unavailable, World

DONE = Reply(250, "2.0.0", "done as its owner says")
THROWN_AWAY = Reply(250, "2.0.0", "thrown away as its owner says")
NO_MBOX = "this server writes no mbox files; a name that ends in / is a Maildir"


class Case(Struct, frozen=True):
    """A letter for one of our accounts, and what that account wants done with it."""

    delivery: Delivery
    letter: Letter
    account: str
    extension: str
    orders: Orders


class InstructedCarrier:
    """A Carrier for mailboxes, between the local role's door and its two hands."""

    def __init__(
        self, world: World, config: Config, mailboxes: LocalCarrier, programs: PipeCarrier
    ) -> None:
        self._world = world
        self._mailboxes = mailboxes
        self._programs = programs
        self.reload(config)

    def reload(self, config: Config) -> None:
        self._config = config

    async def carry(self, batch: tuple[Delivery, ...], letter: Letter) -> dict[str, Outcome]:
        if self._config.local.instructions == "none":
            return await self._mailboxes.carry(batch, letter)
        outcomes: dict[str, Outcome] = {}
        for delivery in batch:
            outcomes |= await self._carry(delivery, letter)
        return outcomes

    async def _carry(self, delivery: Delivery, letter: Letter) -> dict[str, Outcome]:
        account, extension = divided(key_of(delivery.recipient), delivery.route.host)
        style = self._config.local.instructions
        assert style != "none"
        try:
            orders = await self._world.spawn.thread(
                partial(read, self._config.state, account, extension, style)
            )
        except Unavailable as trouble:
            return {delivery.id: _later(f"{trouble.door} {trouble.why}")}
        if orders is None or orders.instructions == MAILBOX:
            return await self._mailboxes.carry((delivery,), letter)
        return {delivery.id: await self._obey(Case(delivery, letter, account, extension, orders))}

    async def _obey(self, case: Case) -> Outcome:
        flaws = case.orders.instructions.flaws
        if flaws:
            return _later(f"line {flaws[0].line} of {case.orders.file} is not understood")
        for step in case.orders.instructions.steps:
            if step.kind == "mbox":  # before any other step, which a try again would repeat
                return _later(f"line {step.line} of {case.orders.file}: {NO_MBOX}")
        loop = await loops(self._world, case.delivery.recipient, case.letter)
        return await self._follow(case) if loop is None else loop

    async def _follow(self, case: Case) -> Outcome:
        steps = case.orders.instructions.steps
        onward: list[str] = []
        for step in steps:
            if step.kind == "forward":
                onward.append(step.text)
                continue
            outcome, last = await self._do(case, step)
            if not isinstance(outcome, Delivered):
                return outcome
            if last:
                break
        owner = _owner_address(case) if case.orders.owner and onward else ""
        return Delivered(DONE if steps else THROWN_AWAY, onward=tuple(dict.fromkeys(onward)), owner=owner)

    async def _do(self, case: Case, step: Step) -> tuple[Outcome, bool]:
        match step.kind:
            case "program":
                handed = await self._programs.obey(case.delivery, case.letter, step.text, case.extension)
                return handed.outcome, handed.last
            case "maildir":
                return await self._mailboxes.deliver_into(case.delivery, case.letter, step.text), False
        assert step.kind == "mailbox", step.kind
        return (await self._mailboxes.carry((case.delivery,), case.letter))[case.delivery.id], False


def _owner_address(case: Case) -> str:
    """dot-qmail(5): bounces of a list go to its owner."""
    local, _, domain = case.delivery.recipient.rpartition("@")
    return f"{local}-owner@{domain}"


def _later(text: str) -> Deferred:
    return Deferred(Reply(451, "4.3.5", printable(text, 300)))
