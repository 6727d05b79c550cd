"""A mailbox that is full takes no more: said in the session, so that nobody has to be sent a bounce.

Only where the address leads to that mailbox alone. A list is not refused because of one member, whose copy
waits in the queue.
"""

from sekisho.checks.ask import Ask, RcptFacts
from sekisho.model.verdict import PASS, Reply, Verdict, defer, reject

TEXT = "Mailbox is full"
NEVER = Reply(552, "5.2.2", "Message is larger than the whole mailbox may be")
"""To come again is of no use, whatever the settings say of a mailbox that is full now."""


async def check(facts: RcptFacts, ask: Ask) -> Verdict:
    return await no_room((facts.recipient,), facts.size, ask)


async def no_room(recipients: tuple[str, ...], size: int, ask: Ask) -> Verdict:
    """PASS if any of them can take a letter of this size."""
    for recipient in recipients:
        if not await ask.is_full(recipient, size):
            return PASS
    why = " ".join(recipients)
    if all([await ask.never_fits(recipient, size) for recipient in recipients]):
        return reject(NEVER.code, NEVER.status, NEVER.text, why)
    if await ask.over_quota() == "refuse":
        return reject(552, "5.2.2", TEXT, why)  # RFC 5321 4.2.2, RFC 3463 3.3
    return defer(452, "4.2.2", TEXT, why)
