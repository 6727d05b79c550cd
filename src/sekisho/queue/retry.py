"""What a try means for its delivery: done, failed, or again later; and when it has been tried long enough.

Waits double with chance of a quarter more or less, so that what failed together does not return together. A
delivery is given up by a try that fails after its time is over, never by the clock alone, and not before it
has had the tries that fit into its time: a clock that jumps by years gives up nobody.
"""

from collections.abc import Iterable

from sekisho.model.config import Queue
from sekisho.model.delivery import Deferred, Delivered, Delivery, Kind, Outcome, State
from sekisho.model.letter import Settled
from sekisho.model.verdict import Reply

SECOND = 1_000_000
DOUBLINGS_MAX = 30
"""Beyond this the longest wait has been reached whatever the settings say."""

LEAST_TRIES = 5
"""Tries before anything is given up, unless fewer fit into the lifetime."""


REMOTE_STEP_S = 400
LOCAL_STEP_S = 100
"""qmail: the n-th retry comes (20 n) squared seconds after the first try, for our own mailboxes (10 n)."""

QUADRATIC_MAX = 10_000
"""Beyond this many tries the quadratic wait grows no more: nothing lives so long."""


def wait_s(tries: int, luck: float, settings: Queue, kind: Kind = Kind.MX) -> float:
    """After the `tries`-th failed try (from 1). `luck` between 0 and 1."""
    if settings.schedule == "quadratic":
        step_s = LOCAL_STEP_S if kind is Kind.MAILDIR else REMOTE_STEP_S
        return step_s * (2 * min(tries, QUADRATIC_MAX) - 1)  # n squared less its predecessor
    plain = settings.first_retry_s * 2.0 ** min(tries - 1, DOUBLINGS_MAX)
    return min(plain, settings.longest_retry_s) * (0.75 + luck / 2)


def least_tries(settings: Queue) -> int:
    """How many tries a delivery has before it may be given up: those of its lifetime, at most LEAST_TRIES."""
    passed, tries = 0.0, 1
    while tries < LEAST_TRIES:
        passed += wait_s(tries, 1.0, settings)
        if passed > min(settings.lifetime_s, settings.bounce_lifetime_s):
            break
        tries += 1
    return tries


def judge(delivery: Delivery, outcome: Outcome, now: int, luck: float, settings: Queue) -> Settled:
    """How the try that just ended leaves its delivery."""
    tries = delivery.tries + 1
    match outcome:
        case Delivered(reply=reply):
            return Settled(delivery.id, delivery.message, State.DONE, reply, tries)
        case Deferred(reply=reply) if now < delivery.expires_at or tries < least_tries(settings):
            next_at = now + round(wait_s(tries, luck, settings, delivery.route.kind) * SECOND)
            return Settled(delivery.id, delivery.message, State.WAITING, reply, tries, next_at)
        case Deferred(reply=reply):
            return Settled(delivery.id, delivery.message, State.FAILED, expired(reply), tries)
        case failed:
            return Settled(delivery.id, delivery.message, State.FAILED, failed.reply, tries)


def expired(last: Reply) -> Reply:
    """RFC 3463 X.4.7. What the other side said last is what helps the sender."""
    return Reply(554, "5.4.7", f"delivery time expired; last reply: {last}")


def lane_in_trouble(outcomes: Iterable[Outcome]) -> bool:
    """Nobody was reached: not the letter is at fault, the road is."""
    return all(
        isinstance(outcome, Deferred) and outcome.cause in ("dns", "connect", "timeout")
        for outcome in outcomes
    )
