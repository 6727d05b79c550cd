"""`sekisho demo`: a mail host, its customers and a thief, played on a real server in a minute."""

import asyncio
import os
import random
import signal
import tempfile

import click

from sekisho.cli import speech
from sekisho.cli.household import refusals
from sekisho.cli.where import json_option
from sekisho.host import HostClock
from sekisho.lab import narration
from sekisho.lab.story import FAST, PACED
from sekisho.lab.theatre import Bill, Outcome, Theatre
from sekisho.model.phrase import Phrase, phrase
from sekisho.store.networktable import built_in

SEEDS = 1_000_000
INTERRUPTED = 130


@click.command("demo")
@click.option("--exit", "leave", is_flag=True, help="End after the story; 0 if it went as it should.")
@click.option("--seed", type=click.IntRange(0), help="Who, where, when and how fast.  [default: any]")
@click.option("--fast", is_flag=True, help="The day in five seconds.")
@click.option("--no-botnet", "peaceful", is_flag=True, help="A day without a thief: nothing may be held.")
@click.option("--keep", type=click.Path(file_okay=False), help="Build the house here, and leave it.")
@json_option
def command(
    leave: bool, seed: int | None, fast: bool, peaceful: bool, keep: str | None, as_json: bool
) -> int:
    """Show in a minute how a stolen password is caught: customers, then a botnet, on a real server.

    Everything is in a temporary folder and on loopback; nothing leaves this machine.

    Example: sekisho demo --exit --seed 7
    """
    seed = random.randrange(SEEDS) if seed is None else seed
    bill = Bill(seed, FAST if fast else PACED, thief=not peaceful)
    show = Show(bill, leave=leave, as_json=as_json)
    if keep is not None:
        with refusals():
            return asyncio.run(show.run(os.path.abspath(keep)))
    with tempfile.TemporaryDirectory(prefix="sekisho-demo-") as folder:
        return asyncio.run(show.run(folder))


class Show:
    """One performance on a terminal, or as one JSON object at its end."""

    def __init__(self, bill: Bill, *, leave: bool, as_json: bool) -> None:
        self._bill = bill
        self._leave = leave
        self._as_json = as_json
        self._told = asyncio.Event()

    async def run(self, folder: str) -> int:
        """0 if everything went as it should, 1 if not, 130 if it was interrupted."""
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._told.set)
        theatre = Theatre(self._bill, folder, built_in().find, self._say)
        acting = asyncio.create_task(_act(theatre))
        waiting = asyncio.create_task(self._told.wait())
        try:
            await asyncio.wait((acting, waiting), return_when=asyncio.FIRST_COMPLETED)
            if not acting.done():
                return INTERRUPTED
            return await self._conclude(theatre, acting.result())
        finally:
            for task in (acting, waiting):
                task.cancel()
            await asyncio.gather(acting, waiting, return_exceptions=True)
            await theatre.close()

    async def _conclude(self, theatre: Theatre, outcome: Outcome) -> int:
        good = outcome.good(self._bill)
        if self._as_json:
            speech.emit({"good": good, "settings": theatre.stage.settings, "outcome": outcome})
        for sentence in _conclusion(outcome, good=good):
            self._say(sentence)
        if not self._leave:
            self._say(phrase("The server stays open until Ctrl-C. In another terminal:"))
            for sentence in narration.of_looking(theatre.stage, outcome.incidents):
                self._say(sentence)
            await self._told.wait()
        return 0 if good else 1

    def _say(self, sentence: Phrase) -> None:
        if not self._as_json:
            speech.tell(sentence)


def _conclusion(outcome: Outcome, *, good: bool) -> list[Phrase]:
    return [
        *narration.of_tally(outcome.tally),
        *narration.of_notices(outcome.notices),
        *narration.of_verdict(outcome.incidents, good=good),
    ]


async def _act(theatre: Theatre) -> Outcome:
    await theatre.open(HostClock().now())
    return await theatre.play()
