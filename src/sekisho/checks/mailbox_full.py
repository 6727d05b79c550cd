"""A mailbox that is full takes no more: said in the session, so that nobody has to be sent a bounce.

Only where the address leads to that mailbox alone. A list is not refused because of one member, whose copy
waits in the queue.
"""

from sekisho.checks.ask import Ask, RcptFacts
from sekisho.model.verdict import PASS, Verdict, defer, reject

TEXT = "Mailbox is full"


async def check(facts: RcptFacts, ask: Ask) -> Verdict:
    if not await ask.is_full(facts.recipient, facts.size):
        return PASS
    if await ask.over_quota() == "refuse":
        return reject(552, "5.2.2", TEXT, facts.recipient)  # RFC 5321 4.2.2, RFC 3463 3.3
    return defer(452, "4.2.2", TEXT, facts.recipient)
