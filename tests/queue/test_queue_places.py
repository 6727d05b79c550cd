"""Connections to each host: who may open one, who waits, and hosts that do not answer."""

from sekisho.model.config import Limit, Queue
from sekisho.queue.hops import Hop
from sekisho.queue.limits import Limits
from sekisho.queue.places import KEPT_S, SILENT_AFTER, SILENT_MAX_S, SILENT_S, Full, Places, Seat

SECOND = 1_000_000
NOW = 1_000_000 * SECOND
HOP = Hop("mx.shared.test", "192.0.2.1", 25)


def places(**settings: int) -> tuple[Places, list[str]]:
    made = Places(Limits(Queue(**{"host_concurrency": 2, **settings})))  # type: ignore[arg-type]
    woken: list[str] = []

    def wake(lane: str) -> bool:
        woken.append(lane)
        return lane != "mx:empty.test"

    made.wake = wake
    return made, woken


def entered(made: Places, lane: str, now: int = NOW) -> Seat:
    place = made.enter(lane, HOP, now)
    assert isinstance(place, Seat)
    return place


def test_two_destinations_share_the_places_of_their_host() -> None:
    """The third connection finds none, whoever asks; who left last is not before who waits."""
    made, woken = places()
    first = entered(made, "mx:a.test")
    entered(made, "mx:b.test")
    assert isinstance(made.enter("mx:c.test", HOP, NOW), Full)
    assert isinstance(made.enter("mx:a.test", HOP, NOW), Full)
    assert made.wanted(first)
    made.leave(first, NOW)
    assert ["mx:c.test"] == woken
    assert isinstance(made.enter("mx:a.test", HOP, NOW), Full), "the place is kept for c"
    entered(made, "mx:c.test")


def test_a_place_is_kept_for_a_moment_only() -> None:
    """A lane that was woken and has nothing to send any more does not stop the others."""
    made, woken = places(host_concurrency=1)
    first = entered(made, "mx:a.test")
    made.enter("mx:b.test", HOP, NOW)
    made.leave(first, NOW)
    assert ["mx:b.test"] == woken
    entered(made, "mx:c.test", NOW + KEPT_S * SECOND)


def test_a_lane_with_nothing_to_send_is_passed_over() -> None:
    """The next one that waits gets the place."""
    made, woken = places(host_concurrency=1)
    first = entered(made, "mx:a.test")
    for lane in ("mx:empty.test", "mx:b.test", "mx:c.test"):
        made.enter(lane, HOP, NOW)
    made.leave(first, NOW)
    assert ["mx:empty.test", "mx:b.test"] == woken


def test_a_lane_has_its_own_places_too() -> None:
    """A session that still says goodbye is a connection of its lane."""
    made, woken = places(lane_concurrency=1, host_concurrency=9)
    first = entered(made, "mx:a.test")
    assert isinstance(made.enter("mx:a.test", HOP, NOW), Full)
    assert not made.wanted(first), "its own lane takes the session over"
    entered(made, "mx:b.test")
    made.leave(first, NOW)
    assert ["mx:a.test"] == woken


def test_new_limits_wake_everybody_who_waits() -> None:
    """And sessions that were opened under the old ones are counted on."""
    made, woken = places(host_concurrency=1)
    first = entered(made, "mx:a.test")
    made.enter("mx:b.test", HOP, NOW)
    made.reload(Limits(Queue(limits={"mx.shared.test": Limit(concurrency=2)})))
    assert ["mx:b.test"] == woken
    entered(made, "mx:b.test")
    assert isinstance(made.enter("mx:c.test", HOP, NOW), Full), "now the name counts"
    made.leave(first, NOW)


def test_nothing_is_kept_of_hosts_that_nobody_uses() -> None:
    """When all have left, memory is as before."""
    made, _ = places()
    for place in [entered(made, "mx:a.test"), entered(made, "mx:b.test")]:
        made.leave(place, NOW)
    assert {} == made._hosts


def test_a_host_that_does_not_answer_is_left_alone_for_a_while() -> None:
    """After three calls in a row; then one call at a time finds out; every failure doubles the while."""
    made, _ = places()
    for _ in range(SILENT_AFTER - 1):
        made.unanswered(HOP, NOW)
    assert 0 == made.silent_until(HOP, NOW)
    made.unanswered(HOP, NOW)
    assert NOW + SILENT_S * SECOND == made.silent_until(HOP, NOW)
    later = NOW + SILENT_S * SECOND
    assert 0 == made.silent_until(HOP, later)
    entered(made, "mx:a.test", later)
    assert isinstance(made.enter("mx:b.test", HOP, later), Full)
    for _ in range(20):
        made.unanswered(HOP, later)
    assert later + SILENT_MAX_S * SECOND == made.silent_until(HOP, later)
    made.answered(HOP)
    assert 0 == made.silent_until(HOP, later)
    entered(made, "mx:b.test", later)


def test_the_operator_ends_every_silence() -> None:
    """`queue retry` calls at once."""
    made, _ = places()
    for _ in range(SILENT_AFTER):
        made.unanswered(HOP, NOW)
    made.forgive()
    assert 0 == made.silent_until(HOP, NOW)


def test_messages_to_a_host_are_counted_by_the_minute() -> None:
    """All destinations together."""
    made = Places(Limits(Queue(limits={"192.0.2.1": Limit(per_minute=6)})))
    assert made.send(HOP, NOW) is None
    assert Full(NOW + 10 * SECOND) == made.send(HOP, NOW + SECOND)
    assert made.send(HOP, NOW + 10 * SECOND) is None
    assert made.send(Hop("x", "192.0.2.2", 25), NOW) is None
