"""Correspondence evidence: whole messages from unfamiliar networks that go to nobody the account ever
wrote to.

An owner on a journey answers people; spam goes to strangers, a few at a time if need be. Each message is
one observation of a CUSUM, weighed against how often the account's own messages go to strangers only: for
a web shop that is always, and then it proves nothing.
"""

from math import exp, log

from sekisho.guard.logins import RHO
from sekisho.guard.memory import DAY, Flow, Memory

INTRUDER_STRANGERS = 0.95
"""p(a message goes to strangers only), if an intruder sends it."""
PRIOR_LETTERS, PRIOR_STRANGERS = 5.0, 3.0
"""A new account knows nobody: three of five imagined letters went to strangers, so that the first ones
prove little."""
HABIT_LETTERS = 200.0
"""Counts are halved at this many letters."""
HEAVIEST = 4.0
"""As much as one first sight: letters to strangers alone are a watch, and never a containment."""
FADE = DAY
"""What somebody wrote yesterday says little about who writes today."""


def letters_at(flow: Flow, at: int) -> float:
    if not flow.letters or at <= flow.letters_at:
        return flow.letters
    return flow.letters * exp((flow.letters_at - at) / FADE)


def weigh_letter(memory: Memory, flow: Flow, known: int, fresh: int, at: int) -> None:
    """A message to so many known and first-time recipients."""
    if not known and not fresh:
        return  # repeated strangers of today: already weighed
    usual = (memory.to_strangers + PRIOR_STRANGERS) / (memory.letters + PRIOR_LETTERS)
    intruder, owner = (1 - INTRUDER_STRANGERS, 1 - usual) if known else (INTRUDER_STRANGERS, usual)
    weight = log(1 - RHO + RHO * intruder / max(owner, 0.01))  # at least 2 of 205, as HABIT_LETTERS halves
    flow.letters = max(0.0, min(HEAVIEST, letters_at(flow, at) + weight))
    flow.letters_at = max(at, flow.letters_at)


def learn_letter(memory: Memory, *, known: bool) -> None:
    """A message from the account's own places: its habit."""
    memory.letters += 1
    memory.to_strangers += not known
    if memory.letters > HABIT_LETTERS:
        memory.letters /= 2
        memory.to_strangers /= 2
