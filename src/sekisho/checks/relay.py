"""Mail for other hosts is taken from our own users and from trusted networks only: this is no open relay."""

from sekisho.checks.ask import Ask, RcptFacts
from sekisho.model.address import domain_of
from sekisho.model.verdict import PASS, Verdict, reject


async def check(facts: RcptFacts, ask: Ask) -> Verdict:
    if facts.client.known or await ask.is_local_domain(domain_of(facts.recipient)):
        return PASS
    return reject(550, "5.7.1", "Relaying denied", facts.recipient)
