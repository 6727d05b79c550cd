"""A recipient of ours exists: a mailbox, an alias, an extension or a catch-all leads somewhere.

Refusing here, in the session, is what keeps us from sending bounces to forged senders. A bounce to a name
that only a catch-all takes was caused by somebody who invented it: nobody here wrote as it.
"""

from sekisho.checks.ask import Ask, RcptFacts
from sekisho.mail.srs import looks_forwarded
from sekisho.model.address import domain_of
from sekisho.model.verdict import PASS, Verdict, reject


async def check(facts: RcptFacts, ask: Ask) -> Verdict:
    found = await ask.resolve(facts.recipient)
    returns = looks_forwarded(facts.recipient)
    if found and facts.sender and not returns:
        return PASS
    ours = await ask.is_local_domain(domain_of(facts.recipient))
    if ours and facts.sender and returns:
        return reject(550, "5.7.1", "Only bounces come back this way", facts.recipient)
    if found and (facts.sender or not ours or await ask.named(facts.recipient)):
        return PASS
    if not ours:
        return reject(550, "5.7.1", "Mail for this address is not taken here", facts.recipient)
    return reject(550, "5.1.1", "No such mailbox here", facts.recipient)
