"""Hold, release, retry, bounce, purge and restore, as the table sees them."""

from pathlib import Path

import pytest
from spools import FOLDER, Store, with_store

from covers import covers
from mailbag import BODY
from sekisho.model.config import Queue
from sekisho.model.delivery import State
from sekisho.model.letter import Settled
from sekisho.model.selector import Selector
from sekisho.model.verdict import Reply
from sekisho.store import spool_actions
from sekisho.store.spool import Spool
from sekisho.store.spool_actions import Order
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


@covers("T-02", partly="through the command line in tests/e2e/test_queue.py")
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
