"""A client says who it is: the password goes to the vault, the success to the guard, and only then comes 235.

What a stranger can learn is one bit. An unknown user, a wrong password and a login that is not allowed get
the same reply; that an account is locked is told only to who has its password (`guard.md` says why).
"""

import asyncio

from sekisho.model.address import normal
from sekisho.model.event import LoginTried
from sekisho.model.text import printable
from sekisho.model.verdict import Reply
from sekisho.service.channel import NotDone
from sekisho.service.messages import Verified, VerifyPassword
from sekisho.service.session import Session
from sekisho.wire.steps import Login
from sekisho.world import Unavailable

WELCOME = Reply(235, "2.7.0", "Authentication succeeded")
INVALID = Reply(535, "5.7.8", "Authentication credentials invalid")
LATER = Reply(454, "4.7.0", "Temporary authentication failure, try again later")


async def login(session: Session, step: Login) -> Reply:
    doorstep, now = session.front.doorstep, session.front.now()
    address, name = session.peer.address, normal(step.identity)
    if doorstep.is_spent(address, name, now):
        _tell_failure(session, step, Verified("", "budget"))
        return INVALID
    verified = await _verified(session, step)
    if verified is None or verified.why == "busy":
        return session.refused("login", "vault", LATER)
    if not verified.account:
        doorstep.was_wrong(address, name, verified.digest, now)
        _tell_failure(session, step, verified)
        return INVALID
    doorstep.was_right(address, name, now)
    return await _welcome(session, step, verified)


async def _verified(session: Session, step: Login) -> Verified | None:
    """None when the vault does not answer. To act as somebody else is nobody's right (RFC 4616 2)."""
    if step.authorization and normal(step.authorization) != normal(step.identity):
        return Verified("", "denied")
    question = VerifyPassword(step.identity, step.password, session.door.service)
    try:
        return await asyncio.ensure_future(session.front.roles.vault.ask(question, Verified))
    except (Unavailable, NotDone):
        return None


def _tell_failure(session: Session, step: Login, verified: Verified) -> None:
    """What was given as a name is told only if it looks like one: people type passwords into the wrong
    field.
    """
    name = printable(normal(step.identity), 320) if "@" in step.identity else ""
    at = session.front.now()
    session.front.record(
        LoginTried(
            **{**session.traits(at), "account": name},
            service=session.door.service,
            ok=False,
            mechanism=step.mechanism,
            why=verified.why,
            digest=verified.digest,
            fingerprint=step.fingerprint,
        )
    )


async def _welcome(session: Session, step: Login, verified: Verified) -> Reply:
    front = session.front
    event = LoginTried(
        **{**session.traits(front.now()), "account": verified.account},
        service=session.door.service,
        ok=True,
        mechanism=step.mechanism,
        digest=verified.digest,
        fingerprint=step.fingerprint,
    )
    judgement = await front.judging.judge(event)
    front.record(event)
    standing = judgement.standing
    if standing.treatment == "refuse":
        return session.refused("login", "takeover", Reply(535, "5.7.8", judgement.refusal))
    session.account, session.login, session.network = verified.account, event.id, standing.network
    return WELCOME
