"""Mail for other hosts is taken from our own users and from trusted networks only: this is no open relay.

Nor through others: what the rules send on to a host that trusts us must not be an address that it reads
as a way to a third one, user%host or host!user.
"""

from sekisho.checks.ask import Ask, RcptFacts
from sekisho.model.address import domain_of, routes_further
from sekisho.model.verdict import PASS, Verdict, reject


async def check(facts: RcptFacts, ask: Ask) -> Verdict:
    if facts.client.known:
        return PASS
    if not await ask.is_local_domain(domain_of(facts.recipient)):
        return reject(550, "5.7.1", "Relaying denied", facts.recipient)
    if routes_further(facts.recipient) and await ask.leaves(facts.recipient):
        return reject(550, "5.7.1", "Relaying denied", f"{facts.recipient} may mean a third host to the next")
    return PASS
