"""The Japanese catalogue is complete: every sentence translated, none unused, every value named, compiled."""

import re
import string
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))
texts = pytest.importorskip("texts")


def names(pattern: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(pattern) if field}


def of_catalogue(language: str) -> dict[object, object]:
    return {message.id: message.string for message in texts.read(language) if message.id}


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_the_catalogue_holds_what_is_said_and_nothing_else(language: str) -> None:
    """What the program says and what the catalogue lists are the same set."""
    said, known = set(texts.collected()), set(of_catalogue(language))
    assert set() == said - known, "run tools/texts.py"
    assert set() == known - said, "run tools/texts.py"


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_sentence_is_translated(language: str) -> None:
    """No sentence falls back to English."""
    known = of_catalogue(language)
    assert [] == [message for message, string in known.items() if not all(texts.strings(string))]


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_a_translation_uses_the_values_of_its_sentence(language: str) -> None:
    """A renamed or forgotten value would raise, or lose the one thing the operator needs."""
    for message, translation in of_catalogue(language).items():
        source = message if isinstance(message, str) else message[-1]
        if re.search(r"\{\w+\}", source):
            for form in texts.strings(translation):
                assert names(form) == names(source), source


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_the_compiled_catalogue_is_the_translators(language: str) -> None:
    """The .mo in the repository is made from the .po beside it."""
    assert texts.compiled(texts.read(language)) == texts.po_path(language).with_suffix(".mo").read_bytes()
