"""How many sessions are open, in all and from one address; who comes beyond that is sent away before
anything else.
"""

from collections import Counter

from sekisho.model.config import Limits
from sekisho.model.verdict import Reply

FULL = Reply(421, "4.3.2", "Too many sessions, try again later")
CROWDED = Reply(421, "4.7.0", "Too many sessions from your address")
LEAVING = Reply(421, "4.3.2", "This server is shutting down")


class Admission:
    def __init__(self) -> None:
        self._open = 0
        self._by_address: Counter[str] = Counter()
        self.closing = False

    @property
    def open(self) -> int:
        return self._open

    def enter(self, address: str, limits: Limits) -> Reply | None:
        """Counts the session in either case; `leave` is owed. The reply is what sends it away."""
        place = neighbourhood(address)
        self._open += 1
        self._by_address[place] += 1
        if self.closing:
            return LEAVING
        if self._open > limits.sessions:
            return FULL
        if address and self._by_address[place] > limits.sessions_per_address:
            return CROWDED
        return None

    def leave(self, address: str) -> None:
        place = neighbourhood(address)
        self._open -= 1
        self._by_address[place] -= 1
        if not self._by_address[place]:
            del self._by_address[place]


def neighbourhood(address: str) -> str:
    """What counts as one address: of IPv6 the /64, which belongs to one subscriber. As `ipaddress` writes
    it.
    """
    if ":" not in address:
        return address
    groups, _, rest = address.partition("::")
    head = groups.split(":") if groups else []
    tail = rest.split(":") if rest else []
    head += ["0"] * (8 - len(head) - len(tail)) if "::" in address else []
    return ":".join((head + tail)[:4])
