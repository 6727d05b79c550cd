"""What checks wanted remembered (`Verdict.remember`), summed until it is over; bounded, and lost with the
process.
"""

from collections import deque

from sekisho.model.verdict import Note

KEYS = 10_000
"""Most things counted; the one that was counted longest ago makes room."""

NOTES = 1000
"""Most notes kept of one thing; the oldest makes room."""


class Counts:
    def __init__(self) -> None:
        self._notes: dict[tuple[str, str], deque[Note]] = {}

    def remember(self, note: Note) -> None:
        place = (note.table, note.key)
        notes = self._notes.pop(place, None) or deque(maxlen=NOTES)
        notes.append(note)
        self._notes[place] = notes
        if len(self._notes) > KEYS:
            del self._notes[next(iter(self._notes))]

    def sum(self, table: str, key: str, now: int) -> int:
        notes = self._notes.get((table, key))
        return sum(note.add for note in notes if note.until > now) if notes else 0
