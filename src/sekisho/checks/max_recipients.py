"""A message has a limited number of recipients, and one without return path has one; the rest is for a second
message (RFC 5321 4.5.3.1.10).
"""

from sekisho.checks.ask import Ask, RcptFacts
from sekisho.model.verdict import PASS, Verdict, defer


async def check(facts: RcptFacts, ask: Ask) -> Verdict:
    if facts.given >= facts.most:
        return defer(
            452, "4.5.3", "Too many recipients, send the rest in another message", f"over {facts.most}"
        )
    return PASS
