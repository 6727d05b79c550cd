"""A letter that turns out to be larger than its client said: is there a mailbox that has room for it?

Only where it goes to none that has, for one reply stands for all. Where somebody can take it, the others'
copies wait or are returned by what is asked again at delivery.
"""

from sekisho.checks.ask import Ask, BodyFacts
from sekisho.checks.mailbox_full import no_room
from sekisho.model.verdict import PASS, Verdict


async def check(facts: BodyFacts, ask: Ask) -> Verdict:
    if facts.size <= facts.announced:  # asked at each recipient
        return PASS
    return await no_room(facts.recipients, facts.size, ask)
