"""A stranger does not write in the name of somebody of ours who does not exist: nobody could answer."""

from sekisho.checks.ask import Ask, MailFacts
from sekisho.model.address import domain_of
from sekisho.model.verdict import PASS, Verdict, reject


async def check(facts: MailFacts, ask: Ask) -> Verdict:
    if facts.client.known or not facts.sender or not await ask.is_local_domain(domain_of(facts.sender)):
        return PASS
    if await ask.resolve(facts.sender):
        return PASS
    return reject(550, "5.1.0", "Sender address does not exist here", facts.sender)
