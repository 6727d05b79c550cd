"""The spool: what it keeps, what ends, what crashes and full disks do to it."""

import asyncio

import apsw
import pytest
from msgspec.structs import replace
from spools import FOLDER, Faults, Store, Taking, with_store

from mailbag import BODY
from sekisho.model.config import Queue
from sekisho.model.delivery import State
from sekisho.model.letter import Settled
from sekisho.model.selector import Selector
from sekisho.model.verdict import Reply
from sekisho.store import spool_select
from sekisho.store.bodies import parts_of
from sekisho.store.spool import Draft, Spool, Want
from sekisho.store.spool_rows import SQL
from sekisho.world import Unavailable

LARGE = b"x" * 300_000 + b"\r\n"
LATER = Reply(451, "4.2.0", "later")
NEVER = Reply(550, "5.1.1", "never")
DONE = Reply(250, "2.0.0", "ok")


def settled(draft: Draft, state: State, reply: Reply, which: int = 0, next_at: int = 0) -> Settled:
    return Settled(draft.deliveries[which].id, draft.message.id, state, reply, 1, next_at)


async def content(store: Store, draft: Draft) -> bytes:
    letter = await store.spool.letter(draft.message.id)
    assert draft.envelope == letter.envelope and draft.message == letter.message and draft.head == letter.head
    return b"".join(parts_of(letter, store.disk))


def test_what_is_kept_is_there_after_a_restart() -> None:
    """Envelope with origin, our fields, the body byte for byte, in the database or in a file."""

    async def scene(store: Store) -> None:
        small = await store.keep("a@example.com", "b@example.net", account="anna@example.com")
        large = await store.keep_large(LARGE)
        assert [large.message.id] == store.disk.list(f"{FOLDER}/bodies")
        store.reopen()
        assert BODY == await content(store, small)
        assert LARGE == await content(store, large)
        rows = await store.rows(account="anna@example.com")
        assert {"a@example.com", "b@example.net"} == {row.recipient for row in rows}

    with_store(scene)


def test_a_message_leaves_with_its_last_delivery() -> None:
    """Row, body and body file are gone only when no delivery is left."""

    async def scene(store: Store) -> None:
        draft = await store.keep("a@example.com", "b@example.com")
        await store.spool.settled([settled(draft, State.DONE, DONE)])
        assert BODY == await content(store, draft)
        await store.spool.settled([settled(draft, State.DONE, DONE, 1)])
        with pytest.raises(Unavailable):
            await store.spool.letter(draft.message.id)
        large = await store.keep_large(LARGE)
        await store.spool.settled([settled(large, State.DONE, DONE)])
        assert [] == store.disk.list(f"{FOLDER}/bodies")

    with_store(scene)


def test_a_try_that_failed_for_now_keeps_its_reply_and_its_time() -> None:
    """4yz: waiting, tries counted, the reply for the operator; 5yz: failed until it is reported."""

    async def scene(store: Store) -> None:
        draft = await store.keep("a@example.net", "b@example.net")
        at = store.fakes.clock.now() + 900_000_000
        changes = [
            settled(draft, State.WAITING, LATER, 0, at),
            settled(draft, State.FAILED, NEVER, 1),
        ]
        await store.spool.settled(changes)
        first, second = sorted(await store.rows(), key=lambda row: row.recipient)
        assert ("waiting", 1, at, str(LATER)) == (first.state, first.tries, first.next_at, first.last_reply)
        assert ("failed", 1, str(NEVER)) == (second.state, second.tries, second.last_reply)
        assert [draft.message.id] == await store.spool.failed_messages()

    with_store(scene)


def test_a_report_and_the_failure_it_reports_are_one_step() -> None:
    """The bounce is in and the failed delivery out, or neither."""

    async def scene(store: Store) -> None:
        draft = await store.keep("a@example.net")
        await store.spool.settled([settled(draft, State.FAILED, NEVER)])
        (failed,) = await store.spool.deliveries(draft.message.id)
        bounce = store.mailbag.draft(
            "writer@example.net", sender=None, options={"bounce_of": draft.message.id}
        )
        await store.spool.submit(bounce, (BODY,), reports=[failed])
        assert [bounce.message.id] == [row.message for row in await store.rows()]
        assert 1 == len(await store.rows(bounces_of=draft.message.id))

    with_store(scene)


def test_new_mail_goes_to_the_taker_with_its_body() -> None:
    """What the taker has room for is `trying` and handed over; what it has not waits in the table; what is
    held, or due later, is not offered."""

    async def scene(store: Store) -> None:
        taker = store.spool.taker = Taking()
        await store.keep("a@example.com")
        await store.keep("held@example.com", held_by=["action"])
        await store.keep("late@example.com", delay_s=60)
        assert ["a@example.com"] == [each.recipient for each in taker.taken]
        assert ["late@example.com"] == [each.recipient for each in taker.waiting]
        taker.room = False
        await store.keep("b@example.com")
        assert ["late@example.com", "b@example.com"] == [each.recipient for each in taker.waiting]
        states = {row.recipient: row.state for row in await store.rows()}
        assert "trying" == states.pop("a@example.com")
        assert {"waiting"} == set(states.values())

    with_store(scene)


def test_due_takes_retries_and_new_mail_by_halves() -> None:
    """A flood of new mail leaves half of the room to retries, and the other way round."""

    async def scene(store: Store) -> None:
        drafts = [await store.keep(f"x{n}@far.test") for n in range(8)]
        now = store.fakes.clock.now()
        for draft in drafts[:4]:
            await store.spool.settled([settled(draft, State.WAITING, LATER, 0, now)])
        taker = store.spool.taker = Taking()
        await store.spool.due(now, [Want("mx:far.test", 4)])
        (due,) = taker.due
        assert [1, 1, 0, 0] == [delivery.tries for delivery in due.deliveries]
        await store.spool.due(now, [Want("mx:far.test", 10)])
        assert 4 == len(taker.due[1].deliveries)
        assert {"mx:far.test": 0} == taker.due[1].next_at

    with_store(scene)


def test_what_was_under_way_in_a_crash_waits_again() -> None:
    """`trying` becomes `waiting` and counts as a try, since it may have arrived."""

    async def scene(store: Store) -> None:
        store.spool.taker = Taking()
        draft = await store.keep("a@example.com")
        store.reopen(store.disk.restart())
        assert 1 == store.spool.recovered.tried
        (row,) = await store.rows()
        assert (draft.deliveries[0].id, "waiting", 1) == (row.delivery, row.state, row.tries)

    with_store(scene)


def test_body_files_and_rows_are_put_right_at_start() -> None:
    """A file without a row is removed; a row without a file is an alarm: held, never tried, never dropped."""

    async def scene(store: Store) -> None:
        lost = await store.keep_large(LARGE)
        big = store.spool.big_body("0rphan")
        await big.write(b"x")
        await big.finish()
        store.disk.unlink(f"{FOLDER}/bodies/{lost.message.id}")
        store.reopen()
        found = store.spool.recovered
        assert (1, (lost.message.id,)) == (found.orphans, found.missing)
        assert [] == store.disk.list(f"{FOLDER}/bodies")
        for verb in ("release", "bounce"):
            await store.do(verb, recipient="@example.com")  # type: ignore[arg-type]
        (row,) = await store.rows()
        assert "waiting" == row.state and row.held_by
        assert [] == await store.spool.lanes()

    with_store(scene)


def test_a_clock_that_was_wrong_by_years_delays_nothing_for_years() -> None:
    """Times beyond the longest wait are brought back, at start and when the clock is set."""

    async def scene(store: Store) -> None:
        await store.keep("a@example.net", delay_s=10 * 365 * 86400)
        await store.spool.set_back(store.fakes.clock.now())
        (row,) = await store.rows()
        assert row.next_at <= store.fakes.clock.now() + 2 * 86400 * 1_000_000

    with_store(scene)


def test_one_process_owns_a_spool() -> None:
    """A second one is told so."""

    async def scene(store: Store) -> None:
        with pytest.raises(Unavailable, match="another process"):
            Spool.open(FOLDER, store.fakes.world, Queue())

    with_store(scene)


@pytest.mark.parametrize("why", ["no space left", "input/output error"])
def test_a_disk_that_fails_refuses_the_batch_and_recovers(why: str) -> None:
    """Each of the batch gets Unavailable (451), none of it is there later, the next one is kept."""

    async def scene(store: Store) -> None:
        faults = Faults(store.disk, why)
        drafts = [store.mailbag.draft(f"x{n}@example.com") for n in range(3)]
        faults.count = 1
        promises = [store.spool.submit(draft, (BODY,)) for draft in drafts]
        results = await asyncio.gather(*promises, return_exceptions=True)  # type: ignore[arg-type]
        assert [Unavailable] * 3 == [type(result) for result in results]
        assert store.spool.accepting
        kept = await store.keep("after@example.com")
        store.reopen(store.disk.restart())
        assert [kept.message.id] == [row.message for row in await store.rows()]

    with_store(scene)


@pytest.mark.parametrize("why", ["no space left", "input/output error"])
def test_two_failures_in_a_row_stop_accepting_until_a_write_works(why: str) -> None:
    """Refused at once while it is stopped; one small write a second tries whether the disk works again."""

    async def scene(store: Store) -> None:
        faults = Faults(store.disk, why)
        faults.count = 1 << 30
        for _ in range(2):
            with pytest.raises(Unavailable):
                await store.keep("a@example.com")
        assert not store.spool.accepting
        before = faults.count
        with pytest.raises(Unavailable):
            await store.keep("a@example.com")
        assert before == faults.count, "the disk was not even asked"
        await asyncio.sleep(10)
        assert not store.spool.accepting
        faults.count = 0
        await asyncio.sleep(2)
        assert store.spool.accepting
        await store.keep("b@example.com")
        assert ["b@example.com"] == [row.recipient for row in await store.rows()]

    with_store(scene)


def test_results_of_tries_wait_for_the_disk() -> None:
    """Losing one would deliver twice: they stand in line until they are written."""

    async def scene(store: Store) -> None:
        draft = await store.keep("a@example.com")
        faults = Faults(store.disk, "input/output error")
        faults.count = 1 << 30
        store.spool.settle([settled(draft, State.DONE, DONE)])
        await asyncio.sleep(20)
        faults.count = 0
        await asyncio.sleep(5)
        assert [] == await store.rows()

    with_store(scene)


def test_a_large_body_that_fails_leaves_nothing() -> None:
    """A client that goes, or a disk that is full: dropped, and no file is left behind."""

    async def scene(store: Store) -> None:
        big = store.spool.big_body("1")
        await big.write(LARGE)
        await big.drop()
        faults = Faults(store.disk, "no space left")
        other = store.spool.big_body("2")
        await other.write(LARGE)
        faults.count = 1
        with pytest.raises(Unavailable):
            await other.finish()
        await other.drop()
        assert [] == store.disk.list(f"{FOLDER}/bodies")

    with_store(scene)


def test_an_impossible_work_fails_alone() -> None:
    """The same message id twice in one batch: the other letters of the batch are kept."""

    async def scene(store: Store) -> None:
        first, other = store.mailbag.draft("a@example.com"), store.mailbag.draft("b@example.com")
        twin = replace(store.mailbag.draft("c@example.com"), message=first.message)
        promises = [store.spool.submit(draft, (BODY,)) for draft in (first, twin, other)]
        results = await asyncio.gather(*promises, return_exceptions=True)  # type: ignore[arg-type]
        assert [None, None] == [results[0], results[2]] and isinstance(results[1], Exception)
        assert ["a@example.com", "b@example.com"] == [row.recipient for row in await store.rows()]

    with_store(scene)


def test_no_promise_is_kept_before_its_sync() -> None:
    """Every operation of the disk is written down: a letter counts as kept only behind the sync of its last
    write.

    A large body's file and folder are synced before the row that names it is written.
    """

    async def scene(store: Store) -> None:
        told: list[tuple[str, str]] = []
        store.disk.before = lambda operation, path: told.append((operation, path.rpartition("/")[2]))
        drafts = [store.mailbag.draft() for _ in range(20)]
        promises = [store.spool.submit(draft, (BODY,)) for draft in drafts]
        for promise in promises:
            promise.add_done_callback(lambda _: told.append(("kept", "")))
        await promises[-1]
        await asyncio.sleep(0)
        log = [operation for operation, name in told if name in ("journal", "")]
        assert ["sync", *["kept"] * 20] == log[-21:]
        assert "write" in log[:-21] and "kept" not in log[:-21]
        told.clear()
        large = await store.keep_large(LARGE)
        body = [told.index(each) for each in (("sync", large.message.id), ("sync_folder", "bodies"))]
        row = told.index(("write", "journal"))
        assert body[0] < body[1] < row
        assert ("sync", "journal") == told[-1]

    with_store(scene)


def touched(store: Store) -> list[str]:
    """From now on, the names of files that are written."""
    names: list[str] = []
    store.disk.before = lambda operation, path: names.append(path.rpartition("/")[2])
    return names


def test_mail_that_ends_soon_never_touches_the_table() -> None:
    """Kept, taken and done: only the journal is written, and the end waits for nobody."""

    async def scene(store: Store) -> None:
        store.spool.taker = Taking()
        names = touched(store)
        for number in range(40):
            draft = await store.keep(f"x{number}@example.com")
            assert BODY == await content(store, draft)
            store.spool.settle([settled(draft, State.DONE, DONE)])
        await asyncio.sleep(120)
        assert {"journal"} == set(names)
        assert [] == await store.rows()

    with_store(scene)


def test_what_does_not_end_moves_into_the_table_by_itself() -> None:
    """After half a minute; until then a restart finds it in the journal."""

    async def scene(store: Store) -> None:
        first = await store.keep("a@example.net")
        store.reopen(store.disk.restart())
        assert [first.message.id] == [row.message for row in await store.rows()]
        names = touched(store)
        draft = await store.keep("b@example.net", "c@example.net")
        later = store.fakes.clock.now() + 10**9
        await store.spool.settled([settled(draft, State.WAITING, LATER, 0, later)])
        await asyncio.sleep(20)
        assert "spool.db-wal" not in names
        await asyncio.sleep(20)
        assert "spool.db-wal" in names
        first_row, second_row = (await store.rows())[1:]
        assert {1, 0} == {first_row.tries, second_row.tries}
        assert {str(LATER), ""} == {first_row.last_reply, second_row.last_reply}

    with_store(scene)


def test_what_ended_in_the_journal_is_ended_after_a_crash() -> None:
    """One of two deliveries done, one failed: the done one is not tried again, the failed one is owed."""

    async def scene(store: Store) -> None:
        store.spool.taker = Taking()
        draft = await store.keep("a@example.net", "b@example.net", "c@example.net")
        changes = [settled(draft, State.DONE, DONE), settled(draft, State.FAILED, NEVER, 1)]
        await store.spool.settled(changes)
        store.reopen(store.disk.restart())
        assert [draft.message.id] == await store.spool.failed_messages()
        states = {
            each.recipient: (each.state, each.tries)
            for each in await store.spool.deliveries(draft.message.id)
        }
        wanted = {"b@example.net": (State.FAILED, 1), "c@example.net": (State.WAITING, 1)}
        assert wanted == states

    with_store(scene)


def test_the_journal_is_a_bounded_memory() -> None:
    """Many more letters than it holds, none of which ends: all are kept, and moved as it fills."""

    async def scene(store: Store) -> None:
        store.spool.close()
        store.spool = Spool.open(FOLDER, store.fakes.world, store.settings, 128 * 1024)
        drafts = [store.mailbag.draft(f"x{number}@example.com") for number in range(300)]
        body = b"y" * 3000 + b"\r\n"
        for start in range(0, 300, 7):
            promises = [store.spool.submit(draft, (body,)) for draft in drafts[start : start + 7]]
            await asyncio.gather(*promises)  # type: ignore[arg-type]
        store.reopen(store.disk.restart())
        assert {draft.message.id for draft in drafts} == {row.message for row in await store.rows()}

    with_store(scene)


def test_a_message_that_the_table_refuses_stops_no_other() -> None:
    """An id that stands there already would be a mistake of ours: the others move, and it is told."""

    async def scene(store: Store) -> None:
        alarms: list[str] = []
        store.spool.on_alarm(lambda what, about: alarms.append(about))
        first = await store.keep("a@example.com")
        await store.rows()
        twin = replace(store.mailbag.draft("b@example.com"), message=first.message)
        await store.spool.submit(twin, (BODY,))
        await store.keep("c@example.com")
        assert ["a@example.com", "c@example.com"] == [row.recipient for row in await store.rows()]
        await asyncio.sleep(1)
        assert [first.message.id] == alarms

    with_store(scene)


def test_a_number_that_no_table_holds_is_refused_at_once() -> None:
    """A clock that stands in the year 300000 keeps nobody else's letters from the table."""

    async def scene(store: Store) -> None:
        draft = store.mailbag.draft(delay_s=1 << 60)
        with pytest.raises(OverflowError):
            store.spool.submit(draft, (BODY,))
        await store.keep("b@example.com")
        assert 1 == len(await store.rows())

    with_store(scene)


def test_every_way_of_looking_has_its_index() -> None:
    """What incidents and the loop ask often is found without reading the whole table."""

    async def scene(store: Store) -> None:
        await store.keep()
        plans = {
            "deliveries_due": ("claim", ("mx:example.net", 1, 0, 9)),
            "deliveries_message": ("deliveries_of", ("x",)),
            "deliveries_failed": ("failed_messages", (9,)),
        }
        database = store.spool._file.reader
        for index, (name, values) in plans.items():
            assert index in plan(database, SQL[name], values), name
        for index, wanted in {
            "messages_account": Selector(account="anna@example.com"),
            "messages_sender": Selector(sender="anna@example.com"),
            "messages_bounce_of": Selector(bounces_of="x"),
            "deliveries_held": Selector(held_by="x"),
        }.items():
            where = spool_select.where(wanted, 0, FOLDER)
            assert index in plan(database, f"{SQL['ids']} {where.sql}", where.values), wanted

    with_store(scene)


def plan(database: apsw.Connection, sql: str, values: tuple[object, ...]) -> str:
    return "\n".join(str(row) for row in database.execute("explain query plan " + sql, values))
