"""No message is begun that the spool's disk has no room for: deleting needs room too."""

from sekisho.checks.ask import Ask, MailFacts
from sekisho.model.verdict import PASS, Verdict, defer


async def check(facts: MailFacts, ask: Ask) -> Verdict:
    room = await ask.free_bytes()
    if room < facts.size or room <= 0:
        return defer(452, "4.3.1", "Insufficient system storage, try again later", f"{room} bytes free")
    return PASS
