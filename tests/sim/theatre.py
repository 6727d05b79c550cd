"""A play of several lives of one mail server: clients, flaky peers, a disk that forgets, clocks that jump,
kills.

Everything is decided by the seed. The ledger says what was promised (250) and what became of it; at the end
every promise must have been kept.
"""

import asyncio
import hashlib
import random
from collections.abc import Callable, Sequence

from mailbag import Mailbag
from sekisho.model.config import Config, Queue
from sekisho.model.delivery import Deferred, Delivered, Delivery, Failed, Kind, Outcome, State
from sekisho.model.event import Bounced, DeliveryTried, Event, Troubled
from sekisho.model.letter import BOUNCE_OF, Letter
from sekisho.model.queue_row import QueueRow
from sekisho.model.selector import Selector
from sekisho.model.verdict import Reply
from sekisho.queue.aliases import Led
from sekisho.service.addressing import Addressing
from sekisho.service.delivery import Deliverer, Voice
from sekisho.service.local import LocalCarrier
from sekisho.service.messages import QueueAnswer, QueueAsk
from sekisho.service.reporting import Report, Reporter
from sekisho.service.spool_owner import SpoolOwner
from sekisho.store.spool import Spool
from sekisho.store.spool_writer import DISK_FAILED
from sekisho.testing.disk import FakeDisk
from sekisho.testing.loop import run
from sekisho.testing.world import NOW, Fakes, FakeSpawn, fakes
from sekisho.world import Unavailable

SECOND = 1_000_000
STATE = "/state"
SPOOL = f"{STATE}/spool"
QUEUE = Queue(
    lifetime_s=4 * 3600,
    bounce_lifetime_s=2 * 3600,
    first_retry_s=60,
    longest_retry_s=1800,
    lane_concurrency=2,
    concurrency=6,
    active=100,
)
CONFIG = Config(hostname="mx.example.com", queue=QUEUE)
JOURNAL_BYTES = (1 << 15, 1 << 16, 1 << 17, 1 << 20)
"""Small: it goes round often, and some letters do not fit and go straight into the table."""

LIVES_MAX = 5
LAST_ACT_S = 40 * 3600
PLACES = ("example.com", "good.test", "flaky.test", "dead.test", "strict.test", "doubtful.test")


class Town:
    """The directory of a play: every address at example.com is a mailbox."""

    def is_local_domain(self, domain: str) -> bool:
        return domain == "example.com"

    def resolve(self, address: str) -> tuple[str, ...]:
        return (address,)

    def first_domain(self) -> str:
        return "example.com"

    def list_owner(self, address: str) -> str:
        return ""

    def lead(self, key: str) -> Led:
        return Led(self.resolve(key))

    def mailbox(self, address: str) -> str:
        local, _, domain = address.partition("@")
        return f"mail/{domain}/{local}/Maildir"


class Ledger:
    """By (message, recipient): what was promised, arrived outside, was reported, or purged by an operator."""

    def __init__(self) -> None:
        self.promised: dict[str, tuple[str | None, tuple[str, ...], str]] = {}
        self.refused: set[str] = set()
        self.arrived: dict[tuple[str, str], int] = {}
        self.reported: set[tuple[str, str]] = set()
        self.unreported: set[tuple[str, str]] = set()
        self.delivery_of: dict[tuple[str, str], str] = {}
        self.purged: set[str] = set()
        self.ambiguous: dict[tuple[str, str], int] = {}
        self.crashes = 0
        self.troubled: list[Troubled] = []

    def read_report(self, letter: bytes) -> None:
        """As `make_report` writes it: "of MESSAGE RECIPIENT" in each line."""
        for line in letter.decode().splitlines():
            if line.startswith("of "):
                _, message, recipient = line.split()
                self.reported.add((message, recipient))

    def promise(self, message: str, sender: str | None, recipients: Sequence[str], digest: str) -> None:
        self.promised[message] = (sender, tuple(recipients), digest)


class Peers:
    """All other mail servers. What they took they have, whatever they said of it."""

    def __init__(self, luck: random.Random, ledger: Ledger, now: Callable[[], int]) -> None:
        self._luck = luck
        self._ledger = ledger
        self._now = now
        self.well_behaved = False

    async def carry(self, batch: tuple[Delivery, ...], letter: Letter) -> dict[str, Outcome]:
        await asyncio.sleep(self._luck.uniform(0, 5))
        if not self.well_behaved and self._luck.random() < 0.02:
            raise ZeroDivisionError("a bug in a carrier")
        return {each.id: self._answer(each, letter) for each in batch}

    def _answer(self, delivery: Delivery, letter: Letter) -> Outcome:
        place = delivery.recipient.rpartition("@")[2]
        mood = self._luck.random()
        if place == "dead.test":
            return Deferred(Reply(451, "4.4.1", "no answer"), "connect")
        if place == "strict.test" and delivery.recipient.startswith("nobody"):
            return Failed(Reply(550, "5.1.1", "no such user"))
        if self.well_behaved or place in ("good.test", "strict.test"):
            return self._take(delivery, letter)
        if mood < 0.4:
            return Deferred(Reply(451, "4.4.2", "connection lost"), "timeout" if mood < 0.2 else "4yz")
        if place == "doubtful.test" and mood < 0.7:
            self._take(delivery, letter)
            key = (letter.message.id, delivery.recipient)
            self._ledger.ambiguous[key] = self._ledger.ambiguous.get(key, 0) + 1
            return Deferred(Reply(451, "4.4.2", "connection lost after the final dot"), "timeout")
        return self._take(delivery, letter)

    def _take(self, delivery: Delivery, letter: Letter) -> Outcome:
        if letter.envelope.options.get(BOUNCE_OF):
            self._ledger.read_report(b"".join(letter.body))
        key = (letter.message.id, delivery.recipient)
        self._ledger.arrived[key] = self._ledger.arrived.get(key, 0) + 1
        return Delivered(Reply(250, "2.0.0", "ok"))


def make_report(
    letter: Letter, failed: Sequence[tuple[Delivery, Reply]], message: str, at: int, kind: str = "failed"
) -> Report | None:
    """A bounce that names the recipients, one a line."""
    if letter.envelope.sender is None:
        return None
    body = "".join(f"of {letter.message.id} {delivery.recipient}\r\n" for delivery, _ in failed).encode()
    return Report(
        letter.envelope.sender, b"Subject: failure\r\n", body, hashlib.sha256(body).hexdigest(), "failure"
    )


class Play:
    def __init__(self, seed: int) -> None:
        self.luck = random.Random(seed)
        self.ledger = Ledger()
        self.disk = FakeDisk()
        self.now = NOW
        self.seed = seed
        self.lives = 0
        self.rows: list[QueueRow] = []
        self.purged_reports: set[str] = set()

    def perform(self) -> None:
        for _ in range(self.luck.randrange(1, LIVES_MAX)):
            self._live(last=False)
        self._live(last=True)

    def strike(self) -> None:
        """The scenery goes: tens of megabytes that the next play does not need."""
        self.disk.end()
        self.disk.names, self.disk.durable = {}, {}

    def _live(self, *, last: bool) -> None:
        self.lives += 1
        life = Life(self, last=last)
        run(life.play())
        self.now = life.fakes_now
        if not last:
            power_cut = self.luck.random() < 0.5
            self.ledger.crashes += 1
            self.disk = self.disk.crash(self.luck) if power_cut else self.disk.restart()


class Life:
    """From a start to a kill; the last one is left in peace until everything has come to its end."""

    def __init__(self, play: Play, *, last: bool) -> None:
        self._play = play
        self._luck = play.luck
        self._last = last
        self.fakes_now = play.now

    async def play(self) -> None:
        luck = self._luck
        spawn = FakeSpawn(lambda: luck.uniform(0, 0.02))
        self._fakes = fakes(now=self._play.now, seed=luck.getrandbits(32), disk=self._play.disk, spawn=spawn)
        self._over = asyncio.get_running_loop().create_future()
        self._play.disk.before = self._disturb
        self._faulty_until = 0.0
        try:
            await self._open()
        except Unavailable:
            self._die()
            return
        try:
            await (self._finish() if self._last else self._be_killed())
        finally:
            self.fakes_now = self._fakes.clock.now()
            self._play.disk.off = True

    async def _open(self) -> None:
        world, ledger = self._fakes.world, self._play.ledger
        for _ in range(50):  # a disk that fails at start is tried again, as a supervisor would
            try:
                self._spool = Spool.open(SPOOL, world, QUEUE, self._luck.choice(JOURNAL_BYTES))
                break
            except Unavailable:
                self._play.disk = self._play.disk.restart()
                self._play.disk.before = self._disturb
                await asyncio.sleep(1)
                self._fakes = Fakes(
                    self._fakes.clock,
                    self._fakes.chance,
                    self._fakes.dns,
                    self._fakes.net,
                    self._play.disk,
                    self._fakes.spawn,
                )
                world = self._fakes.world
        else:
            raise Unavailable("spool", "never opened")
        addressing = Addressing(world, Town(), CONFIG)
        self._peers = Peers(self._luck, ledger, self._fakes.clock.now)
        reporter = Reporter(world, self._spool, addressing, make_report, self._record)
        carriers = {Kind.MAILDIR: LocalCarrier(world, STATE), Kind.MX: self._peers}
        self._deliverer = Deliverer(
            world, self._spool, carriers, reporter, Voice(self._record, self._trouble)
        )
        self._owner = SpoolOwner(world, self._spool, addressing, self._deliverer)
        self._mailbag = Mailbag(self._fakes, QUEUE.lifetime_s)
        world.spawn.task("deliverer", self._deliverer.run())
        world.spawn.task("reporter", reporter.run(self._trouble))

    async def _be_killed(self) -> None:
        """By the clock, or by the power at some operation of the disk."""
        luck = self._luck
        self._cut_in = luck.randrange(20, 600) if luck.random() < 0.5 else -1
        for _ in range(luck.randrange(1, 4)):
            self._fakes.spawn.task("client", self._client())
        self._fakes.spawn.task("operator", self._operator())
        self._fakes.spawn.task("weather", self._weather())
        await asyncio.wait([self._over], timeout=luck.uniform(1, 7200))

    async def _finish(self) -> None:
        self._cut_in = -1
        self._peers.well_behaved = True
        waited = 0.0
        while waited < LAST_ACT_S:
            await asyncio.sleep(600)
            waited += 600
            for action in await self._holds():
                await self._owner.handle(QueueAsk("release", Selector(held_by=action), self._mailbag.ident()))
            live = await self._spool.count(Selector())
            if live.deliveries == 0:
                break
        await self._deliverer.stop()
        self._play.rows = await self._spool.select(Selector(states=tuple(State)), 10_000)
        for message in self._play.ledger.promised:
            purged = await self._spool.count(Selector(bounces_of=message, states=(State.PURGED,)))
            if purged.messages:
                self._play.purged_reports.add(message)
        self._spool.close()

    async def _holds(self) -> set[str]:
        rows = await self._spool.select(Selector(), 10_000)
        return {action for row in rows for action in row.held_by}

    async def _client(self) -> None:
        luck = self._luck
        while True:
            await asyncio.sleep(luck.expovariate(1 / luck.choice((0.05, 5, 300))))
            recipients = [
                f"{luck.choice(('anna', 'nobody', 'zoe'))}@{luck.choice(PLACES)}"
                for _ in range(luck.randrange(1, 4))
            ]
            sender = luck.choice((None, "writer@example.com", "writer@good.test"))
            size = luck.choice((100, 5000, 300_000))
            await self._submit(
                list(dict.fromkeys(recipients)), sender, luck.randbytes(4).hex().encode() * (size // 8)
            )

    async def _submit(self, recipients: list[str], sender: str | None, body: bytes) -> None:
        luck, ledger = self._luck, self._play.ledger
        held = (self._mailbag.ident(),) if luck.random() < 0.05 else ()
        body += b"\r\n"
        draft = self._mailbag.draft(
            *recipients,
            sender=sender,
            body=body,
            held_by=held,
            account=luck.choice(("", "thief@example.com")),
        )
        message = draft.message
        try:
            if len(body) > 256 * 1024:
                big = self._spool.big_body(message.id)
                try:
                    await big.write(body[:200_000])
                    await big.write(body[200_000:])
                    await big.finish()
                    await self._spool.submit(draft, big)
                except Unavailable:
                    await big.drop()
                    raise
            else:
                await self._spool.submit(draft, (body,))
        except Unavailable:
            ledger.refused.add(message.id)
            return
        if not self._play.disk.off:
            ledger.promise(message.id, sender, recipients, message.digest)
            for delivery in draft.deliveries:
                ledger.delivery_of[message.id, delivery.recipient] = delivery.id

    async def _operator(self) -> None:
        """Holds, releases, purges and restores; what is purged and not restored is no longer promised."""
        luck = self._luck
        while True:
            await asyncio.sleep(luck.uniform(10, 2000))
            verb = luck.choice(("hold", "retry", "purge", "release", "restore", "list"))
            chosen = luck.choice(
                (
                    Selector(account="thief@example.com"),
                    Selector(recipient="@flaky.test"),
                    Selector(subject="LETTER"),
                )
            )
            try:
                answer = await self._owner.handle(QueueAsk(verb, chosen, self._mailbag.ident()))
            except Unavailable:
                continue
            assert isinstance(answer, QueueAnswer)
            if answer.performed is not None:
                note = {
                    "purge": self._play.ledger.purged.update,
                    "restore": self._play.ledger.purged.difference_update,
                }
                note.get(verb, set)(answer.performed.changed)

    async def _weather(self) -> None:
        """The disk fails for a while; the clock jumps."""
        luck = self._luck
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(luck.uniform(60, 3000))
            if luck.random() < 0.6:
                self._faulty_until = loop.time() + luck.uniform(0.01, 20)
            else:
                self._fakes.clock.jump(luck.choice((3600, -3600, 86400, -2, 315_360_000)))

    def _disturb(self, operation: str, path: str) -> None:
        if self._last:
            return
        if getattr(self, "_cut_in", -1) > 0:
            self._cut_in -= 1
            if self._cut_in == 0:
                self._die()
        if asyncio.get_running_loop().time() < self._faulty_until and self._luck.random() < 0.5:
            raise Unavailable(path, self._luck.choice(("no space left", "input/output error")))

    def _die(self) -> None:
        self._play.disk.off = True
        if not self._over.done():
            self._over.set_result(None)

    def _record(self, event: Event) -> None:
        """A failure without a return path is an event: of the try, and of the report that is not made."""
        failed = isinstance(event, DeliveryTried) and event.result == "failed"
        if failed or (isinstance(event, Bounced) and not event.bounce):
            self._play.ledger.unreported.add((event.message, event.recipient))

    def _trouble(self, what: str, about: str, trace: str) -> None:
        if what == DISK_FAILED:
            return  # as played
        if "ZeroDivisionError" not in trace and "PowerCut" not in trace:
            self._play.ledger.troubled.append(
                Troubled(id="", at=0, source="", what=what, about=about, trace=trace)
            )
