"""Mail of an account that somebody else may be using waits, is held, or is refused, as the guard says.

To hold is to answer 250 and deliver nothing: a false alarm loses nothing, a true one sends nothing. It is
asked at every recipient and once more before the letter is taken, each time with what is just happening
counted in.
"""

from sekisho.checks.ask import Ask, MailFacts
from sekisho.model.incident import Standing
from sekisho.model.verdict import PASS, Act, Verdict, defer, reject


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
            return Verdict(Act.HOLD, why=_why(standing), held_by=standing.incident)
        case "delay":
            return Verdict(Act.DELAY, why=_why(standing), delay_s=standing.delay_s)
    return PASS


def _why(standing: Standing) -> str:
    return (
        f"evidence {standing.score:.1f}: {standing.reason}"
        if standing.reason
        else f"evidence {standing.score:.1f}"
    )
