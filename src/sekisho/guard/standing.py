"""From grade and place to what happens to a client: the table of consequences, and nothing else."""

from msgspec import Struct

from sekisho.guard.letters import letters_at
from sekisho.guard.logins import Standpoint
from sekisho.guard.memory import Memory
from sekisho.guard.volume import BURST, BURST_LETTERS, WATCH_HELD, cap, fresh_at, fresh_today, own_volume
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


def login_treatment(memory: Memory, grade: Grade, place: Place, *, lodger: bool) -> Treatment:
    """A lodger's logins go on under containment; its mail waits, and to first-time recipients is held."""
    treatment = LOGIN.get((grade, place), "pass")
    if lodger and Grade.CONTAIN <= grade < Grade.OPERATOR:
        return "delay" if grade == Grade.CONTAIN else "hold"
    if treatment == "refuse" and memory.gentle and grade < Grade.OPERATOR:
        return "hold"  # rule 15: the mass brake denies no login
    return treatment


class Letter(Struct, frozen=True):
    """The message in hand: how many recipients were never written to; whether it comes from a /24 of a
    confirmed network where the account never was, or from a lodging."""

    fresh: int
    distant: bool
    lodger: bool


def mail_treatment(
    memory: Memory, grade: Grade, place: Place, letter: Letter, settings: Settings, at: int
) -> Treatment:
    """For the message (or recipient) in hand. Contained mail is held, not refused: 250 to the intruder, and a
    false alarm loses nothing."""
    treatment = login_treatment(memory, grade, place, lodger=letter.lodger)
    if treatment == "refuse" or (letter.lodger and letter.fresh and grade >= Grade.CONTAIN):
        return "hold"
    if treatment == "delay" and fresh_at(memory, memory.strange, at) > WATCH_HELD:
        return "hold"
    if place == "unfamiliar":
        return "hold" if letter.fresh and _is_over_cap(memory, settings, at) else treatment
    if not letter.fresh:
        return treatment if memory.all_mail or grade >= Grade.OPERATOR else "pass"
    return max(treatment, _own_treatment(memory, grade, letter, settings, at), key=_STRENGTH.index)


_STRENGTH: tuple[Treatment, ...] = ("pass", "delay", "hold", "refuse")


def _own_treatment(memory: Memory, grade: Grade, letter: Letter, settings: Settings, at: int) -> Treatment:
    """Mail to first-time recipients from the account's own places."""
    if _is_over_cap(memory, settings, at) or (letter.distant and grade >= Grade.CONTAIN):
        return "hold"
    doubtful = letter.distant and grade >= Grade.WATCH
    burst = own_volume(memory, at) >= BURST or letters_at(memory.own, at) >= BURST_LETTERS
    return "delay" if doubtful or burst else "pass"


def _is_over_cap(memory: Memory, settings: Settings, at: int) -> bool:
    return fresh_today(memory, at) > cap(memory, settings.first_time_recipients, at)
