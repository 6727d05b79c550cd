"""A recipient whose mail is sent on exists there: its host has been asked (call-forward).

What is taken for an unknown user would come back as a bounce to a sender who is often forged. A host that
does not answer says nothing: the client is to come again.
"""

from sekisho.checks.ask import Ask, RcptFacts
from sekisho.model.verdict import PASS, Verdict, defer, reject


async def check(facts: RcptFacts, ask: Ask) -> Verdict:
    match await ask.verified(facts.recipient):
        case "unknown":
            return reject(550, "5.1.1", "No such mailbox at its host", facts.recipient)
        case "silent":
            return defer(451, "4.4.1", "The host of this mailbox does not answer, try again later")
    return PASS
