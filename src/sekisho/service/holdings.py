"""How much of an account's mail other servers hold at our word: as much as we would ourselves (rule 10)."""

from sekisho.checks.takeover import held_under
from sekisho.model.config import Guard
from sekisho.model.incident import Standing
from sekisho.store.bounded import Bounded

CASES = 10_000
"""Most cases of which is remembered how much is held; what a restart forgets is counted anew."""


class Holdings:
    def __init__(self) -> None:
        self._held: Bounded[tuple[str, str], tuple[int, int]] = Bounded(CASES)

    def has_room(self, standing: Standing, size: int, settings: Guard) -> bool:
        """May one more letter of this size be held under this standing's case?"""
        letters, octets = self._held.get(_case(standing)) or (0, 0)
        return letters < settings.held_messages and octets + size <= settings.held_bytes

    def add(self, standing: Standing, size: int) -> None:
        letters, octets = self._held.get(_case(standing)) or (0, 0)
        self._held.put(_case(standing), (letters + 1, octets + size))


def _case(standing: Standing) -> tuple[str, str]:
    return standing.account, held_under(standing)
