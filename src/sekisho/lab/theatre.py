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
from sekisho.lab.reckoning import Played, Tally, look, notices
from sekisho.lab.scenes import scenes
from sekisho.lab.stage import OPERATOR, Outside, Stage, build
from sekisho.lab.story import Story, Tempo
from sekisho.model.delivery import State
from sekisho.model.incident import Grade, Incident
from sekisho.model.phrase import Phrase
from sekisho.model.queue_row import QueueRow
from sekisho.model.selector import Selector
from sekisho.service.control import call
from sekisho.service.messages import IncidentAnswer, IncidentAsk, QueueAnswer, QueueAsk
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
    """`incidents` were opened or became graver on the day. `contained`: the owner's account, fully.

    `wronged` are other accounts that stand contained; `notices` the server's letters, by mailbox and subject.
    """

    tally: Tally
    incidents: tuple[Incident, ...]
    contained: bool
    wronged: tuple[str, ...] = ()
    notices: tuple[tuple[str, str], ...] = ()

    def good(self, bill: Bill) -> bool:
        """As promised: contained, every honest letter arrived, hardly any of the botnet's."""
        if self.wronged or not self.tally.honest_whole:
            return False
        if not bill.thief:
            return not self.contained
        return self.contained and self.tally.bot_arrived <= LEAKED_MAX and self.tally.owner_in_time


class Theatre:
    """Open, play, close; between the last two one may look around."""

    def __init__(self, bill: Bill, folder: str, find: Find, say: Say) -> None:
        self.bill = bill
        self._folder = folder
        self._find = find
        self._say = say
        self._cases: dict[str, Grade] = {}
        self._of_the_day: set[str] = set()
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
        server.hush()
        self._closing.push_async_callback(server.stop)
        self._say(narration.of_doors(self._doors))
        await asyncio.to_thread(self._release_the_wronged)

    def _release_the_wronged(self) -> None:
        """Nobody stole anything in the past: what was contained then, the operator releases."""
        for case in self._house.incidents(open_only=True):
            if case.grade >= Grade.CONTAIN:
                call(self._folder, IncidentAsk("release", case.id, teach=True), IncidentAnswer)
                self._say(narration.of_release(case))

    async def _tell_past(self) -> None:
        """The watch role, before the server: it learns, writes down what it knows, and finds it again."""
        path, written = await asyncio.to_thread(history.write_history, self._folder, self.script, self._find)
        world = real_world(self.stage.config)
        watch = WatchTower(world, self.stage.config, recorder_of(world, self.stage.config, "history"))
        await watch.open([])
        told = await history.tell(path, watch.handle)
        await watch.stop()
        await world.spawn.stop()
        self._cases = {case.id: case.grade for case in await asyncio.to_thread(self._house.incidents)}
        self._say(narration.of_past(path, written, told))
        self._say(narration.of_past_cases(tuple(self._cases.values())))

    async def play(self) -> Outcome:
        """The day, then patience until everything honest has arrived, then the count."""
        host, _, port = self._doors["mx"].rpartition(":")
        clock = real_world(self.stage.config).clock
        story = Story(self.script, self.stage, Doorway(host=host, port=int(port)), clock, self._hear)
        self._say(narration.of_day(self.bill.tempo))
        watcher = asyncio.create_task(self._watch_cases())
        try:
            await story.play(scenes(self.script), self.bill.tempo)
            tally = await self._settle(story)
        finally:
            watcher.cancel()
        await self._tell_new_cases()
        return await asyncio.to_thread(self._outcome, tally)

    async def _settle(self, story: Story) -> Tally:
        """The count once nothing is missing and only held mail is in the queue, or when patience is over."""
        deadline = asyncio.get_running_loop().time() + self.bill.tempo.patience_s
        while True:
            queue = await asyncio.to_thread(self._queue)
            arrived = await asyncio.to_thread(look, self._outside.sink, self._folder, self.stage.passwords)
            quiet = all(row.held_by for row in queue) and story.ledger.expected() <= arrived.keys()
            if quiet or asyncio.get_running_loop().time() > deadline:
                return story.ledger.tally(arrived, queue)
            await asyncio.sleep(LOOK_S)

    def _queue(self) -> tuple[QueueRow, ...]:
        """What waits or is under way, as `sekisho queue list` would be told."""
        asked = QueueAsk("list", Selector(states=(State.WAITING, State.TRYING)), limit=QUEUE_ROWS)
        answer = call(self._folder, asked, QueueAnswer)
        return answer.rows if answer else ()

    def _outcome(self, tally: Tally) -> Outcome:
        incidents = self._house.incidents()
        grave = {case.subject: case for case in incidents if case.grade >= Grade.CONTAIN and not case.closed}
        actions = self._house.actions(grave[OWNER].id) if OWNER in grave else []
        return Outcome(
            tally=tally,
            incidents=tuple(case for case in incidents if case.id in self._of_the_day),
            contained=bool(actions) and all(action.status == "done" for action in actions),
            wronged=tuple(sorted(grave.keys() - {OWNER})),
            notices=tuple(notices(self._folder, (OWNER, OPERATOR))),
        )

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
                self._of_the_day.add(incident.id)
                self._say(narration.of_incident(incident))

    async def close(self) -> None:
        await self._closing.aclose()
