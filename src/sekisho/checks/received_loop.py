"""A letter that has passed too many servers goes round in circles (RFC 5321 6.3)."""

from sekisho.checks.ask import Ask, BodyFacts
from sekisho.model.verdict import PASS, Verdict, reject


async def check(facts: BodyFacts, ask: Ask) -> Verdict:
    hops = facts.head.count(b"received")
    if hops > facts.hops:
        return reject(554, "5.4.6", "Too many hops, this message is looping", f"{hops} Received fields")
    return PASS
