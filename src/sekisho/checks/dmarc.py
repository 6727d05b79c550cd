"""Does the domain that readers see as the author's answer for the letter (DMARC, RFC 9989)?

What it asks for letters that are not its own is only observed, or obeyed. A forwarder that the settings
trust, and whose seal holds (ARC), may have broken what would have proven it.
"""

from sekisho.checks.ask import Ask, AskedDmarc, BodyFacts
from sekisho.model.verdict import PASS, Act, Verdict, reject


async def check(facts: BodyFacts, ask: Ask) -> Verdict:
    asked = await ask.dmarc() if not facts.client.known else None
    if asked is None:
        return PASS
    found = asked.found
    why = f"{found.result}: {found.domain} p={found.policy or '-'} {found.by} {found.why}".rstrip()
    if found.result not in ("fail", "permerror") or not asked.obeyed:
        return Verdict(Act.PASS, why=why)
    if asked.excused:
        return Verdict(Act.PASS, why=f"{why}; let in by the seal of {asked.excused}")
    return _obeyed(asked, why)


def _obeyed(asked: AskedDmarc, why: str) -> Verdict:
    found = asked.found
    if found.result == "permerror":
        return reject(550, "5.7.1", "From must name one author that everybody reads in the same way", why)
    if found.apply == "reject" or (found.apply == "quarantine" and asked.quarantine == "reject"):
        return reject(550, "5.7.1", f"Not from {found.domain}, as its DMARC policy says", why)
    if found.apply == "quarantine":
        return Verdict(Act.HOLD if asked.quarantine == "hold" else Act.TAG, why=why)
    return Verdict(Act.PASS, why=why)
