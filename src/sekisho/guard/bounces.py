"""Bounce evidence: a CUSUM of refusals by the recipients' servers, on our own deliveries only (rule 6).

Only a final 5yz about the mailbox counts: "no such user" says that the list was bought, while a full
disk, a block list or a timeout says something about somebody else. Only first-time recipients count: a
newsletter's dead addresses come back every week. What is mailed in as a bounce is looked at only if it came
to a signed return path of ours.
"""

from math import exp, log

from sekisho.guard.memory import DAY, Flow, Memory
from sekisho.model.event import DeliveryTried, Returned

STRANGE_USUAL, STRANGE_BAD = 0.02, 0.20
"""Share of first-time recipients refused: a writer's, and a spammer's whose list is not too bad. From
unfamiliar networks."""
OWN_USUAL, OWN_BAD = 0.10, 0.35
"""The same from the account's own places: an old mailing list loses 12 %, and must not look like a
takeover."""
OWN_USUAL_MOST = 0.15
"""However bad an account's own lists are, more than this is never usual."""
HABIT_RESULTS = 50.0
"""So many results of its own an account needs before its lists count as much as everybody's."""
HEAVIEST = 12.0
"""More than any limit needs; so a long list of refusals is forgotten within days, not weeks."""
FADE = DAY
"""Refusals of yesterday weigh a third."""

MAILBOX_STATUS = ("5.1.", "5.2.1")
"""RFC 3463 3.2, 3.3: an address that is wrong or not known, a mailbox that takes nothing."""
MAILBOX_CODES = frozenset({550, 551, 553})
"""RFC 5321 4.2.3: mailbox unavailable, not local, name not allowed; used where no enhanced status says
more (RFC 3463 3.2)."""


def speaks_of_mailbox(event: DeliveryTried | Returned) -> bool:
    if isinstance(event, DeliveryTried) and event.cause not in ("", "5yz"):
        return False
    if event.reply.status:
        return event.reply.status.startswith(MAILBOX_STATUS)
    return event.reply.code in MAILBOX_CODES


def bounce_at(flow: Flow, at: int) -> float:
    if not flow.bounce or at <= flow.bounce_at:
        return flow.bounce
    return flow.bounce * exp((flow.bounce_at - at) / FADE)


def weigh_strange(refused: bool) -> float:
    return _likelihood(refused, STRANGE_USUAL, STRANGE_BAD)


def weigh_own(memory: Memory, refused: bool) -> float:
    usual = (memory.refusals + OWN_USUAL * HABIT_RESULTS) / (memory.results + HABIT_RESULTS)
    return _likelihood(refused, min(max(usual, OWN_USUAL), OWN_USUAL_MOST), OWN_BAD)


def _likelihood(refused: bool, usual: float, bad: float) -> float:
    return log(bad / usual) if refused else log((1 - bad) / (1 - usual))


def add_result(flow: Flow, weight: float, refused: bool, at: int) -> None:
    flow.bounce = max(0.0, min(HEAVIEST, bounce_at(flow, at) + weight))
    flow.bounce_at = max(at, flow.bounce_at)
    flow.tried += 1
    flow.refused += refused
