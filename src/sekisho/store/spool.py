"""The spool: what was answered with 250 is here until it is delivered, bounced or purged, whatever crashes.

`docs/queue.md` tabulates the states and their guarantees. One process owns a spool (its lock file says so).
One writer thread keeps everything that waits in one batch: in the journal, from where what does not end soon
moves into the table. Whoever looks at the table has the journal moved into it first.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self, TypeVar

from msgspec import Struct

from sekisho.model.action import Performed
from sekisho.model.config import Queue
from sekisho.model.delivery import Delivery, State
from sekisho.model.letter import Draft, Letter, Settled, party_of
from sekisho.model.queue_row import QueueGroup, QueueRow
from sekisho.model.selector import Selector
from sekisho.model.verdict import Reply
from sekisho.store import spool_actions, spool_claims, spool_recovery, spool_select
from sekisho.store.bodies import IN_DATABASE_MAX, BigBody, remove
from sekisho.store.journal import SIZE_BYTES, Journal
from sekisho.store.spool_file import TROUBLE, Database, SpoolFile
from sekisho.store.spool_keeper import Files, Keeper
from sekisho.store.spool_rows import SQL, add_action, delivery_of, letter_of, rows_of
from sekisho.store.spool_select import Census
from sekisho.store.spool_works import Change, Claim, Settlement, Submission, Taker
from sekisho.store.spool_writer import Tell, Writer
from sekisho.store.spool_young import Young
from sekisho.world import Clock, Disk, Promise, Spawn, Unavailable

__all__ = ["BigBody", "Draft", "Due", "Letter", "Settled", "Spool", "Want"]

Result = TypeVar("Result")
Due = spool_claims.Due
Want = spool_claims.Want


class Doors(Struct, frozen=True):
    """The part of a World that a spool needs; a World fits too."""

    clock: Clock
    disk: Disk
    spawn: Spawn
    database: Database | None = None


class Spool:
    """All methods are called on the loop's thread. Each raises (or its promise holds) Unavailable when the
    disk fails."""

    def __init__(self, folder: str, doors: Doors, settings: Queue, journal_bytes: int) -> None:
        """Use `open`."""
        self._bodies = f"{folder}/bodies"
        self._folder = folder
        self._doors = doors
        self._settings = settings
        self._unlock = doors.disk.lock(f"{folder}/lock")
        self._file = SpoolFile(f"{folder}/spool.db", doors.database)
        journal = Journal(folder, doors.disk, journal_bytes)
        self.recovered = spool_recovery.recover(self._file.writer, journal, self._bodies, doors, settings)
        self._next_n: int = self._file.writer.execute(SQL["last_message"]).get + 1
        self._young = Young()
        self._writer = Writer(
            self._file, Keeper(self._file, journal, self._young, doors.clock), doors.spawn, self._after
        )
        self.taker: Taker | None = None

    @classmethod
    def open(cls, folder: str, doors: Any, settings: Queue, journal_bytes: int = SIZE_BYTES) -> Self:
        """Takes the lock (Unavailable if another process has it) and recovers. In a running loop."""
        doors.disk.make_folders(f"{folder}/bodies")
        ours = Doors(doors.clock, doors.disk, doors.spawn, doors.database)
        return cls(folder, ours, settings, journal_bytes)

    def on_alarm(self, alarm: Tell) -> None:
        """Who is told what an operator must know of the disk."""
        self._writer.alarm = alarm

    def submit(
        self,
        draft: Draft,
        body: Sequence[bytes] | BigBody,
        reports: Sequence[Delivery] = (),
        performed: Performed | None = None,
    ) -> Promise:
        """Keeps a message; the promise is kept when it is durable.

        `reports`: failed deliveries that end with it. `performed`: the action that this is; a second time
        is an error.
        """
        now = self._doors.clock.now()
        path, data = "", b""
        if isinstance(body, BigBody):
            assert body.finished, "the file comes before the row"
            path = body.path
        else:
            data = body[0] if len(body) == 1 else b"".join(body)
            assert len(data) <= 2 * IN_DATABASE_MAX, "a body of this size belongs in a file"
        claimed = () if reports else self._claim(draft, len(data), now)
        n, self._next_n = self._next_n, self._next_n + 1
        names = frozenset(delivery.id for delivery in claimed)
        work = Submission(rows_of(n, draft, None if path else data, names, now), self._writer.promise())
        work.ends = [Settled(each.id, each.message, State.DONE) for each in reports]
        work.taker, work.claimed, work.performed = self.taker, claimed, performed
        if len(claimed) < len(draft.deliveries):
            work.waiting = [each for each in draft.deliveries if each.id not in names and not each.held_by]
        if claimed:
            parts = () if path else (data,)
            work.letter = Letter(draft.message, draft.envelope, draft.head, parts, path)
        self._writer.put(work)
        return work.promise

    def _claim(self, draft: Draft, size: int, now: int) -> tuple[Delivery, ...]:
        if self.taker is None:
            return ()
        ready = tuple(each for each in draft.deliveries if not each.held_by and each.next_at <= now)
        return ready if ready and self.taker.reserve(ready, size, party_of(draft.envelope)) else ()

    def big_body(self, message_id: str) -> BigBody:
        """For a body over `IN_DATABASE_MAX`: written while it is received, finished before `submit`."""
        return BigBody(self._bodies, message_id, self._doors)

    def settle(self, changes: Sequence[Settled]) -> None:
        """Joins the next batch; nobody waits for it."""
        self._writer.put(Settlement(changes, None))

    def settled(self, changes: Sequence[Settled]) -> Promise:
        """The same, to be waited for."""
        work = Settlement(changes, self._writer.promise())
        self._writer.put(work)
        return work.promise or self._writer.promise()

    def due(self, now: int, wants: Sequence[Want]) -> Promise:
        """Hands the next due deliveries of these lanes to the taker: they are `trying` until settled."""
        assert self.taker is not None, "somebody must take them"
        promise = self._writer.promise()
        self._writer.put(Claim(now, wants, self.taker, promise))
        return promise

    async def expire_lane(self, lane: str, now: int, reply: Reply) -> int:
        """Gives up what has waited too long in a lane that does not work; returns how many are to be
        reported."""
        count: int = await self._change(partial(spool_claims.expire, lane=lane, now=now, reply=reply))
        return count

    async def lanes(self) -> list[spool_claims.LaneRow]:
        """What waits, by lane: the truth that the schedule in memory is a cache of."""
        return await self._read(spool_claims.lanes)

    async def failed_messages(self) -> list[str]:
        """Messages with failed deliveries that no report has been made for."""
        return await self._read(spool_claims.failed_messages)

    async def late_messages(self, before: int) -> list[str]:
        """Some messages with a return path that wait since before then, and whose sender was not told yet."""
        return await self._read(partial(spool_claims.late_messages, before=before))

    async def remember(self, kind: str, performed: Performed) -> None:
        """An action that is no change of the table. A second time is an error."""
        await self._change(partial(_remember, kind=kind, performed=performed))

    async def letter(self, message_id: str) -> Letter:
        """Unavailable when the message is gone."""
        young = self._young.letter(message_id, f"{self._bodies}/{message_id}")
        if young is not None:
            return young
        row = self._row(SQL["letter"], (message_id,))
        if row is None:
            raise Unavailable("spool", f"no message {message_id}")
        return letter_of(row, f"{self._bodies}/{message_id}")

    async def deliveries(self, message_id: str) -> list[Delivery]:
        """All deliveries of a message that have not come to their end."""
        young = self._young.deliveries(message_id)
        if young is not None:
            return young
        if self._young.owes:
            await self._fold()
        try:
            return [
                delivery_of(row) for row in self._file.reader.execute(SQL["deliveries_of"], (message_id,))
            ]
        except TROUBLE as error:
            raise Unavailable("spool", str(error)) from error

    async def select(self, selector: Selector, limit: int) -> list[QueueRow]:
        """The first matching deliveries, oldest message first."""
        find = partial(spool_select.select, where=self._where(selector), limit=limit)
        return await self._read(find)

    async def count(self, selector: Selector) -> Census:
        """How many deliveries and messages match, and their bytes."""
        return await self._read(partial(spool_select.count, where=self._where(selector)))

    async def groups(self, selector: Selector, by: str, limit: int) -> list[QueueGroup]:
        """Matching deliveries summed up by one of `spool_select.BY`, the largest group first."""
        find = partial(spool_select.groups, where=self._where(selector), by=by, limit=limit)
        return await self._read(find)

    async def preview(self, order: spool_actions.Order) -> Census:
        """What `perform` would change now."""
        return await spool_actions.preview(order, self._hands())

    async def perform(self, order: spool_actions.Order) -> Performed:
        """Hold, release, retry, bounce, purge or restore. The same action id again changes nothing and
        answers the same."""
        return await spool_actions.perform(order, self._hands())

    async def performed(self, action: str) -> Performed | None:
        """What this action changed, if it has been performed."""
        return await self._read(partial(spool_actions.performed, action=action))

    async def tidy(self) -> int:
        """Drops purged messages past their time or over the byte limit, and old actions; returns how many
        messages."""
        return await spool_actions.tidy(self._hands(), self._settings)

    async def set_back(self, now: int) -> None:
        """The clock was set back: no try waits longer than the longest wait."""
        await self._change(partial(spool_recovery.clamp, now=now, settings=self._settings))

    @property
    def settings(self) -> Queue:
        return self._settings

    def reload(self, settings: Queue) -> None:
        """What is decided from now on goes by these; times that stand in the table stay."""
        self._settings = settings

    @property
    def accepting(self) -> bool:
        """False after two failed writes in a row, until one has worked."""
        return not self._writer.stopped

    def free_bytes(self) -> int:
        return self._doors.disk.free_bytes(self._folder)

    def close(self) -> None:
        """Writes what waits, and gives the lock away."""
        self._writer.close()
        self._file.close()
        self._unlock()

    def _hands(self) -> spool_actions.Hands:
        return spool_actions.Hands(self._read, self._change, self._doors.clock, self._bodies)

    def _where(self, selector: Selector) -> spool_select.Where:
        return spool_select.where(selector, self._doors.clock.now(), self._bodies)

    def _row(self, sql: str, values: tuple[Any, ...]) -> Any:
        try:
            return self._file.reader.execute(sql, values).fetchone()
        except TROUBLE as error:
            raise Unavailable("spool", str(error)) from error

    async def _change(self, run: Callable[[Any], tuple[Any, Files]]) -> Any:
        promise = self._writer.promise()
        self._writer.put(Change(run, promise))
        return await promise

    async def _fold(self) -> None:
        """What the journal knows moves into the table."""
        await self._change(_nothing)

    async def _read(self, run: Callable[[Any], Result]) -> Result:
        """A look that may be long, off the loop, on a connection that nobody else uses meanwhile."""
        if self._writer.dirty:
            await self._fold()
        result: Result = await self._doors.spawn.thread(partial(self._look, run))
        return result

    def _look(self, run: Callable[[Any], Result]) -> Result:
        try:
            with self._file.another_reader() as connection:
                return run(connection)
        except TROUBLE as error:
            raise Unavailable("spool", str(error)) from error

    def _after(self, results: Sequence[Files]) -> None:
        """On the writer's thread, after the commit: rows first, files after."""
        for files in results:
            for name in files:
                remove(self._doors.disk, f"{self._bodies}/{name}")


def _remember(db: Any, kind: str, performed: Performed) -> tuple[None, Files]:
    add_action(db, kind, performed)
    return None, []


def _nothing(db: Any) -> tuple[None, Files]:
    return None, []
