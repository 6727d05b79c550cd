"""Ends an account's sessions in a running server, after its password or its lock was changed."""

from sekisho.model.action import Performed
from sekisho.model.ident import make_id
from sekisho.service.accounts import Hands
from sekisho.service.control import call
from sekisho.service.messages import DropSessions


def end_sessions(state: str, account: str, hands: Hands) -> int:
    """How many sessions were ended; 0 where no server runs. Raises NotDone, Unavailable."""
    action = make_id(hands.clock.now(), hands.chance.bits(30))
    done = call(state, DropSessions(action, account), Performed)
    return len(done.changed) if done is not None else 0
