"""From grade and place to what happens to a client: the table of consequences, and nothing else."""

from sekisho.guard.logins import Standpoint
from sekisho.guard.memory import Memory
from sekisho.guard.volume import BURST, WATCH_HELD, cap, fresh_at, fresh_today, own_volume
from sekisho.model.config import Guard as Settings
from sekisho.model.incident import Grade, Place, Treatment

_PLACES: dict[Standpoint, Place] = {
    "confirmed": "known",
    "provisional": "unfamiliar",
    "new": "unfamiliar",
    "nowhere": "nowhere",
}

LOGIN: dict[tuple[Grade, Place], Treatment] = {
    (Grade.WATCH, "unfamiliar"): "delay",
    (Grade.CONTAIN, "unfamiliar"): "refuse",
    (Grade.LOCK, "unfamiliar"): "refuse",
    (Grade.LOCK, "known"): "hold",
    (Grade.LOCK, "nowhere"): "hold",
    (Grade.OPERATOR, "unfamiliar"): "refuse",
    (Grade.OPERATOR, "known"): "refuse",
    (Grade.OPERATOR, "nowhere"): "refuse",
}
"""What is not named passes. Owner's devices go on under containment; web mail is no place and goes on too."""


def place_of(standpoint: Standpoint) -> Place:
    return _PLACES[standpoint]


def login_treatment(memory: Memory, grade: Grade, place: Place) -> Treatment:
    treatment = LOGIN.get((grade, place), "pass")
    if treatment == "refuse" and memory.gentle and grade < Grade.OPERATOR:
        return "hold"  # rule 15: the mass brake denies no login
    return treatment


def mail_treatment(
    memory: Memory, grade: Grade, place: Place, fresh: int, settings: Settings, at: int
) -> Treatment:
    """For a message (or recipient) in hand, `fresh` of whose recipients were never written to before.

    Contained mail is held, not refused: 250 to the intruder, and a false alarm loses nothing.
    """
    treatment = login_treatment(memory, grade, place)
    if treatment == "refuse":
        return "hold"
    if treatment == "delay" and fresh_at(memory.strange, at) > WATCH_HELD:
        return "hold"
    if fresh and treatment != "hold":
        if fresh_today(memory, at) > cap(memory, settings.first_time_recipients, at):
            return "hold"
        if place != "unfamiliar" and own_volume(memory, at) >= BURST:
            return "delay"
    return treatment
