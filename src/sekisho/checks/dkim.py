"""Is the letter signed by a domain, and does the signature hold (DKIM, RFC 6376)?

A letter without a signature that holds is like one without any (RFC 6376 6.3), so each result passes unless
the settings say otherwise. One signature that holds is enough.
"""

from sekisho.checks.ask import Ask, BodyFacts
from sekisho.model.verdict import PASS, Act, Verdict, defer, reject


async def check(facts: BodyFacts, ask: Ask) -> Verdict:
    asked = await ask.dkim() if not facts.client.known else None
    if asked is None:
        return PASS
    best = asked.best
    why = f"{best.result}: {best.domain} {best.selector} {best.why}".rstrip(": ")
    match asked.acts.get(best.result):
        case "reject":
            return reject(550, "5.7.20", f"DKIM signature: {best.result}", why)  # RFC 7372 3.1
        case "defer":
            return defer(451, "4.7.20", f"DKIM signature: {best.result}", why)
        case "hold":
            return Verdict(Act.HOLD, why=why)
        case "tag":
            return Verdict(Act.TAG, why=why)
    return Verdict(Act.PASS, why=why)
