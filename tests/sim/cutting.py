"""A life that is played again and again, each time cut off at the next sync, and every disk left of it."""

from collections.abc import Awaitable, Callable, Iterator

from msgspec import Struct

from sekisho.testing.disk import FakeDisk, PowerCut
from sekisho.testing.loop import Deadlock, run

STATES_MAX = 60
"""Most states looked at for one moment: mostly that is all of them, else the first of the product."""

SYNCS = ("sync", "sync_folder")


class Story(Struct):
    """What was said aloud before the power went, by message id."""

    kept: dict[str, str] = {}
    ending: set[str] = set()
    ended: set[str] = set()
    held: set[str] = set()
    refused: set[str] = set()


def cut_at_every_sync(
    life: Callable[[FakeDisk, Story], Awaitable[None]],
) -> Iterator[tuple[int, FakeDisk, Story]]:
    """The life again and again, each time ended at the next sync, and every disk that may be left of it."""
    cut = 0
    while True:
        disk, story = FakeDisk(), Story({}, set(), set(), set(), set())
        left = [cut]

        def before(operation: str, path: str, disk: FakeDisk = disk, left: list[int] = left) -> None:
            if operation in SYNCS:
                left[0] -= 1
            if left[0] < 0:
                disk.off = True
                raise PowerCut

        disk.before = before
        try:
            run(life(disk, story))  # type: ignore[arg-type]
        except (PowerCut, Deadlock):  # the second when it was the writer's turn: nobody answers any more
            assert disk.off
        for state in disk.states(STATES_MAX):
            yield cut, state, story
        if not disk.off:
            return
        cut += 1
