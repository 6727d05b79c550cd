"""Who has tried too many passwords is refused before one more is hashed: an address, never an account.

A budget for an account would let anybody lock its owner out. An address has one for each hour, and what
counts is *different* wrong passwords: a telephone that repeats an old one spends it once. Who has lately
logged in from there goes on, whatever a neighbour behind the same address tries.
"""

from collections.abc import Iterator

from sekisho.service.admission import neighbourhood
from sekisho.store.bounded import Bounded

ADDRESSES = 20_000
"""Most addresses whose wrong passwords are remembered."""

REGULARS = 50_000
"""Most pairs of address and login remembered for having had the right password."""

WITHIN = 3600 * 1_000_000
"""An hour, in microseconds: how long a wrong password counts."""

WELCOME = 24 * WITHIN
"""How long a right one lets its login in whatever others do at the same address."""


class Doorstep:
    """One for each front; what it knows is lost with the process."""

    def __init__(self) -> None:
        self.most = 0
        self._wrong: Bounded[str, dict[str, int]] = Bounded(ADDRESSES)
        self._regulars: Bounded[tuple[str, str], int] = Bounded(REGULARS)

    def is_spent(self, address: str, login: str, now: int) -> bool:
        """Whether this client is refused without a look at its password."""
        if not address or (self._regulars.get((address, login)) or 0) > now:
            return False
        wrong = self._wrong.get(neighbourhood(address))
        return wrong is not None and sum(1 for _ in _counting(wrong, now)) >= self.most

    def was_right(self, address: str, login: str, now: int) -> None:
        self._regulars.put((address, login), now + WELCOME)

    def was_wrong(self, address: str, login: str, digest: str, now: int) -> None:
        """`digest` tells one wrong password from another; it need not be secret nor unique."""
        place = neighbourhood(address)
        wrong = dict(_counting(self._wrong.get(place) or {}, now))
        if len(wrong) < self.most:
            wrong.setdefault(f"{digest} {login}", now + WITHIN)
        self._wrong.put(place, wrong)


def _counting(wrong: dict[str, int], now: int) -> Iterator[tuple[str, int]]:
    return ((mark, until) for mark, until in wrong.items() if until > now)
