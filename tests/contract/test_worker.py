"""The thread that takes turns: it is woken when the loop has done what it has in hand, and misses nothing."""

import asyncio
import threading
from collections.abc import Callable

from sekisho.host import HostSpawn


def _counting(turns: list[int], told: Callable[[], None]) -> Callable[[], float]:
    def turn() -> float:
        turns.append(threading.get_ident())
        told()
        return 0.0

    return turn


def test_pokes_while_a_turn_is_owed_are_one() -> None:
    asyncio.run(_pokes_while_a_turn_is_owed_are_one())


async def _pokes_while_a_turn_is_owed_are_one() -> None:
    spawn, turns, came = HostSpawn(), list[int](), asyncio.Event()
    bell = spawn.bell()
    worker = spawn.worker("test", _counting(turns, lambda: bell.ring(came.set)))
    for _ in range(100):
        worker.poke()
    async with asyncio.timeout(30):
        await came.wait()
    assert len(turns) == 1
    assert turns[0] != threading.get_ident()
    worker.stop()
    await spawn.stop()


def test_each_poke_that_follows_a_turn_has_a_turn() -> None:
    asyncio.run(_each_poke_that_follows_a_turn_has_a_turn())


async def _each_poke_that_follows_a_turn_has_a_turn() -> None:
    spawn, turns, came = HostSpawn(), list[int](), asyncio.Event()
    bell = spawn.bell()
    worker = spawn.worker("test", _counting(turns, lambda: bell.ring(came.set)))
    async with asyncio.timeout(30):
        for count in range(1, 51):
            worker.poke()
            await came.wait()
            came.clear()
            assert len(turns) == count
    worker.stop()
    await spawn.stop()


def test_what_was_put_in_line_just_before_the_end_has_its_turn() -> None:
    asyncio.run(_what_was_put_in_line_just_before_the_end_has_its_turn())


async def _what_was_put_in_line_just_before_the_end_has_its_turn() -> None:
    spawn, turns, complaints = HostSpawn(), list[int](), list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))
    worker = spawn.worker("test", _counting(turns, lambda: None))
    worker.poke()  # and the loop has no moment to wake it
    worker.stop()
    assert turns
    await asyncio.sleep(0)  # the wake-up that comes too late harms nobody
    assert not complaints
    await spawn.stop()


def test_an_end_while_a_turn_is_under_way_and_the_next_is_owed() -> None:
    asyncio.run(_an_end_while_a_turn_is_under_way_and_the_next_is_owed())


async def _an_end_while_a_turn_is_under_way_and_the_next_is_owed() -> None:
    spawn, turns, began, go_on = HostSpawn(), list[int](), asyncio.Event(), threading.Event()
    bell = spawn.bell()

    def told() -> None:
        bell.ring(began.set)
        go_on.wait(30)

    worker = spawn.worker("test", _counting(turns, told))
    worker.poke()
    async with asyncio.timeout(30):
        await began.wait()
    threading.Timer(0.2, go_on.set).start()
    worker.poke()
    await asyncio.sleep(0)
    worker.stop()
    assert len(turns) >= 2
    await spawn.stop()
