"""Who is tried when: lanes by turns, limits, pauses, memory."""

from mailbag import Mailbag
from sekisho.model.config import Limit, Queue
from sekisho.model.delivery import Delivery
from sekisho.model.letter import Letter, party_of
from sekisho.queue.lane import WINDOW_FIRST
from sekisho.queue.schedule import BATCH_RECIPIENTS, NEW_LEAST, NEW_MAX, TROUBLE_MAX, Batch, Schedule
from sekisho.testing.world import NOW

SECOND = 1_000_000
SETTINGS = Queue(concurrency=4, lane_concurrency=2, active=100, first_retry_s=60, longest_retry_s=3600)
MAILBAG = Mailbag()


def new(schedule: Schedule, *recipients: str, size: int = 10, account: str = "") -> bool:
    """One letter comes straight from its commit."""
    draft = MAILBAG.draft(*recipients, account=account)
    if not schedule.reserve(draft.deliveries, size, party_of(draft.envelope), NOW):
        return False
    schedule.hand_over(draft.deliveries, Letter(draft.message, draft.envelope, draft.head, (b"x",)))
    return True


def waiting(*recipients: str) -> tuple[Delivery, ...]:
    return MAILBAG.draft(*recipients).deliveries


def lanes(batches: list[Batch]) -> list[str]:
    return [batch.lane for batch in batches]


def test_lanes_take_turns_and_have_limits() -> None:
    """Ten letters for one host and one for another: the one is in the first round; a lane has at most its
    own concurrency, all together the whole."""
    schedule = Schedule(SETTINGS)
    for _ in range(10):
        assert new(schedule, "a@big.test")
    new(schedule, "a@small.test")
    started = schedule.start(NOW)
    assert ["mx:big.test", "mx:small.test", "mx:big.test"] == lanes(started)
    for name in ("c", "d", "e"):
        new(schedule, f"a@{name}.test")
    assert ["mx:c.test"] == lanes(schedule.start(NOW))
    schedule.ended(started[0], trouble=False, now=NOW, luck=0.5)
    assert 1 == len(schedule.start(NOW))


def test_retries_and_new_mail_take_turns_in_a_lane() -> None:
    """A flood of new mail does not starve what came from the table."""
    schedule = Schedule(Queue(concurrency=1, lane_concurrency=1, active=50))
    for _ in range(3):
        new(schedule, "a@far.test")
    schedule.claimed(waiting("b@far.test") + waiting("c@far.test"))
    order = []
    while started := schedule.start(NOW):
        order.append(started[0].letter is not None)
        schedule.ended(started[0], trouble=False, now=NOW, luck=0.5)
    assert [True, False, True, False, True] == order


def test_recipients_of_one_letter_and_lane_go_together_up_to_a_hundred() -> None:
    """As many as every host must take."""
    schedule = Schedule(Queue(concurrency=9, lane_concurrency=9, active=500))
    new(schedule, *(f"x{n}@far.test" for n in range(BATCH_RECIPIENTS + 1)), "y@near.test")
    assert [BATCH_RECIPIENTS, 1, 1] == sorted((len(b.deliveries) for b in schedule.start(NOW)), reverse=True)


def test_memory_is_bounded() -> None:
    """Deliveries and bytes in memory: what does not fit waits in the table."""
    schedule = Schedule(SETTINGS)
    assert not new(schedule, *(f"x{n}@far.test" for n in range(101)))
    assert not new(schedule, "a@far.test", size=1 << 30)
    assert new(schedule, *(f"x{n}@far.test" for n in range(100)))
    assert not new(schedule, "a@far.test")
    (batch,) = schedule.start(NOW)
    schedule.ended(batch, trouble=False, now=NOW, luck=0.5)
    assert 0 == schedule.in_memory
    assert new(schedule, "a@far.test")


def test_a_lane_in_trouble_pauses_and_then_tries_one_at_a_time() -> None:
    """Three batches that reach nobody; new mail for it is not taken into memory; other lanes go on."""
    schedule = Schedule(SETTINGS)
    for _ in range(TROUBLE_MAX + 3):
        new(schedule, "a@dead.test")
    first, second = schedule.start(NOW)
    assert not schedule.ended(first, trouble=True, now=NOW, luck=0.5)
    assert [] == schedule.start(NOW), "one at a time from now on"
    assert not schedule.ended(second, trouble=True, now=NOW, luck=0.5)
    (third,) = schedule.start(NOW)
    assert schedule.ended(third, trouble=True, now=NOW, luck=0.5)
    assert [] == schedule.start(NOW)
    assert not new(schedule, "a@dead.test")
    assert new(schedule, "a@well.test")
    assert ["mx:well.test"] == lanes(schedule.start(NOW))
    later = NOW + 61 * SECOND
    schedule.wants(later)
    (again,) = schedule.start(later)
    assert not schedule.ended(again, trouble=False, now=later, luck=0.5)
    assert 2 == len(schedule.start(later)), "the road is good again"


def test_the_table_is_asked_when_something_is_due_and_not_before() -> None:
    """The earliest time counts; asked and told of the next time, it waits for that."""
    schedule = Schedule(SETTINGS)
    schedule.waits("mx:far.test", NOW + 10 * SECOND)
    schedule.waits("mx:far.test", NOW + 5 * SECOND)
    assert NOW + 5 * SECOND == schedule.next_at()
    assert [] == schedule.wants(NOW) and not schedule.hungry
    assert [("mx:far.test", 4)] == schedule.wants(NOW + 5 * SECOND)
    schedule.looked("mx:far.test", NOW + 20 * SECOND)
    assert [] == schedule.wants(NOW + 10 * SECOND)
    assert NOW + 20 * SECOND == schedule.next_at()


def test_what_is_not_started_can_be_taken_back() -> None:
    """For a hold: everything in memory goes to the table again; what is under way goes on."""
    schedule = Schedule(SETTINGS)
    for _ in range(4):
        new(schedule, "a@far.test")
    started = schedule.start(NOW)
    assert 2 == len(schedule.take_back()) and [] == schedule.unstarted()
    assert 2 == schedule.in_memory
    for batch in started:
        schedule.ended(batch, trouble=False, now=NOW, luck=0.5)
    assert [] == schedule.start(NOW) and 0 == schedule.in_memory


def test_a_clock_that_was_set_back_pauses_nobody_for_ever() -> None:
    """Every lane is asked anew at once."""
    schedule = Schedule(SETTINGS)
    schedule.waits("mx:far.test", NOW + 10**15)
    schedule.set_back(NOW)
    assert ["mx:far.test"] == [name for name, _ in schedule.wants(NOW)]


def test_one_account_does_not_starve_another_in_its_lane() -> None:
    """Ten thousand letters of one account: another's finds room, and goes second."""
    schedule = Schedule(Queue(concurrency=1, lane_concurrency=1))
    taken = sum(new(schedule, "a@far.test", account="flood@example.com") for _ in range(10_000))
    assert NEW_MAX == taken
    assert all(new(schedule, "b@far.test", account="anna@example.com") for _ in range(3))
    order = []
    for _ in range(8):
        (batch,) = schedule.start(NOW)
        order.append(batch.party.partition("@")[0])
        schedule.ended(batch, trouble=False, now=NOW, luck=0.5)
    assert ["flood", "anna"] * 3 + ["flood"] * 2 == order


def test_a_flood_for_slow_hosts_leaves_memory_for_others() -> None:
    """When memory is half full, a lane gets no more than a few; another lane still finds room."""
    schedule = Schedule(Queue(active=2000))
    for number in range(5):
        for _ in range(1000):
            new(schedule, f"a@slow{number}.test")
    assert 1001 <= schedule.in_memory <= 1000 + 5 * NEW_LEAST
    assert new(schedule, "a@fast.test")


def test_a_destination_begins_slowly_and_grows() -> None:
    """A few connections at first, one more with every batch that arrives; after trouble it begins anew."""
    schedule = Schedule(Queue(lane_concurrency=8))
    for _ in range(30):
        new(schedule, "a@far.test")
    started = schedule.start(NOW)
    assert WINDOW_FIRST == len(started)
    schedule.ended(started.pop(), trouble=False, now=NOW, luck=0.5)
    started += schedule.start(NOW)
    assert WINDOW_FIRST + 1 == len(started), "two in place of one"
    for batch in started:
        schedule.ended(batch, trouble=False, now=NOW, luck=0.5)
    started = schedule.start(NOW)
    assert 8 == len(started), "and no more than its limit"
    for batch in started:
        schedule.ended(batch, trouble=True, now=NOW, luck=0.5)
    later = NOW + 10**12
    schedule.wants(later)
    (one,) = schedule.start(later)
    schedule.ended(one, trouble=False, now=later, luck=0.5)
    assert 2 == len(schedule.start(later))


def test_messages_by_the_minute_are_spread_evenly() -> None:
    """Six a minute: one each ten seconds, and the time of the next is known."""
    schedule = Schedule(Queue(limits={"far.test": Limit(per_minute=6)}))
    assert 6 == sum(new(schedule, "a@far.test") for _ in range(10)), "a minute's worth in memory"
    times = []
    now = NOW
    while len(times) < 5:
        schedule.wants(now)
        for batch in schedule.start(now):
            times.append((now - NOW) // SECOND)
            schedule.ended(batch, trouble=False, now=now, luck=0.5)
        now = max(now + SECOND, min(schedule.next_at(), now + 60 * SECOND))
    assert [0, 10, 20, 30, 40] == times


def test_new_limits_hold_at_once() -> None:
    """A lane that has all it may start more as soon as the limit is raised."""
    schedule = Schedule(Queue(limits={"*.test": Limit(concurrency=1)}))
    for _ in range(6):
        new(schedule, "a@far.test")
    assert 1 == len(schedule.start(NOW)) and [] == schedule.start(NOW)
    schedule.reload(Queue(limits={"*.test": Limit(concurrency=3)}))
    assert 2 == len(schedule.start(NOW))


def test_what_finds_no_place_is_first_again_when_woken() -> None:
    """Nothing of the lane starts before; what was answered has gone; memory is counted right."""
    schedule = Schedule(Queue())
    new(schedule, "a@far.test", "b@far.test")
    new(schedule, "c@far.test")
    first, second = schedule.start(NOW)
    schedule.postponed(first, first.deliveries[1:], NOW + 60 * SECOND, NOW)
    assert 2 == schedule.in_memory
    schedule.ended(second, trouble=True, now=NOW, luck=0.5)
    assert [] == schedule.start(NOW) and not new(schedule, "d@far.test")
    schedule.waits("mx:far.test", NOW)
    assert [] == schedule.wants(NOW)
    assert schedule.woken("mx:far.test", NOW) and not schedule.woken("mx:other.test", NOW)
    assert ["mx:far.test"] == [name for name, _ in schedule.wants(NOW)], "the table is asked again"
    (again,) = schedule.start(NOW)
    assert ["b@far.test"] == [delivery.recipient for delivery in again.deliveries]
    schedule.postponed(again, again.deliveries, NOW + 60 * SECOND, NOW)
    schedule.wants(NOW + 60 * SECOND)
    (again,) = schedule.start(NOW + 60 * SECOND)
    schedule.ended(again, trouble=False, now=NOW, luck=0.5)
    assert 0 == schedule.in_memory


def test_the_operator_ends_every_pause() -> None:
    """`queue retry` means now."""
    schedule = Schedule(SETTINGS)
    for _ in range(TROUBLE_MAX + 2):
        new(schedule, "a@dead.test")
    for _ in range(TROUBLE_MAX):
        for batch in schedule.start(NOW):
            schedule.ended(batch, trouble=True, now=NOW, luck=0.5)
    assert [] == schedule.start(NOW)
    schedule.forgive(NOW)
    assert 1 == len(schedule.start(NOW)), "one, to see whether the road is good"
