"""A bounce that answers nothing of ours is refused, if the settings want that: a spammer used the address.

Only where all mail leaves with a signed return path can that be known. Receipts (RFC 8098), which go to the
address in the letter, are taken, and so is what goes to the postmaster (RFC 5321 4.5.1). At the end of the
letter and not before, because others ask by RCPT whether a sender exists.
"""

from sekisho.checks.ask import Ask, BodyFacts
from sekisho.model.verdict import PASS, Verdict, reject


async def check(facts: BodyFacts, ask: Ask) -> Verdict:
    if not facts.unsigned or facts.client.known:
        return PASS
    if b"disposition-notification" in (facts.head.first(b"content-type") or b"").lower():
        return PASS
    if any(recipient.lower().startswith("postmaster@") for recipient in facts.recipients):
        return PASS
    return reject(550, "5.7.1", "This bounce answers no message of ours", " ".join(facts.recipients))
