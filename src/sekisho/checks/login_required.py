"""A submission listener takes mail only from those who have said who they are (RFC 6409 4.3)."""

from sekisho.checks.ask import Ask, MailFacts
from sekisho.model.verdict import PASS, Verdict, reject


async def check(facts: MailFacts, ask: Ask) -> Verdict:
    if facts.client.submission and not facts.client.known:
        return reject(530, "5.7.0", "Authentication required")  # RFC 4954 6
    return PASS
