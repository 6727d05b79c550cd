"""Marks a test as part of a catalogue row's acceptance check; `docs/coverage.md` is made from these marks."""

from collections.abc import Callable
from typing import TypeVar

import pytest

Test = TypeVar("Test", bound=Callable[..., object])


def covers(*rows: str, partly: str = "") -> Callable[[Test], Test]:
    """`rows` as in the catalogue ("F-09"). `partly` says what of the row is still unproven."""

    def mark(test: Test) -> Test:
        return pytest.mark.covers(*rows, partly=partly)(test)

    return mark
