"""When a role counts as hanging, in virtual time: by what it did not answer, and what came of ending it."""

import asyncio
from typing import Any

from sekisho.service.heartbeat import Heartbeat
from sekisho.service.messages import StatusAnswer
from sekisho.testing.loop import run
from sekisho.world import Unavailable

SILENCE_S = 60
STARTING_S = 600


class Role:
    """A process and its channel. While it hangs, a question is never answered; each end gives it a new life,
    if it is `mortal`.
    """

    def __init__(self, *, mortal: bool = True) -> None:
        self.life = 1
        self.hangs = self.gone = False
        self.ended: list[str] = []
        self._mortal = mortal

    def replace(self, why: str) -> None:
        self.ended.append(why)
        self.life += self._mortal

    async def ask(self, request: object, answer: type[Any]) -> Any:
        if self.hangs:
            await asyncio.Event().wait()
        if self.gone:
            raise Unavailable("role", "nobody is there")
        return StatusAnswer(True, 1, {})

    def tell(self, request: object) -> None: ...


async def beating(role: Role) -> tuple[Heartbeat, "asyncio.Task[None]"]:
    heart = Heartbeat(role, role, SILENCE_S)
    return heart, asyncio.create_task(heart.beat())


def test_one_that_answers_late_is_left_alone() -> None:
    """Fifty seconds without a word, time and again, are no reason."""

    async def story() -> None:
        role = Role()
        heart, task = await beating(role)
        for _ in range(20):
            role.hangs = True
            await asyncio.sleep(50)
            role.hangs = False
            await asyncio.sleep(20)
            assert heart.well
        assert [] == role.ended
        task.cancel()

    run(story())


def test_one_that_hangs_is_ended_once_and_its_successor_has_time() -> None:
    """After 60 s; the next process may need ten minutes until it answers, and all is well meanwhile."""

    async def story() -> None:
        role = Role()
        heart, task = await beating(role)
        role.hangs = True
        await asyncio.sleep(SILENCE_S + 15)
        assert ["did not answer for 60 s and was ended"] == role.ended
        role.hangs, role.gone = False, True  # a new process, whose socket is not there yet
        await asyncio.sleep(STARTING_S - 120)
        assert heart.well and 1 == len(role.ended)
        role.gone = False
        await asyncio.sleep(30)
        role.gone = True
        await asyncio.sleep(SILENCE_S - 15)
        assert heart.well and 1 == len(role.ended)
        task.cancel()

    run(story())


def test_the_manager_is_told_nothing_while_the_remedy_does_not_help() -> None:
    """A process that cannot be ended, and one whose successors never answer: the heart is not well."""

    async def story() -> None:
        stubborn, barren = Role(mortal=False), Role()
        hearts = [await beating(stubborn), await beating(barren)]
        stubborn.hangs = barren.hangs = True
        await asyncio.sleep(SILENCE_S + 30)
        assert [False, True] == [heart.well for heart, _ in hearts]
        await asyncio.sleep(STARTING_S)
        assert [False, False] == [heart.well for heart, _ in hearts]
        assert [f"did not answer for {s} s and was ended" for s in (60, 600)] == barren.ended
        stubborn.hangs = barren.hangs = False
        await asyncio.sleep(30)
        assert [True, True] == [heart.well for heart, _ in hearts]
        for _, task in hearts:
            task.cancel()

    run(story())


def test_a_machine_that_slept_has_lost_one_question() -> None:
    """The clock jumps an hour between two beats; nobody is ended for it."""

    async def story() -> None:
        role = Role()
        heart, task = await beating(role)
        await asyncio.sleep(30)
        role.hangs = True
        asyncio.get_running_loop()._virtual.now_s += 3600  # type: ignore[attr-defined]
        await asyncio.sleep(15)
        role.hangs = False
        await asyncio.sleep(60)
        assert [] == role.ended and heart.well
        task.cancel()

    run(story())
