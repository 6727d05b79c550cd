"""Who has logged in writes under names of their own: a stolen password does not borrow the neighbour's
name.
"""

from sekisho.checks.ask import Ask, MailFacts
from sekisho.model.account import key_of
from sekisho.model.verdict import PASS, Verdict, reject


async def check(facts: MailFacts, ask: Ask) -> Verdict:
    account = facts.client.account
    names = facts.client.names
    if "*" in names or (names and key_of(facts.sender) in names):
        return PASS
    if not account or await ask.may_send_as(account, facts.sender):
        return PASS
    return reject(553, "5.7.1", "Sender address is not one of yours", f"{account} as {facts.sender}")
