"""What can be done about an account at the mail server beside us: the port, and how a containment uses it.

To the containment a foreign server looks like one more front: it holds waiting mail, lets go what it held,
takes notices.
"""

from collections.abc import Sequence
from functools import partial
from typing import Protocol, TypeVar

from msgspec import Struct

from sekisho.model.action import Action, Kind, Performed
from sekisho.model.selector import Selector
from sekisho.service.channel import NotDone
from sekisho.service.messages import Deposit, DropSessions, HoldQueue, ReleaseQueue, Request
from sekisho.store.house import House
from sekisho.world import World

Answered = TypeVar("Answered", bound=Struct)

ALWAYS: frozenset[Kind] = frozenset({"allow_logins", "alarm"})
"""What needs no hands: the guard's own grade is taken back."""


class Hands(Protocol):
    """The queue of Postfix, Exim, sendmail or qmail, as far as an incident needs it.

    Every call may come twice and then changes nothing more. Each returns the queue ids that it changed, by
    which it is taken back. Raises Unavailable when that server does not answer (it is asked again), NotDone
    for what it cannot do. Its letters are those of `selector.account`, but not from `selector.spare`.
    """

    kinds: frozenset[Kind]
    """What it can do, and take back: hold_queue, release_queue, purge_bounces, and refuse_logins and
    allow_logins where somebody there asks us before a login."""

    async def hold(self, action: str, selector: Selector) -> Sequence[str]:
        """Waiting mail that matches stays where it is, and so does what comes, until `action` is released."""

    async def release(self, held: str, ids: Sequence[str], account: str) -> Sequence[str]:
        """What the action `held` holds may go again; `ids` is what `hold` returned for it, if it was ever
        asked to: that server may have held letters of `account` on our word alone.
        """

    async def purge(self, selector: Selector) -> Sequence[str]:
        """Take letters, and the bounces that they caused, out of the queue."""

    async def post(self, recipient: str, letter: bytes) -> None:
        """Send a notice of ours, from a null sender; lines end in LF."""


class HandsChannel:
    """The hands in a front's place: what `Containing` asks its fronts, asked of a foreign server."""

    def __init__(self, world: World, house: House, hands: Hands) -> None:
        self._world = world
        self._house = house
        self._hands = hands

    async def ask(self, request: Request, answer: type[Answered]) -> Answered:
        performed = await self._do(request)
        assert isinstance(performed, answer)
        return performed

    def tell(self, request: Request) -> None:
        """Nothing is told to fronts that a foreign server could hear."""

    async def _do(self, request: Request) -> Performed:
        match request:
            case HoldQueue(action=action, selector=selector):
                return self._performed(action, await self._hands.hold(action, selector))
            case ReleaseQueue(action=action, held=held):
                account = await self._account(held)
                return self._performed(
                    action, await self._hands.release(held, await self._held(held), account)
                )
            case Deposit(action=action, recipient=recipient, letter=letter):
                await self._hands.post(recipient, letter)
                return self._performed(action, (recipient,))
            case DropSessions(action=action):  # its sessions are not ours to end; our own fronts end theirs
                return self._performed(action, ())
        raise NotDone(f"the mail server beside us does not do {type(request).__name__}")

    async def _held(self, action: str) -> Sequence[str]:
        done = await self._world.spawn.thread(partial(self._house.performed, action))
        return tuple(name for performed in done for name in performed.changed)

    async def _account(self, held: str) -> str:
        """Whose mail it is: `held` is an action of a case, or the case itself."""

        def found() -> str:
            case = self._house.action(held) or self._house.incident(held)
            return case.subject if case is not None else ""

        account: str = await self._world.spawn.thread(found)
        return account

    def _performed(self, action: str, changed: Sequence[str]) -> Performed:
        now = self._world.clock.now()
        return Performed(action, "beside", now, tuple(changed), count=len(changed))


def within(actions: Sequence[Action], kinds: frozenset[Kind] | None) -> tuple[Action, ...]:
    """Those that somebody here can perform; None: all. What nobody can do is not planned."""
    return tuple(action for action in actions if kinds is None or action.kind in kinds | ALWAYS)
