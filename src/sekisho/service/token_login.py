"""A client shows a token: its worth is asked of the provider, whether its owner may log in of the vault, and
the guard is asked as always.

A token that is worth nothing, of another owner or of nobody here is refused with one reason (RFC 7628 3.2.2).
"""

import asyncio
import hashlib

import msgspec

from sekisho.model.address import normal
from sekisho.model.verdict import Reply
from sekisho.service.login import INVALID, LATER, WELCOME, Attempt, is_spent, judged, wrong
from sekisho.service.messages import AskAccount, Verified
from sekisho.service.session import Session
from sekisho.wire import bearer
from sekisho.wire.steps import Token
from sekisho.world import Unavailable


async def bear(session: Session, step: Token) -> Reply:
    mark = hashlib.blake2b(step.token.reveal(), digest_size=8).hexdigest()
    attempt = Attempt(step.identity, "", step.mechanism, step.fingerprint, mark)
    if is_spent(session, attempt):
        return _reason(session, step)
    try:
        owner = await asyncio.ensure_future(session.front.bearers.owner(step.token))
    except Unavailable:
        return session.refused("login", "oauth", LATER)
    if not owner or (step.identity and normal(step.identity) != normal(owner)):
        wrong(session, attempt, Verified("", "password"))
        return _reason(session, step)
    attempt = Attempt(owner, "", step.mechanism, step.fingerprint, mark)
    verified = await judged(session, attempt, AskAccount(owner, session.door.service))
    if isinstance(verified, Verified):
        session.sign_in()
        return WELCOME
    return _reason(session, step) if verified is INVALID else verified


def _reason(session: Session, step: Token) -> Reply:
    settings = session.front.config.oauth
    told = {"status": "invalid_token"}
    if step.mechanism == bearer.XOAUTH2:
        told = {"status": "401", "schemes": "bearer"}
    if settings.scope:
        told["scope"] = settings.scope
    if settings.discovery and step.mechanism == bearer.OAUTHBEARER:
        told["openid-configuration"] = settings.discovery
    return Reply(334, "", msgspec.json.encode(told).decode("ascii", "replace"))
