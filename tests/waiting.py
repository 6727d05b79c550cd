"""Waits for a fact, never for a time: a machine that is busy makes a test slower, not wrong."""

import time
from collections.abc import Callable
from typing import TypeVar

Fact = TypeVar("Fact")

PATIENCE_S = 60
"""Longest wait for what usually takes less than a second."""


def until(asked: Callable[[], Fact], within_s: float = PATIENCE_S) -> Fact:
    """The first answer that is not empty or false. A question may end with AssertionError: then it is asked
    again, and its last complaint is the test's.
    """
    deadline = time.monotonic() + within_s
    while True:
        late = time.monotonic() > deadline
        try:
            if (found := asked()) or late:
                assert found, f"not within {within_s} s: {found!r}"
                return found
        except AssertionError:
            if late:
                raise
        time.sleep(0.05)
