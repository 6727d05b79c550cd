"""While the guard does not answer, a network that it has not confirmed may name only a few recipients.

The guard's own limit on first-time recipients is part of its standing, which `takeover` obeys. This one
holds when there is no word from the guard: mail goes on, and a thief who makes it silent gains little.
"""

from sekisho.checks.ask import Ask, RcptFacts
from sekisho.model.verdict import PASS, Act, Note, Verdict, defer

UNJUDGED_RECIPIENTS = 20
"""Per account and hour, from all networks that are not confirmed."""

WITHIN = 3600 * 1_000_000
"""An hour, in microseconds."""

TABLE = "unjudged"


async def check(facts: RcptFacts, ask: Ask) -> Verdict:
    account = facts.client.account
    if not account:
        return PASS
    judgement = await ask.standing()
    if judgement.fresh or judgement.standing.place == "known":
        return PASS
    if await ask.count(TABLE, account) >= UNJUDGED_RECIPIENTS:
        return defer(452, "4.7.1", "Too many recipients for now, try again later", "no answer from the guard")
    return Verdict(
        Act.PASS, why="no answer from the guard", remember=(Note(TABLE, account, 1, facts.at + WITHIN),)
    )
