"""An action on a long queue goes fast while nobody waits, and lets mail through when somebody does."""

import asyncio
from pathlib import Path

import pytest
from spools import Store, with_store

from sekisho.host import HostClock, HostDisk, HostSpawn
from sekisho.model.config import Queue
from sekisho.model.selector import Selector
from sekisho.store import spool_actions
from sekisho.store.spool import Doors, Spool
from sekisho.store.spool_actions import PORTIONS_MAX, STEP_US, Order, Pace
from sekisho.testing.loop import run
from sekisho.testing.world import FakeClock


def test_quick_steps_take_more_portions_and_slow_ones_fewer() -> None:
    async def scene() -> None:
        clock, left = FakeClock(), [str(n) for n in range(100)]
        pace, sizes = Pace(clock), []
        for took_us in [0, 0, 0, 0, STEP_US + 1, STEP_US, STEP_US + 1, STEP_US + 1, STEP_US + 1, 0, 0]:
            sizes.append(len(pace.taken(left)))
            await pace.timed(clock.sleep(took_us / 1e6))
        assert [1, 2, 4, PORTIONS_MAX, PORTIONS_MAX, 4, 4, 2, 1, 1, 2] == sizes
        assert [str(n) for n in range(100 - sum(sizes))] == left

    run(scene())


def test_each_row_is_changed_once_however_the_portions_fall(monkeypatch: pytest.MonkeyPatch) -> None:
    """Portions of three, in steps of one, two, four, eight and what is left; all come back."""
    monkeypatch.setattr(spool_actions, "ROWS_MAX", 3)

    async def scene(store: Store) -> None:
        await store.keep(*(f"x{n}@example.net" for n in range(50)))
        purge = await store.do("purge", recipient="@example.net")
        assert (50, 50) == (store.last.count, len(set(store.last.changed)))
        store.reopen(store.disk.restart())
        assert 50 == len(await store.rows(held_by=purge))
        await store.do("restore", held_by=purge)
        assert 50 == store.last.count
        assert {"waiting"} == {str(row.state) for row in await store.rows()}

    with_store(scene)


def test_a_reader_that_serves_again_sees_what_came_and_what_failed(tmp_path: Path) -> None:
    """Two looks at once, a look that breaks off, and a letter between two looks."""

    async def main() -> None:
        store, spawn = Store(), HostSpawn()
        spool = Spool.open(str(tmp_path / "spool"), Doors(HostClock(), HostDisk(), spawn), Queue())
        for seen in range(1, 4):
            draft = store.mailbag.draft("a@example.com")
            await spool.submit(draft, (b"Subject: x\r\n\r\n",))
            found = await asyncio.gather(
                *(spool.count(Selector(recipient="a@example.com")) for _ in range(3))
            )
            assert [seen] * 3 == [census.deliveries for census in found]
            with pytest.raises(KeyError):
                await spool.groups(Selector(), "no such column", 1)
        done = await spool.perform(Order("p", "purge", Selector(recipient="a@example.com")))
        assert (3, 0) == (done.count, (await spool.count(Selector())).deliveries)
        spool.close()
        store.spool.close()
        await spawn.stop()

    asyncio.run(main())
