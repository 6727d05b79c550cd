"""The whole demo in order: build the house, tell its past, open the doors, play, count."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable

from msgspec import Struct, structs

from sekisho.lab import history, narration
from sekisho.lab.cast import OWNER, Script, write_script
from sekisho.lab.places import Find
from sekisho.lab.player import Doorway
from sekisho.lab.reckoning import Copy, Played, Tally, look
from sekisho.lab.scenes import scenes
from sekisho.lab.stage import Outside, Stage, build
from sekisho.lab.story import Story, Tempo
from sekisho.model.delivery import State
from sekisho.model.incident import Grade, Incident
from sekisho.model.phrase import Phrase
from sekisho.model.queue_row import QueueRow
from sekisho.model.selector import Selector
from sekisho.service.control import call
from sekisho.service.messages import QueueAnswer, QueueAsk
from sekisho.service.roles import WatchTower, real_world, recorder_of
from sekisho.service.serving import Server
from sekisho.store.house import House

LOOK_S = 0.25
"""So often it is looked whether there is a new case, and whether everything has arrived."""

QUEUE_ROWS = 10_000
BOT_LINES = 3
"""So many calls of the botnet that went alike are told one by one."""

LEAKED_MAX = 3
"""More letters of the botnet may not arrive anywhere."""

Say = Callable[[Phrase], None]


class Bill(Struct, frozen=True):
    """What is played. Without a thief nothing may be held."""

    seed: int
    tempo: Tempo
    thief: bool = True


class Outcome(Struct, frozen=True):
    """`contained`: the owner's account has a case, and all its actions are done."""

    tally: Tally
    incidents: tuple[Incident, ...]
    contained: bool

    def good(self, bill: Bill) -> bool:
        """As promised: contained, every honest letter arrived, hardly any of the botnet's."""
        if not bill.thief:
            return self.tally.honest_whole and not self.incidents
        stopped = self.contained and self.tally.bot_arrived <= LEAKED_MAX
        return stopped and self.tally.honest_whole and self.tally.owner_in_time


class Theatre:
    """Open, play, close; between the last two one may look around."""

    def __init__(self, bill: Bill, folder: str, find: Find, say: Say) -> None:
        self.bill = bill
        self._folder = folder
        self._find = find
        self._say = say
        self._cases: dict[str, Grade] = {}
        self._bot_endings: Counter[str] = Counter()
        self._closing = contextlib.AsyncExitStack()

    async def open(self, now: int) -> None:
        """Everything up to the moment at which the doors are open."""
        script = await asyncio.to_thread(write_script, self.bill.seed, self._find, now)
        self.script: Script = script if self.bill.thief else structs.replace(script, stolen=())
        self._outside = Outside(self.script)
        port = await self._outside.sink.start()
        self._closing.push_async_callback(self._outside.sink.stop)
        self.stage: Stage = await asyncio.to_thread(build, self._folder, port, self.bill.tempo.delay_s)
        self._house = House.open(self._folder)
        self._closing.callback(self._house.close)
        self._say(narration.of_house(self.stage, self.script))
        await self._tell_past()
        server = Server(self.stage.config, settings=self.stage.settings)
        self._doors = await server.start()
        self._closing.push_async_callback(server.stop)
        self._say(narration.of_doors(self._doors))

    async def _tell_past(self) -> None:
        """The watch role, before the server: it learns, writes down what it knows, and finds it again."""
        path, written = await asyncio.to_thread(history.write_history, self._folder, self.script, self._find)
        world = real_world(self.stage.config)
        watch = WatchTower(world, self.stage.config, recorder_of(world, self.stage.config, "history"))
        await watch.open([])
        told = await history.tell(path, watch.handle)
        await watch.stop()
        await world.spawn.stop()
        self._say(narration.of_past(path, written, told))

    async def play(self) -> Outcome:
        """The day, then patience until everything honest has arrived, then the count."""
        host, _, port = self._doors["mx"].rpartition(":")
        clock = real_world(self.stage.config).clock
        story = Story(self.script, self.stage, Doorway(host=host, port=int(port)), clock, self._hear)
        self._say(narration.of_day(self.bill.tempo))
        watcher = asyncio.create_task(self._watch_cases())
        try:
            await story.play(scenes(self.script), self.bill.tempo)
            arrived = await self._settle(story)
        finally:
            watcher.cancel()
        await self._tell_new_cases()
        tally = story.ledger.tally(arrived, await self._held())
        return await asyncio.to_thread(self._outcome, tally)

    async def _settle(self, story: Story) -> dict[Copy, int]:
        """What has arrived once nothing is missing, or when patience is over."""
        deadline = asyncio.get_running_loop().time() + self.bill.tempo.patience_s
        while True:
            arrived = await asyncio.to_thread(look, self._outside.sink, self._folder, self.stage.passwords)
            if story.ledger.expected() <= arrived.keys() or asyncio.get_running_loop().time() > deadline:
                return arrived
            await asyncio.sleep(LOOK_S)

    async def _held(self) -> list[QueueRow]:
        """What actions hold, as `sekisho queue list` would be told."""
        asked = QueueAsk("list", Selector(states=(State.WAITING,)), limit=QUEUE_ROWS)
        answer = await asyncio.to_thread(call, self._folder, asked, QueueAnswer)
        return [row for row in answer.rows if row.held_by] if answer else []

    def _outcome(self, tally: Tally) -> Outcome:
        incidents = self._house.incidents()
        own = [
            incident
            for incident in incidents
            if incident.subject == OWNER and incident.grade >= Grade.CONTAIN
        ]
        actions = [action for incident in own for action in self._house.actions(incident.id)]
        done = bool(actions) and all(action.status == "done" for action in actions)
        return Outcome(tally, tuple(incidents), done)

    def _hear(self, played: Played) -> None:
        """Everything honest is told; of the botnet the first calls of every sort."""
        if played.scene.side == "bot":
            sort = played.call.ending
            self._bot_endings[sort] += 1
            if self._bot_endings[sort] <= BOT_LINES:
                self._say(narration.of_call(played, self.script.day, self._find))
            if self._bot_endings.total() == len(self.script.stolen):
                self._say(narration.of_last_call(played, self.script.day, self._bot_endings))
            return
        self._say(narration.of_call(played, self.script.day, self._find))

    async def _watch_cases(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            await self._tell_new_cases()

    async def _tell_new_cases(self) -> None:
        """A case is told when it is opened and when it becomes graver."""
        for incident in reversed(await asyncio.to_thread(self._house.incidents)):
            if incident.grade > self._cases.get(incident.id, Grade.CLEAR):
                self._cases[incident.id] = incident.grade
                self._say(narration.of_incident(incident))

    async def close(self) -> None:
        await self._closing.aclose()
