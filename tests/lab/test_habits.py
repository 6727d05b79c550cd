"""The document says what the generator draws from."""

import random
import re
from pathlib import Path

from sekisho.lab import habits

PAGE = Path(__file__).parent.parent.parent / "docs" / "generator.md"


def stated() -> dict[str, str]:
    return dict(re.findall(r"^\| `([A-Z_0-9]+)` \| ([^|]+) \|", PAGE.read_text(), re.MULTILINE))


def drawn() -> dict[str, str]:
    return {name: as_text(value) for name, value in vars(habits).items() if name.isupper()}


def as_text(value: object) -> str:
    if isinstance(value, habits.Range):
        return f"{value.low:g} to {value.high:g}"
    return ", ".join(f"{one:g}" for one in value) if isinstance(value, tuple) else f"{value:g}"


def test_the_document_states_every_range() -> None:
    """Nothing is drawn that the page does not name, and the numbers are the same."""
    assert stated() == drawn()


def test_a_range_is_kept() -> None:
    """Both ends can be drawn, nothing beyond them."""
    rng = random.Random(1)
    whole = {habits.ROLE_PLACES.whole(rng) for _ in range(200)}
    assert whole == {2, 3, 4}
    assert all(5 <= habits.WAKES.draw(rng) <= 9 for _ in range(200))
