"""What one destination and one host may be given: names, wildcards, networks."""

import pytest

from sekisho.model.config import Limit, Queue
from sekisho.queue.hops import Hop
from sekisho.queue.limits import UNLIMITED, Limits, Pace, destination

LIMITS = Limits(
    Queue(
        lane_concurrency=20,
        lane_per_minute=600,
        host_concurrency=10,
        limits={
            "Slow.test": Limit(concurrency=3, lifetime_s=3600),
            "*.slow.test": Limit(per_minute=6),
            "*.very.slow.test": Limit(concurrency=1),
            "192.0.2.0/24": Limit(concurrency=4),
            "192.0.2.7": Limit(concurrency=2, per_minute=30),
            "2001:db8::/32": Limit(concurrency=5),
        },
    )
)


@pytest.mark.parametrize(
    ("lane", "pace"),
    [
        ("mx:slow.test", Pace(3, 600)),
        ("mx:a.slow.test", Pace(20, 6)),
        ("mx:a.very.slow.test", Pace(1, 600)),
        ("mx:unslow.test", Pace(20, 600)),
        ("relay:slow.test:2525", Pace(3, 600)),
        ("relay:[192.0.2.7]:25", Pace(2, 30)),
        ("mx:[192.0.2.9]", Pace(4, 600)),
        ("maildir:mail/slow.test/anna/Maildir", Pace(20, 0)),
        ("refuse", Pace(20, 0)),
    ],
)
def test_the_most_particular_limit_of_a_lane_counts(lane: str, pace: Pace) -> None:
    """Exact before wildcard, the longer wildcard first; what is not said is the default."""
    assert pace == LIMITS.lane(lane)


def test_a_host_is_counted_by_its_name_and_its_address() -> None:
    """Every port of an address is a host of its own; a name counts all its addresses together."""
    free = Pace(UNLIMITED)
    assert {"mx.test": free, "[198.51.100.1]:25": Pace(10)} == counted("mx.test", "198.51.100.1")
    assert {"mx.test": free, "[192.0.2.7]:25": Pace(2, 30)} == counted("mx.test", "192.0.2.7")
    assert {"slow.test": Pace(3), "[2001:db8::1]:25": Pace(5)} == counted("slow.test", "2001:db8::1")
    assert Pace(UNLIMITED, 6) == counted("mx.slow.test", "198.51.100.1")["mx.slow.test"]
    assert {"[192.0.2.7]:25": Pace(2, 30)} == counted("192.0.2.7", "192.0.2.7")


def counted(name: str, address: str) -> dict[str, Pace]:
    return dict(LIMITS.hosts(Hop(name, address, 25)))


def test_how_long_is_said_by_destination() -> None:
    """Where nothing is said, as usual."""
    assert (3600, 99) == (LIMITS.lifetime_s("slow.test", 99), LIMITS.lifetime_s("a.slow.test", 99))


def test_an_even_pace_allows_a_seconds_worth_at_once() -> None:
    """600 a minute are ten a second; six a minute one each ten seconds, and never two."""
    due, sent = 0, 0
    pace = Pace(1, 600)
    while pace.ready_at(due) <= 1_000_000_000_000:
        due = pace.after(due, 1_000_000_000_000)
        sent += 1
    assert 11 == sent
    slow = Pace(1, 6)
    assert 20_000_000 == slow.ready_at(slow.after(0, 10_000_000))


@pytest.mark.parametrize(
    ("lane", "leads_to"),
    [("mx:far.test", "far.test"), ("relay:mx.far.test:26", "mx.far.test"), ("maildir:mail/x", "")],
)
def test_a_lanes_destination(lane: str, leads_to: str) -> None:
    """Without the port; our own mailboxes lead nowhere."""
    assert leads_to == destination(lane)
