"""Hold, release, retry, bounce, purge and restore, as the table sees them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from spools import FOLDER, Store, with_store

from covers import covers
from mailbag import BODY
from sekisho.model.config import Queue
from sekisho.model.delivery import State
from sekisho.model.letter import Settled
from sekisho.model.selector import Selector
from sekisho.model.verdict import Reply
from sekisho.store import spool_actions, spool_select
from sekisho.store.spool import Spool
from sekisho.store.spool_actions import Order, Verb
from sekisho.store.spool_patterns import BadPattern, check
from sekisho.store.spool_rows import SQL
from sekisho.store.spool_select import BY
from sekisho.testing.world import fakes

HOUR = 3600 * 1_000_000
ACCOUNT = "thief@example.com"


def test_hold_and_release_take_only_their_own_mark() -> None:
    """Two actions hold: the delivery goes when both have let it go."""

    async def scene(store: Store) -> None:
        await store.keep("a@example.net", account=ACCOUNT)
        await store.keep("b@example.net")
        first = await store.do("hold", account=ACCOUNT)
        assert 1 == store.last.count
        second = await store.do("hold", recipient="@example.net")
        assert 2 == store.last.count
        assert [] == await store.spool.lanes()
        await store.do("release", held=second)
        (row,) = await store.rows(held_by=first)
        assert (first,) == row.held_by
        assert 1 == (await store.spool.lanes())[0].waiting
        await store.do("release", held=first)
        assert 2 == (await store.spool.lanes())[0].waiting

    with_store(scene)


def test_time_held_does_not_count_towards_expiry() -> None:
    """The clock of a delivery stands still from the first hold to the last release."""

    async def scene(store: Store) -> None:
        draft = await store.keep("a@example.net")
        expiry = draft.deliveries[0].expires_at
        one = await store.do("hold", recipient="@example.net")
        store.fakes.clock.advance(3600)
        two = await store.do("hold", recipient="@example.net")
        store.fakes.clock.advance(3600)
        await store.do("release", held=one)
        store.fakes.clock.advance(3600)
        await store.do("release", held=two)
        (row,) = await store.rows()
        assert expiry + 3 * HOUR == row.expires_at

    with_store(scene)


def test_an_action_is_done_once() -> None:
    """The same id again answers the same and changes nothing, also after a restart; mail of later is not
    touched."""

    async def scene(store: Store) -> None:
        await store.keep("a@example.net")
        order = Order(store.mailbag.ident(), "hold", Selector(recipient="@example.net"))
        first = await store.spool.perform(order)
        await store.keep("b@example.net")
        store.reopen()
        assert first == await store.spool.perform(order)
        assert 1 == len(await store.rows(held_by=order.action))

    with_store(scene)


@covers("T-02")
def test_purged_mail_can_be_restored_held() -> None:
    """Out of every list and lane, its body kept; it comes back held by the restore, its time not lost."""

    async def scene(store: Store) -> None:
        draft = await store.keep("a@example.net", account=ACCOUNT)
        await store.keep("b@example.net")
        purge = await store.do("purge", account=ACCOUNT)
        assert 1 == (await store.spool.count(Selector())).deliveries
        store.fakes.clock.advance(7200)
        restore = await store.do("restore", held_by=purge)
        (row,) = await store.rows(account=ACCOUNT)
        assert ("waiting", (restore,)) == (row.state, row.held_by)
        await store.do("release", held=restore)
        (row,) = await store.rows(account=ACCOUNT)
        assert draft.deliveries[0].expires_at + 2 * HOUR == row.expires_at
        letter = await store.spool.letter(draft.message.id)
        assert (BODY,) == letter.body

    with_store(scene)


def test_what_is_on_the_wire_is_said_and_purged_at_its_outcome() -> None:
    """A delivery that is being tried is purged and counted; a try that fails does not bring it back."""

    async def scene(store: Store) -> None:
        draft = await store.keep("a@example.net")
        delivery = draft.deliveries[0].id
        store.fakes.clock.advance(1)
        await _start(store, delivery)
        await store.do("purge", recipient="@example.net")
        assert (1, 1) == (store.last.count, store.last.already_on_the_wire)
        later = Settled(delivery, draft.message.id, State.WAITING, Reply(451, "4.2.0", "x"), 1, 0)
        await store.spool.settled([later])
        (row,) = await store.rows()
        assert "purged" == row.state

    with_store(scene)


def test_what_is_restored_while_it_is_on_the_wire_is_not_tried_beside_it() -> None:
    """Purged and restored and released before the outcome: it stays until the outcome is known."""

    async def scene(store: Store) -> None:
        draft = await store.keep("a@example.net")
        delivery = draft.deliveries[0].id
        await _start(store, delivery)
        purge = await store.do("purge", recipient="@example.net")
        await store.do("restore", held_by=purge)
        await store.do("release", recipient="@example.net")
        assert [] == await store.spool.lanes(), "nothing that could be claimed"
        later = Settled(delivery, draft.message.id, State.WAITING, Reply(451, "4.2.0", "x"), 1, 0)
        await store.spool.settled([later])
        assert 1 == len(await store.spool.lanes())
        await _start(store, delivery)
        purge = await store.do("purge", recipient="@example.net")
        await store.do("restore", held_by=purge)
        await store.do("release", recipient="@example.net")
        store.reopen(store.disk.restart())
        assert 1 == len(await store.spool.lanes()), "after a crash nothing is on the wire"

    with_store(scene)


async def _start(store: Store, delivery: str) -> None:
    def run(db: object) -> tuple[None, list[str]]:
        db.execute("update deliveries set state = 'trying' where id = ?", (delivery,))  # type: ignore[attr-defined]
        return None, []

    await store.spool._change(run)


def test_purged_mail_is_kept_for_its_time_and_its_bytes() -> None:
    """Over the time or over the byte limit the oldest go, with their files."""

    async def scene(store: Store) -> None:
        for _ in range(3):
            await store.keep_large(b"x" * 300_000)
            await store.do("purge", recipient="@example.com")
            store.fakes.clock.advance(60)
        assert 1 == await store.spool.tidy()
        assert 2 == len(store.disk.list(f"{FOLDER}/bodies"))
        store.fakes.clock.advance(8 * 86400)
        assert 2 == await store.spool.tidy()
        assert [] == store.disk.list(f"{FOLDER}/bodies")
        assert [] == await store.rows()

    with_store(scene, Queue(keep_purged_bytes=700_000))


def test_room_that_is_not_needed_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a purge the database shrinks, to a few pages that a working queue fills again."""
    monkeypatch.setattr(spool_actions, "EMPTY_PAGES_KEPT", 20)

    async def scene(store: Store) -> None:
        for _ in range(20):
            await store.keep("a@example.com", body=b"x" * 100_000)
        await store.do("purge", recipient="@example.com")
        store.fakes.clock.advance(60)
        await store.spool.tidy()
        store.reopen()
        assert len(store.disk.read(f"{FOLDER}/spool.db")) < 1_000_000

    with_store(scene, Queue(keep_purged_s=0))


def test_retry_and_bounce_move_what_waits() -> None:
    """Retry makes it due now; bounce gives it up with a reply that says so. Held mail is not retried."""

    async def scene(store: Store) -> None:
        await store.keep("a@example.net", delay_s=900)
        await store.keep("b@example.net", delay_s=900, held_by=["x"])
        await store.do("retry", recipient="@example.net")
        assert 1 == store.last.count
        (row,) = await store.rows(recipient="a@example.net")
        assert row.next_at <= store.fakes.clock.now()
        await store.do("bounce", recipient="a@example.net")
        (row,) = await store.rows(recipient="a@example.net")
        assert ("failed", str(spool_actions.GIVEN_UP)) == (row.state, row.last_reply)

    with_store(scene)


def test_more_than_one_transaction_and_a_true_count() -> None:
    """An action on 1,500 deliveries goes in steps; the answer's count is all of them, its ids the first
    thousand."""

    async def scene(store: Store) -> None:
        for _ in range(3):
            await store.keep(*(f"x{n}@example.net" for n in range(500)))
        await store.do("hold", recipient="@example.net")
        assert (1500, 1000) == (store.last.count, len(store.last.changed))
        census = await store.spool.count(Selector())
        assert (1500, 3) == (census.deliveries, census.messages)

    with_store(scene)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"sender": "<>"}, 1),
        ({"sender": "WRITER@*"}, 2),
        ({"sender": "@example.net"}, 2),
        ({"recipient": "b?d@example.net"}, 0),
        ({"recipient": "a@example.net"}, 1),
        ({"account": ACCOUNT}, 1),
        ({"address": "192.0.2.0/24"}, 3),
        ({"address": "192.0.2.8"}, 0),
        ({"subject": "LETTER"}, 2),
        ({"body": "dear READER"}, 2),
        ({"body": "in a large one"}, 1),
        ({"older_s": 60}, 0),
        ({"networks": ("AS64500/XX",)}, 3),
        ({"spare": ("AS64500/XX",)}, 0),
        ({"bounces_of": "original"}, 1),
        ({"account": ACCOUNT, "sender": "<>"}, 0),
        ({"subject": "' or 1=1 --"}, 0),
        ({"subject": "re:^A LET+er$"}, 2),
        ({"subject": "re:^letter"}, 0),
        ({"sender": r"re:^w.*@example\.net$"}, 2),
        ({"recipient": "re:^[ab]@"}, 2),
        ({"account": "re:^thief@"}, 1),
        ({"account": "*@example.com"}, 1),
        ({"body": r"re:dear\s+reader"}, 2),
        ({"body": "re:in a [lL]arge one"}, 1),
        ({"header": "subject: a letter"}, 2),
        ({"header": r"re:^received:.*mx\.example\.com"}, 3),
        ({"header": "Dear reader"}, 0),
    ],
)
def test_a_selector_finds_exactly_these(tmp_path: Path, wanted: dict[str, object], found: int) -> None:
    """All that are given must match; patterns know only the star; no text becomes a statement."""

    async def scene(store: Store) -> None:
        await store.keep("a@example.net", account=ACCOUNT)
        await store.keep("b@example.net")
        options = {"bounce_of": "original"}
        body = b"words " * 50_000 + b"in a large one\r\n"
        await store.keep("c@example.net", sender=None, subject="x", body=body, options=options)
        assert found == (await store.spool.count(Selector(**wanted))).deliveries  # type: ignore[arg-type]
        assert found == len(await store.rows(**wanted))

    with_store(scene)


@pytest.mark.parametrize("verb", ["hold", "release", "retry", "bounce", "purge", "restore"])
def test_a_preview_counts_exactly_what_would_be_changed(verb: Verb) -> None:
    """Held, purged, failed and waiting ones beside each other: the same number, whatever the verb."""

    async def scene(store: Store) -> None:
        await store.keep("a@example.net", "b@example.net", delay_s=900)
        await store.keep("c@example.net", delay_s=900, held_by=["x"])
        await store.keep("d@example.net")
        await store.do("purge", recipient="d@example.net")
        await store.keep("e@example.net", delay_s=900)
        await store.do("bounce", recipient="e@example.net")
        order = Order("", verb, Selector(recipient="@example.net"))
        census = await store.spool.preview(order)
        await store.do(verb, recipient="@example.net")
        assert census.deliveries == store.last.count > 0
        again = (await store.spool.preview(order)).deliveries
        assert 0 == again or verb == "hold", "another action may hold them too"

    with_store(scene)


def test_lists_are_summed_up() -> None:
    """By domain, account, reply and the rest: counts, bytes, oldest first seen; the largest group first."""

    async def scene(store: Store) -> None:
        await store.keep("a@one.test", "b@one.test", account=ACCOUNT)
        await store.keep("c@Two.test")
        groups = await store.spool.groups(Selector(), "domain", 10)
        assert [("one.test", 2), ("two.test", 1)] == [(group.name, group.deliveries) for group in groups]
        assert groups[0].bytes == 2 * len(BODY)
        (group,) = await store.spool.groups(Selector(account=ACCOUNT), "account", 10)
        assert (ACCOUNT, 2) == (group.name, group.deliveries)
        for by in BY:
            assert 3 == sum(group.deliveries for group in await store.spool.groups(Selector(), by, 10))
        assert 1 == len(await store.spool.groups(Selector(), "recipient", 1))

    with_store(scene)


def test_letters_that_are_no_text_are_searched_too() -> None:
    """Bytes that are not UTF-8, and NULs, before what is looked for."""

    async def scene(store: Store) -> None:
        body = b"X-One: \xff\x00\xe9\r\nX-Two: found\r\n\r\n\xff\x00 words\r\n"
        await store.keep("a@example.net", body=body)
        for wanted in ({"header": "x-two: found"}, {"body": "words"}, {"body": "re:words$|words\\s"}):
            assert 1 == (await store.spool.count(Selector(**wanted))).deliveries  # type: ignore[arg-type]

    with_store(scene)


@pytest.mark.parametrize("expression", ["re:(", "re:(?=x)", "re:" + "x" * 2000, "re:((x{1000}){1000})"])
def test_what_is_no_expression_is_refused(expression: str) -> None:
    """Broken, of a kind that RE2 does not know, too long, too large: said before anything is looked for."""
    with pytest.raises(BadPattern, match="subject"):
        check(Selector(subject=expression))


def test_an_expression_takes_no_more_time_than_the_text_is_long() -> None:
    """The nested repeats that stop other engines."""

    async def scene(store: Store) -> None:
        await store.keep("a@example.net", body=b"Subject: x\r\n\r\n" + b"a" * 100_000 + b"!\r\n")
        assert 0 == (await store.spool.count(Selector(body="re:(a+)+$b"))).deliveries

    with_store(scene)


@pytest.mark.parametrize(
    "wanted",
    [
        {"ids": ("1k0zt57sgk6d4kkh5",)},
        {"sender": "a@example.com"},
        {"account": ACCOUNT},
        {"held_by": "action"},
        {"bounces_of": "1k0zt57sgk6d4kkh5"},
        {"sender": "a@example.com", "recipient": "@example.net"},
    ],
)
def test_what_names_its_mail_is_found_by_index(wanted: dict[str, object]) -> None:
    """No statement reads the whole table for an id, a sender, an account, an incident or a bounce."""

    async def scene(store: Store) -> None:
        where = spool_select.where(Selector(**wanted), 0, "")  # type: ignore[arg-type]
        for name in ("ids", "count", "rows"):
            sql = f"{SQL[name]} {where.sql}" + (" group by m.n)" if name == "count" else "")
            plan = await store.spool._read(lambda db, sql=sql: _plan(db, sql, where.values))
            assert not [step for step in plan if step.startswith("SCAN") and step.split()[1] in "dmxy"], plan

    with_store(scene)


@pytest.mark.parametrize("name", ["claim", "next_in_lane", "lanes", "expire_lane", "failed_messages"])
def test_what_is_due_is_found_by_index(name: str) -> None:
    """The queue's own questions read what they want and no more: with a million waiting too."""

    async def scene(store: Store) -> None:
        plan = await store.spool._read(lambda db: _plan(db, SQL[name], (None,) * SQL[name].count("?")))
        assert not [step for step in plan if step.startswith("SCAN") and "USING" not in step], plan

    with_store(scene)


def _plan(db: Any, sql: str, values: Sequence[object]) -> list[str]:
    spool_select._teach(db, "")
    return [row[3] for row in db.execute("explain query plan " + sql, values)]


def test_a_crash_in_the_middle_of_an_action_is_finished_by_asking_again() -> None:
    """Half of the rows were changed, the action not noted: the second time does the rest."""

    async def scene(store: Store) -> None:
        await store.keep(*(f"x{n}@example.net" for n in range(500)))
        order = Order(store.mailbag.ident(), "hold", Selector(recipient="x1*@example.net"))
        await store.spool.perform(order)
        await store.spool._change(lambda db: (db.execute("delete from actions"), []))
        store.reopen(store.disk.restart())
        again = Order(order.action, "hold", Selector(recipient="@example.net"))
        rest = await store.spool.perform(again)
        assert 500 == len(await store.rows(held_by=order.action))
        assert rest.count == 500 - 111
        assert all(len(row.held_by) == 1 for row in await store.rows())

    with_store(scene)


def test_a_spool_on_a_real_disk(tmp_path: Path) -> None:
    """The same calls on real files and threads; body search reads the files."""
    import asyncio

    from sekisho.host import HostChance, HostClock, HostDisk, HostSpawn
    from sekisho.world import World

    async def main() -> None:
        fake = fakes()
        world = World(HostClock(), HostChance(), fake.dns, fake.net, HostDisk(), HostSpawn())
        store = Store()
        spool = Spool.open(str(tmp_path / "spool"), world, Queue())
        draft = store.mailbag.draft("a@example.com")
        big = spool.big_body(draft.message.id)
        await big.write(b"y" * 1_048_570 + b"needle across parts\r\n")
        await big.finish()
        await spool.submit(draft, big)
        assert 1 == (await spool.count(Selector(body="NEEDLE across"))).deliveries
        assert 0 == (await spool.count(Selector(body="not there"))).deliveries
        spool.close()
        store.spool.close()
        await world.spawn.stop()

    asyncio.run(main())
