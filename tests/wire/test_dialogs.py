"""Every dialogue of tests/dialogs on the machine: as it was sent, and cut in pieces."""

from pathlib import Path

import pytest

from covers import covers
from sekisho.testing.dialogue import Dialogue, read_dialogue
from sekisho.testing.stage import play_on_machine

FOLDER = Path(__file__).parents[1] / "dialogs"
DIALOGUES = [read_dialogue(path.read_text(), path.name) for path in sorted(FOLDER.glob("*.smtp"))]


@covers("Q-04", "Q-21", "Q-32")
@pytest.mark.parametrize("dialogue", DIALOGUES, ids=lambda dialogue: dialogue.name)
def test_a_dialogue_goes_as_it_is_written(dialogue: Dialogue) -> None:
    """Each write arrives in one piece."""
    play_on_machine(dialogue)


@pytest.mark.parametrize("piece", [1, 3, 7])
@pytest.mark.parametrize(
    "dialogue", [one for one in DIALOGUES if not one.uncut], ids=lambda dialogue: dialogue.name
)
def test_a_dialogue_goes_the_same_in_pieces(dialogue: Dialogue, piece: int) -> None:
    """The network may cut as it likes, except where impatience is the point."""
    play_on_machine(dialogue, piece)


def test_there_are_many() -> None:
    """And each says in its first line what it is about."""
    assert len(DIALOGUES) >= 50
    for path in FOLDER.glob("*.smtp"):
        assert path.read_text().startswith("# "), path.name
