"""A client says who it is: its proof goes to the vault, the success to the guard, and only then comes 235.

What a stranger can learn is one bit. An unknown user, a wrong password and a login that is not allowed get
the same reply; that an account is locked is told only to who has its password (`guard.md` says why).
SCRAM takes three steps: a salt for any name, a proof, and 235 when the client has seen ours.
"""

import asyncio
import hashlib
from base64 import b64encode

from msgspec import Struct

from sekisho.model.address import normal
from sekisho.model.event import LoginTried
from sekisho.model.text import printable
from sekisho.model.verdict import Reply
from sekisho.service.channel import Answered, NotDone
from sekisho.service.messages import AskSalt, Request, Salted, Verified, VerifyPassword, VerifyProof
from sekisho.service.session import Known, Session
from sekisho.wire import scram
from sekisho.wire.steps import Login, ScramBegun, ScramDone, ScramProof
from sekisho.world import Unavailable

WELCOME = Reply(235, "2.7.0", "Authentication succeeded")
INVALID = Reply(535, "5.7.8", "Authentication credentials invalid")
LATER = Reply(454, "4.7.0", "Temporary authentication failure, try again later")

NONCE_BYTES = 18
"""Of chance, in our part of SCRAM's nonce."""


class Attempt(Struct, frozen=True):
    """One try, however it is made. `mark` tells two wrong ones apart where the vault cannot."""

    identity: str
    authorization: str
    mechanism: str
    fingerprint: str
    mark: str = ""


async def login(session: Session, step: Login) -> Reply:
    attempt = Attempt(step.identity, step.authorization, step.mechanism, step.fingerprint)
    question = VerifyPassword(step.identity, step.password, session.door.service)
    verified = await judged(session, attempt, question)
    if isinstance(verified, Reply):
        return verified
    session.sign_in()
    return WELCOME


async def begin_scram(session: Session, step: ScramBegun) -> Reply:
    attempt = Attempt(step.identity, step.authorization, scram.NAME, step.fingerprint)
    if is_spent(session, attempt):
        return INVALID
    try:
        salted = await _asked(session, AskSalt(step.identity), Salted)
    except (Unavailable, NotDone):
        return session.refused("login", "vault", LATER)
    own = b64encode(session.front.world.chance.data(NONCE_BYTES)).decode("ascii")
    return Reply(334, "", scram.server_first(step.nonce, own, salted.salt, salted.rounds))


async def prove(session: Session, step: ScramProof) -> Reply:
    """A wrong password looks different every time, so each proof counts as another one."""
    mark = hashlib.blake2b(step.proof.encode(), digest_size=8).hexdigest()
    attempt = Attempt(step.identity, step.authorization, scram.NAME, step.fingerprint, mark)
    question = VerifyProof(step.identity, step.message, step.proof, session.door.service)
    verified = await judged(session, attempt, question)
    if isinstance(verified, Reply):
        return verified
    return Reply(334, "", scram.server_final(verified.signature))


def welcome(session: Session, step: ScramDone) -> Reply:
    session.sign_in()
    return WELCOME


async def judged(session: Session, attempt: Attempt, question: Request) -> Verified | Reply:
    """What the vault and the guard say. `session.proven` waits for the 235."""
    doorstep, now = session.front.doorstep, session.front.now()
    address, name = session.peer.address, normal(attempt.identity)
    if is_spent(session, attempt):
        return INVALID
    verified = await _verified(session, attempt, question)
    if verified is None or verified.why == "busy":
        return session.refused("login", "vault", LATER)
    if not verified.account:
        refused = wrong(session, attempt, verified)
        return _revoked(session) if verified.why == "revoked" else refused
    doorstep.was_right(address, name, now)
    return await _received(session, attempt, verified)


def wrong(session: Session, attempt: Attempt, verified: Verified) -> Reply:
    """Counts it and tells of it."""
    name, now = normal(attempt.identity), session.front.now()
    mark = verified.digest or attempt.mark
    session.front.doorstep.was_wrong(session.peer.address, name, mark, now)
    _tell_failure(session, attempt, verified)
    return INVALID


def _revoked(session: Session) -> Reply:
    """Told to who has the whole of it, so that an owner knows what to do."""
    text = f"This app password was revoked {session.front.config.guard.help_url}".rstrip()
    return Reply(535, "5.7.8", text)


def is_spent(session: Session, attempt: Attempt) -> bool:
    spent = session.front.doorstep.is_spent(
        session.peer.address, normal(attempt.identity), session.front.now()
    )
    if spent:
        _tell_failure(session, attempt, Verified("", "budget"))
    return spent


async def _verified(session: Session, attempt: Attempt, question: Request) -> Verified | None:
    """None when the vault does not answer. To act as somebody else is nobody's right (RFC 4616 2)."""
    if attempt.authorization and normal(attempt.authorization) != normal(attempt.identity):
        return Verified("", "denied")
    try:
        return await _asked(session, question, Verified)
    except (Unavailable, NotDone):
        return None


async def _asked(session: Session, question: Request, answer: type[Answered]) -> Answered:
    try:
        return await asyncio.ensure_future(session.front.roles.vault.ask(question, answer))
    except (Unavailable, NotDone) as trouble:
        session.front.trouble("login", session.ident, str(trouble))
        raise


def _tell_failure(session: Session, attempt: Attempt, verified: Verified) -> None:
    """What was given as a name is told only if it looks like one: people type passwords into the wrong
    field.
    """
    name = printable(normal(attempt.identity), 320) if "@" in attempt.identity else ""
    at = session.front.now()
    session.front.record(
        LoginTried(
            **{**session.traits(at), "account": name},
            service=session.door.service,
            ok=False,
            mechanism=attempt.mechanism,
            why=verified.why,
            digest=verified.digest,
            fingerprint=attempt.fingerprint,
            credential=verified.credential,
        )
    )


async def _received(session: Session, attempt: Attempt, verified: Verified) -> Verified | Reply:
    front = session.front
    event = LoginTried(
        **{**session.traits(front.now()), "account": verified.account},
        service=session.door.service,
        ok=True,
        mechanism=attempt.mechanism,
        digest=verified.digest,
        fingerprint=attempt.fingerprint,
        credential=verified.credential,
    )
    judgement = await front.judging.judge(event)
    front.record(event)
    standing = judgement.standing
    if standing.treatment == "refuse":
        return session.refused("login", "takeover", Reply(535, "5.7.8", judgement.refusal))
    session.proven = Known(verified.account, event.id, standing.network)
    return verified
