"""Mail of an account that somebody else may be using waits, is held, or is refused, as the guard says.

To hold is to answer 250 and deliver nothing: a false alarm loses nothing, a true one sends nothing. It is
asked at every recipient and once more before the letter is taken, each time with what is just happening
counted in.
"""

from sekisho.checks.ask import Ask, MailFacts
from sekisho.model.incident import Standing
from sekisho.model.verdict import PASS, Act, Verdict, defer, reject

UNNAMED = "check-takeover"
"""A hold for which the guard has opened no case: `sekisho queue release` knows it by this name."""


async def check(facts: MailFacts, ask: Ask) -> Verdict:
    if not facts.client.account:
        return PASS
    judgement = await ask.standing()
    standing = judgement.standing
    match standing.treatment:
        case "refuse":
            return reject(550, "5.7.1", judgement.refusal, _why(standing))
        case "hold" if not await ask.may_hold(facts.size):
            text = "Too much mail of this account is waiting for review, try again later"
            return defer(452, "4.7.0", text, _why(standing))
        case "hold":
            return Verdict(Act.HOLD, why=_why(standing), held_by=held_under(standing))
        case "delay":
            return Verdict(Act.DELAY, why=_why(standing), delay_s=standing.delay_s)
    return PASS


def held_under(standing: Standing) -> str:
    """The name that stands in `Delivery.held_by`, by which the guard releases it later."""
    return standing.action or standing.incident or UNNAMED


def _why(standing: Standing) -> str:
    evidence = f"evidence {standing.score:.1f}"
    return f"{evidence}: {standing.reason}" if standing.reason else evidence
