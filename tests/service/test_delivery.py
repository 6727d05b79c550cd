"""The queue at work: tries, failures, reports, expiry, holds; what the carriers answer is given here.

What real conversations come to is in `test_remote_to_the_end.py`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256

import pytest
from msgspec.structs import replace

from mailbag import BODY, Mailbag
from sekisho.model.config import Config, Queue
from sekisho.model.delivery import Deferred, Delivered, Delivery, Failed, Kind, Outcome, State
from sekisho.model.event import Bounced, DeliveryTried, Event
from sekisho.model.letter import Letter
from sekisho.model.queue_row import QueueRow
from sekisho.model.selector import Selector
from sekisho.model.verdict import Reply
from sekisho.queue.aliases import Led
from sekisho.service.addressing import Addressing
from sekisho.service.delivery import Deliverer, Voice
from sekisho.service.local import TAKEN_BEFORE, LocalCarrier
from sekisho.service.messages import Deposit, HoldQueue, QueueAnswer, QueueAsk, ReleaseQueue
from sekisho.service.reporting import Report, Reporter
from sekisho.service.spool_owner import SpoolOwner
from sekisho.store.spool import Draft, Spool
from sekisho.testing.disk import FakeDisk
from sekisho.testing.loop import run
from sekisho.testing.world import fakes
from sekisho.world import Unavailable

SECOND = 1_000_000
QUEUE = Queue(lifetime_s=4 * 3600, bounce_lifetime_s=3600, first_retry_s=60, longest_retry_s=1800)
OK = Reply(250, "2.0.0", "ok")
LATER = Reply(451, "4.3.0", "later")
NEVER = Reply(550, "5.1.1", "never")


class Town:
    def is_local_domain(self, domain: str) -> bool:
        return domain == "example.com"

    def resolve(self, address: str) -> tuple[str, ...] | None:
        return (address,) if not address.startswith("nobody") else None

    def first_domain(self) -> str:
        return "example.com"

    def list_owner(self, address: str) -> str:
        return ""

    def lead(self, key: str) -> Led:
        return Led(self.resolve(key) or ())

    def mailbox(self, address: str) -> str:
        local, _, domain = address.partition("@")
        return f"mail/{domain}/{local}/Maildir"


class Road:
    """A carrier that answers as it is told, by recipient's name; unknown ones are taken."""

    def __init__(self) -> None:
        self.answers: dict[str, Outcome] = {}
        self.carried: list[str] = []
        self.slow_s = 0.0
        self.bug = False

    async def carry(self, batch: tuple[Delivery, ...], letter: Letter) -> dict[str, Outcome]:
        await asyncio.sleep(self.slow_s)
        if self.bug:
            raise ZeroDivisionError
        self.carried += [each.recipient for each in batch]
        return {each.id: self.answers.get(each.recipient.partition("@")[0], Delivered(OK)) for each in batch}


def report(
    letter: Letter, failed: Sequence[tuple[Delivery, Reply]], ident: str, at: int, kind: str = "failed"
) -> Report | None:
    text = "".join(f"{delivery.recipient}: {reply}\r\n" for delivery, reply in failed).encode()
    sender = letter.envelope.sender
    return (
        Report(sender, b"Subject: failed\r\n", text, sha256(text).hexdigest(), "failed") if sender else None
    )


class House:
    def __init__(self) -> None:
        self.disk = FakeDisk()
        self.fakes = fakes(disk=self.disk)
        self.mailbag = Mailbag(self.fakes, QUEUE.lifetime_s)
        self.road = Road()
        self.events: list[Event] = []
        self.troubles: list[str] = []
        self.open()

    def open(self) -> None:
        world = self.fakes.world
        self.spool = Spool.open("/state/spool", world, QUEUE)
        addressing = Addressing(world, Town(), Config(hostname="mx.example.com", queue=QUEUE))
        reporter = Reporter(world, self.spool, addressing, report, self.events.append)
        carriers = {Kind.MAILDIR: LocalCarrier(world, "/state"), Kind.MX: self.road}
        voice = Voice(
            self.events.append, lambda what, about, trace: self.troubles.append(trace or f"{what} {about}")
        )
        self.deliverer = Deliverer(world, self.spool, carriers, reporter, voice)
        self.owner = SpoolOwner(world, self.spool, addressing, self.deliverer)
        world.spawn.task("deliverer", self.deliverer.run())
        world.spawn.task("reporter", reporter.run(voice.trouble))

    async def send(
        self, *recipients: str, sender: str | None = "writer@example.com", **traits: object
    ) -> Draft:
        draft = self.mailbag.draft(*recipients, sender=sender, **traits)  # type: ignore[arg-type]
        await self.spool.submit(draft, (BODY,))
        return draft

    async def rows(self) -> list[QueueRow]:
        return await self.spool.select(Selector(states=tuple(State)), 100)

    def mail(self, name: str) -> list[bytes]:
        folder = f"/state/mail/example.com/{name}/Maildir/new"
        return [self.disk.read(f"{folder}/{file}") for file in self.disk.list(folder)]

    def tried(self) -> list[DeliveryTried]:
        return [event for event in self.events if isinstance(event, DeliveryTried)]

    def bounced(self) -> list[Bounced]:
        return [event for event in self.events if isinstance(event, Bounced)]


def play(scene: Callable[[House], Awaitable[None]]) -> None:
    async def main() -> None:
        house = House()
        await scene(house)
        await house.deliverer.stop()
        house.spool.close()
        await house.fakes.spawn.stop()

    run(main())


def test_new_mail_is_delivered_at_once() -> None:
    """To a mailbox of ours with Return-Path and Delivered-To, to another host by its carrier."""

    async def scene(house: House) -> None:
        await house.send("anna@example.com", "x@far.test")
        await asyncio.sleep(1)
        (letter,) = house.mail("anna")
        assert letter.startswith(b"Return-Path: <writer@example.com>\nDelivered-To: anna@example.com\n")
        assert letter.endswith(b"Dear reader,\n. two dots\nbye\n")
        assert ["x@far.test"] == house.road.carried and [] == await house.rows()
        assert {"delivered"} == {event.result for event in house.tried()}

    play(scene)


@pytest.mark.parametrize(
    ("answer", "state", "result"),
    [
        (Deferred(LATER), "waiting", "deferred"),
        (Deferred(LATER, "tls"), "waiting", "deferred"),
        (Deferred(LATER, "timeout"), "waiting", "deferred"),
        (Failed(NEVER), None, "failed"),
        (Delivered(OK), None, "delivered"),
    ],
)
def test_each_recipient_has_its_own_outcome(answer: Outcome, state: str | None, result: str) -> None:
    """State, reply kept and next try, beside another recipient of the same letter who got his."""

    async def scene(house: House) -> None:
        house.road.answers["x"] = answer
        await house.send("x@far.test", "y@far.test")
        sent = house.fakes.clock.now()
        await asyncio.sleep(30)
        rows = {row.recipient: row for row in await house.rows()}
        assert "y@far.test" not in rows and (state is not None) == ("x@far.test" in rows)
        (event,) = [event for event in house.tried() if event.recipient == "x@far.test"]
        assert (result, answer.reply) == (event.result, event.reply)
        if state is not None:
            row = rows["x@far.test"]
            assert (state, 1, str(answer.reply)) == (row.state, row.tries, row.last_reply)
            assert 45 * SECOND <= row.next_at - sent <= 76 * SECOND

    play(scene)


def test_a_permanent_failure_is_reported_to_the_sender() -> None:
    """Several failures of one letter share a report; the event names the bounce."""

    async def scene(house: House) -> None:
        house.road.answers = {"x": Failed(NEVER), "y": Failed(NEVER)}
        draft = await house.send("x@far.test", "y@other.test", sender="anna@example.com")
        await asyncio.sleep(60)
        (letter,) = house.mail("anna")
        assert b"x@far.test: 550 5.1.1 never" in letter and b"y@other.test" in letter
        assert letter.startswith(b"Return-Path: <>\n")
        assert {draft.message.id} == {event.message for event in house.bounced()}
        assert all(event.bounce for event in house.bounced()) and [] == await house.rows()

    play(scene)


def test_the_null_sender_is_never_bounced() -> None:
    """RFC 5321 4.5.5: its failure is an event, no letter."""

    async def scene(house: House) -> None:
        house.road.answers["x"] = Failed(NEVER)
        await house.send("x@far.test", sender=None)
        await asyncio.sleep(60)
        (event,) = house.bounced()
        assert "" == event.bounce and [] == await house.rows() and [] == house.road.carried[1:]

    play(scene)


def test_a_report_to_nobody_ends_there() -> None:
    """A sender of ours who does not exist gets none, and nothing goes round in circles."""

    async def scene(house: House) -> None:
        house.road.answers["x"] = Failed(NEVER)
        await house.send("x@far.test", sender="nobody@example.com")
        await asyncio.sleep(60)
        assert [""] == [event.bounce for event in house.bounced()] and [] == await house.rows()

    play(scene)


def test_what_is_deferred_too_long_comes_back() -> None:
    """Tries at growing distance until its time is over; the report says what the host said last."""

    async def scene(house: House) -> None:
        house.road.answers["x"] = Deferred(LATER)
        await house.send("x@far.test", sender="anna@example.com")
        await asyncio.sleep(6 * 3600)
        (letter,) = house.mail("anna")
        assert b"5.4.7" in letter and b"451 4.3.0 later" in letter
        assert 8 < len(house.road.carried) < 16 and [] == await house.rows()

    play(scene)


def test_a_dead_road_expires_too() -> None:
    """A lane that reaches nobody pauses, and its letters still come back in the end."""

    async def scene(house: House) -> None:
        for name in "abcdef":
            house.road.answers[name] = Deferred(LATER, "connect")
            await house.send(f"{name}@dead.test", sender="anna@example.com")
        await asyncio.sleep(3600)
        assert len(house.road.carried) < 12
        await asyncio.sleep(8 * 3600)
        assert 6 == len(house.mail("anna")) and [] == await house.rows()

    play(scene)


def test_held_mail_does_not_move_and_does_not_age() -> None:
    """Held for a day, released: tried, and not expired by the time that it was held."""

    async def scene(house: House) -> None:
        house.road.slow_s = 5
        house.road.answers["x"] = Deferred(LATER)
        await house.send("x@far.test", account="anna@example.com")
        await house.send("y@far.test", account="anna@example.com", delay_s=60)
        await asyncio.sleep(10)
        hold = HoldQueue(house.mailbag.ident(), Selector(account="anna@example.com"))
        await house.owner.handle(hold)
        tries = len(house.road.carried)
        await asyncio.sleep(86400)
        assert tries == len(house.road.carried) and 2 == len(await house.rows())
        house.road.answers = {}
        await house.owner.handle(ReleaseQueue(house.mailbag.ident(), hold.action))
        await asyncio.sleep(60)
        assert [] == await house.rows() and [] == house.bounced()

    play(scene)


def test_a_hold_stops_what_waits_in_memory() -> None:
    """A hundred letters stand in memory behind two slow tries: held within the second, not a third starts."""

    async def scene(house: House) -> None:
        house.road.slow_s = 10
        for n in range(100):
            await house.send(f"x{n}@far.test", account="anna@example.com")
        under_way = house.deliverer.under_way
        answer = await house.owner.handle(
            HoldQueue(house.mailbag.ident(), Selector(account="anna@example.com"))
        )
        await asyncio.sleep(3600)
        assert under_way == len(house.road.carried) == 100 - len(await house.rows())
        assert answer is not None and under_way == answer.already_on_the_wire  # type: ignore[attr-defined]

    play(scene)


def test_what_falls_due_while_a_verb_works_waits_for_its_end() -> None:
    """Others go on meanwhile: the verb itself could not end otherwise."""

    async def scene(house: House) -> None:
        house.road.answers["x"] = Deferred(LATER)
        await house.send("x@far.example")
        await asyncio.sleep(1)
        with house.deliverer.still():
            await asyncio.sleep(QUEUE.first_retry_s * 2)
            assert 1 == len(house.road.carried)
        await asyncio.sleep(1)
        assert 2 == len(house.road.carried)

    play(scene)


def test_after_a_crash_nothing_stands_twice_in_a_mailbox() -> None:
    """The file was there, the table did not know: found by its name."""

    async def scene(house: House) -> None:
        await house.send("anna@example.com")
        while not house.mail("anna"):
            await asyncio.sleep(0)
        house.deliverer._stopping = True
        left = house.disk.restart()
        await house.fakes.spawn.stop()
        house.disk, house.fakes = left, fakes(now=house.fakes.clock.now(), seed=1, disk=left)
        house.open()
        await asyncio.sleep(5)
        assert 1 == len(house.mail("anna")) and [] == await house.rows()
        assert TAKEN_BEFORE == house.tried()[-1].reply

    play(scene)


def test_our_own_mistake_defers() -> None:
    """A carrier with a bug: told as trouble, tried again, nothing lost."""

    async def scene(house: House) -> None:
        house.road.bug = True
        await house.send("x@far.test")
        await asyncio.sleep(1)
        assert "ZeroDivisionError" in house.troubles[0] and 1 == len(await house.rows())
        house.road.bug = False
        await asyncio.sleep(120)
        assert [] == await house.rows()

    play(scene)


def test_a_clock_that_jumps_loses_nothing() -> None:
    """Ten years on and back again: delivered within a day, not expired."""

    async def scene(house: House) -> None:
        house.road.answers["x"] = Deferred(LATER)
        await house.send("x@far.test")
        await asyncio.sleep(10)
        house.fakes.clock.jump(315_360_000)
        await asyncio.sleep(200)
        house.fakes.clock.jump(-315_360_000)
        house.road.answers = {}
        await asyncio.sleep(86400 + 120)
        assert [] == await house.rows() and [] == house.bounced()

    play(scene)


def test_a_notice_is_deposited_once() -> None:
    """By action id; an address that leads nowhere is said."""

    async def scene(house: House) -> None:
        note = Deposit(house.mailbag.ident(), "", "anna@example.com", b"Subject: hi\n\n.dot\n")
        for _ in range(2):
            await house.owner.handle(note)
        await asyncio.sleep(1)
        (letter,) = house.mail("anna")
        assert letter.endswith(b"Subject: hi\n\n.dot\n")

    play(scene)


def test_a_queue_is_looked_at_while_it_works() -> None:
    """Counts, rows, and the beginning of a letter."""

    async def scene(house: House) -> None:
        house.road.answers["x"] = Deferred(LATER)
        draft = await house.send("x@far.test")
        await asyncio.sleep(5)
        answer = await house.owner.handle(QueueAsk("show", Selector(ids=(draft.message.id,))))
        assert isinstance(answer, QueueAnswer) and 1 == answer.matched
        assert "Subject: a letter" in answer.head

    play(scene)


def test_stopping_leaves_everything_in_the_table() -> None:
    """What no try has begun for waits; nothing counts as tried."""

    async def scene(house: House) -> None:
        house.road.slow_s = 5
        for n in range(40):
            await house.send(f"x{n}@far.test")
        await house.deliverer.stop()
        rows = await house.rows()
        assert {("waiting", 0)} == {(row.state, row.tries) for row in rows}
        assert 40 == len(rows) + len(house.road.carried)

    play(scene)


def test_a_letter_that_cannot_be_read_is_tried_later() -> None:
    """The spool's own trouble defers."""

    async def scene(house: House) -> None:
        house.road.answers["x"] = Deferred(LATER)
        await house.send("x@far.test")
        await asyncio.sleep(5)

        async def gone(message: str) -> Letter:
            raise Unavailable("spool", "input/output error")

        letter, house.spool.letter = house.spool.letter, gone  # type: ignore[method-assign]
        await asyncio.sleep(100)
        assert "spool is not available" in (await house.rows())[0].last_reply
        house.spool.letter = letter  # type: ignore[method-assign]

    play(scene)


def test_a_missing_body_is_an_alarm() -> None:
    """Said once at the start; the letter stays, held, and nobody tries it."""

    async def scene(house: House) -> None:
        draft = house.mailbag.draft("x@far.test", delay_s=60)
        big = house.spool.big_body(draft.message.id)
        await big.write(b"x" * 300_000)
        await big.finish()
        await house.spool.submit(draft, big)
        await house.deliverer.stop()
        house.spool.close()
        house.disk.unlink(big.path)
        house.open()
        await asyncio.sleep(1)
        assert ["the body of a kept message is missing; it is held " + draft.message.id] == house.troubles
        (row,) = await house.rows()
        assert "waiting" == row.state and row.held_by

    play(scene)


def test_new_settings_hold_from_then_on() -> None:
    """Concurrency and waits are those of the settings read last."""

    async def scene(house: House) -> None:
        house.road.slow_s = 60
        house.spool.reload(replace(QUEUE, lane_concurrency=1))
        house.deliverer.reload()
        for _ in range(3):
            await house.send("x@far.test")
        assert 1 == house.deliverer.under_way
        house.spool.reload(replace(QUEUE, lane_concurrency=3))
        house.deliverer.reload()
        assert 3 == house.deliverer.under_way, "without waiting for a try to end"

    play(scene)
