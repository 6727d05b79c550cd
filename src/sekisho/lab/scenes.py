"""The demo's day as scenes: who calls when, with which letters; every letter carries a token of its own."""

import random
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Literal

from msgspec import Struct

from sekisho.lab.book import SUBJECTS, outside_address
from sekisho.lab.cast import HOUSEHOLD, Script
from sekisho.lab.habits import DEMO_ARRIVALS
from sekisho.lab.player import Paper
from sekisho.lab.visits import HOUR, Letter, Visit

Side = Literal["customer", "bot", "outside"]

TOKENS = "@demo.example"
"""By this the demo knows its own letters."""

TEXT = "This letter belongs to the demo.\n.\nThe dot above stands alone on its line, and must arrive."


class Scene(Struct, frozen=True):
    """One call. `wrong`: a mistyped password comes first. From outside nobody logs in."""

    at: int
    side: Side
    account: str
    address: str
    papers: tuple[Paper, ...]
    wrong: bool = False


def scenes(script: Script) -> tuple[Scene, ...]:
    """The whole day in time order."""
    numbers = count(1)
    day = [
        *_of_visits(script.honest, "customer", numbers),
        *_of_visits(script.stolen, "bot", numbers),
        *_from_outside(script, numbers),
    ]
    return tuple(sorted(day, key=lambda scene: scene.at))


def _of_visits(visits: Iterable[Visit], side: Side, numbers: Iterator[int]) -> Iterator[Scene]:
    for visit in visits:
        papers = tuple(_paper(letter, next(numbers)) for letter in visit.letters)
        if papers:
            yield Scene(visit.at, side, visit.account, visit.address, papers, visit.wrong > 0)


def _paper(letter: Letter, number: int) -> Paper:
    return Paper(_token(number), letter.sender, letter.recipients, letter.subject, TEXT)


def _from_outside(script: Script, numbers: Iterator[int]) -> Iterator[Scene]:
    """Other hosts bring a few letters for the house; nobody may lose those for the botnet's sake."""
    rng = random.Random(f"outside {script.seed}")
    for _ in range(DEMO_ARRIVALS.whole(rng)):
        sender, recipient = outside_address(rng), rng.choice(HOUSEHOLD.residents)[0]
        paper = Paper(_token(next(numbers)), sender, (recipient,), rng.choice(SUBJECTS), TEXT)
        yield Scene(script.day + int(rng.uniform(7, 20) * HOUR), "outside", "", "", (paper,))


def _token(number: int) -> str:
    return f"letter-{number}{TOKENS}"
