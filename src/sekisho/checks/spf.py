"""Does the domain of the sender let this host send its mail (SPF, RFC 7208)?

How much of a no is believed is the level of the settings, 0 to 6 as in qmail's `spfbehavior`.
"""

from collections.abc import Mapping

from sekisho.checks.ask import Ask, MailFacts
from sekisho.model.verdict import PASS, Act, Verdict, defer, reject

TEMPORARY_FROM = 2
"""The level from which a letter is put off while the DNS does not answer."""

REFUSED_FROM: Mapping[str, int] = {"fail": 3, "softfail": 4, "neutral": 5, "none": 6, "permerror": 6}


async def check(facts: MailFacts, ask: Ask) -> Verdict:
    asked = await ask.spf() if not facts.client.known else None
    if asked is None:
        return PASS
    level, spf = asked.level, asked.spf
    why = f"{spf.result}: {spf.domain} {spf.mechanism} {spf.why}".rstrip()
    if spf.result == "temperror":
        if level >= TEMPORARY_FROM:
            return defer(451, "4.3.0", "SPF lookup failure, try again later", why)
    elif level >= REFUSED_FROM.get(spf.result, level + 1):
        return reject(550, "5.7.1", _told(spf.result, spf.domain, facts, asked.explanation), why)
    return Verdict(Act.PASS, why=why)


def _told(result: str, domain: str, facts: MailFacts, explanation: str) -> str:
    """RFC 7208 8.4. The domain is what the client itself has named."""
    said = {
        "fail": f"{domain} does not let {facts.client.address} send its mail (SPF fail)",
        "softfail": f"{domain} thinks that {facts.client.address} should not send its mail (SPF softfail)",
        "neutral": f"{domain} does not say whether {facts.client.address} may send its mail (SPF neutral)",
        "permerror": f"the SPF record of {domain} cannot be read",
        "none": f"{domain} has no SPF record",
    }
    return f"{said[result]}. {explanation}".rstrip(". ")
