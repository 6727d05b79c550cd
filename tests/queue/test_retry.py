"""What a try means for its delivery."""

import pytest
from msgspec.structs import replace

from mailbag import Mailbag
from sekisho.model.config import Queue
from sekisho.model.delivery import Deferred, Delivered, Delivery, Failed, Kind, Outcome, State
from sekisho.model.verdict import Reply
from sekisho.queue.retry import LEAST_TRIES, judge, lane_in_trouble, least_tries, wait_s

SECOND = 1_000_000
SETTINGS = Queue(first_retry_s=60, longest_retry_s=3600, lifetime_s=5 * 86400)
OK = Reply(250, "2.0.0", "ok")
LATER = Reply(451, "4.3.0", "later")
NEVER = Reply(550, "5.1.1", "never")


def delivery(tries: int = 0) -> Delivery:
    return replace(Mailbag().draft("a@example.net").deliveries[0], tries=tries)


@pytest.mark.parametrize(
    ("outcome", "state", "reply"),
    [
        (Delivered(OK), State.DONE, OK),
        (Deferred(LATER), State.WAITING, LATER),
        (Failed(NEVER), State.FAILED, NEVER),
    ],
)
def test_state_and_reply_of_each_outcome(outcome: Outcome, state: State, reply: Reply) -> None:
    """The reply that the other side gave is kept as it was."""
    now = delivery().next_at
    settled = judge(delivery(), outcome, now, 0.5, SETTINGS)
    assert (state, reply, 1) == (settled.state, settled.reply, settled.tries)
    assert (now + 60 * SECOND if state is State.WAITING else 0) == settled.next_at


def test_waits_double_up_to_the_longest_with_a_quarter_of_chance() -> None:
    """What failed together does not come back together."""
    assert [60, 120, 240, 480] == [wait_s(tries, 0.5, SETTINGS) for tries in (1, 2, 3, 4)]
    assert 3600 == wait_s(1000, 0.5, SETTINGS)
    assert (45, 75) == (wait_s(1, 0.0, SETTINGS), wait_s(1, 1.0, SETTINGS))


def test_given_up_when_the_time_is_over_and_the_last_reply_is_told() -> None:
    """X.4.7 with what the other side said last."""
    old = delivery(LEAST_TRIES)
    settled = judge(old, Deferred(LATER), old.expires_at, 0.5, SETTINGS)
    assert State.FAILED is settled.state and settled.reply is not None
    assert (554, "5.4.7") == (settled.reply.code, settled.reply.status)
    assert "451 4.3.0 later" in settled.reply.text


def test_a_clock_that_jumps_gives_up_nobody() -> None:
    """Before it has had the tries that fit into its time, nothing expires."""
    settled = judge(delivery(), Deferred(LATER), delivery().expires_at + 10**15, 0.5, SETTINGS)
    assert State.WAITING is settled.state
    assert LEAST_TRIES == least_tries(SETTINGS)
    assert 1 == least_tries(Queue(first_retry_s=600, lifetime_s=300, bounce_lifetime_s=300))


def test_a_lane_is_in_trouble_when_nobody_was_reached() -> None:
    """One recipient who was answered at all, and the road is good."""
    unreached = Deferred(LATER, "connect")
    assert lane_in_trouble([unreached, Deferred(LATER, "dns")])
    assert not lane_in_trouble([unreached, Deferred(LATER, "4yz")])
    assert not lane_in_trouble([unreached, Failed(NEVER)])


def test_the_quadratic_schedule_is_qmails() -> None:
    """400 s, 1600 s, 3600 s after the first try; a quarter of it for our own mailboxes; no chance in it."""
    settings = Queue(schedule="quadratic")
    for kind, step in ((Kind.MX, 400), (Kind.MAILDIR, 100)):
        at, times = 0.0, []
        for tries in (1, 2, 3, 4):
            at += wait_s(tries, 0.9, settings, kind)
            times.append(at)
        assert [step, 4 * step, 9 * step, 16 * step] == times
    settled = judge(delivery(1), Deferred(LATER), 0, 0.1, settings)
    assert 1200 * SECOND == settled.next_at
