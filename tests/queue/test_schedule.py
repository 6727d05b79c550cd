"""Who is tried when: lanes by turns, limits, pauses, memory."""

from mailbag import Mailbag
from sekisho.model.config import Queue
from sekisho.model.delivery import Delivery
from sekisho.model.letter import Letter
from sekisho.queue.schedule import BATCH_RECIPIENTS, TROUBLE_MAX, Batch, Schedule
from sekisho.testing.world import NOW

SECOND = 1_000_000
SETTINGS = Queue(concurrency=4, lane_concurrency=2, active=50, first_retry_s=60, longest_retry_s=3600)
MAILBAG = Mailbag()


def new(schedule: Schedule, *recipients: str, size: int = 10) -> bool:
    """One letter comes straight from its commit."""
    draft = MAILBAG.draft(*recipients)
    if not schedule.reserve(draft.deliveries, size, NOW):
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
    assert not new(schedule, *(f"x{n}@far.test" for n in range(51)))
    assert not new(schedule, "a@far.test", size=1 << 30)
    assert new(schedule, *(f"x{n}@far.test" for n in range(50)))
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
