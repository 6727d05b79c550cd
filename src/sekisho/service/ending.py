"""Ends an account's sessions in a running server, after its password or its lock was changed."""

from sekisho.model.action import Performed
from sekisho.model.ident import make_id
from sekisho.service.accounts import Hands
from sekisho.service.channel import NotDone
from sekisho.service.control import call
from sekisho.service.messages import DropSessions
from sekisho.world import Unavailable


def end_sessions(state: str, account: str, hands: Hands) -> int:
    """How many sessions were ended; 0 also where no server runs. The lock itself does not depend on it."""
    action = make_id(hands.clock.now(), hands.chance.bits(30))
    try:
        done = call(state, DropSessions(action, account), Performed)
    except (NotDone, Unavailable):
        return 0
    return len(done.changed) if done is not None else 0
