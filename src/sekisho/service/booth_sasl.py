"""The clerk for Dovecot's SASL protocol: Postfix and Exim let us judge passwords, and whoever brings them.

The rules are those of our own AUTH (`login.py`): a spent address is refused before its password is looked
at, all that is wrong sounds the same, and that an account is locked is told only to who has its password.
"""

import asyncio
import hashlib
import os
from typing import Any

from sekisho.model.address import normal
from sekisho.model.config import Config
from sekisho.model.event import LoginTried
from sekisho.model.text import printable
from sekisho.service.booth_policy import address_of
from sekisho.service.channel import NotDone
from sekisho.service.front import Front
from sekisho.service.messages import Verified, VerifyPassword
from sekisho.wire.dovecot_auth import AuthServer, Tried
from sekisho.world import Unavailable

ANSWER_S = 8.0
"""Longest wait for the vault: Postfix has gone after 10 s."""


KNOWN = frozenset(("password", "revoked"))
"""Why the vault refuses an account that there is."""


class SaslClerk:
    def __init__(self, name: str, front: Front) -> None:
        self._name = name
        self._front = front
        self._connections = 0

    def configure(self, config: Config) -> None:
        self._settings = config.listen[self._name]
        self._domain = self._settings.domain

    def machine(self) -> AuthServer:
        self._connections += 1
        return AuthServer(os.getpid(), self._connections, self._front.world.chance.data(16).hex())

    async def answer(self, machine: AuthServer, question: Tried) -> None:
        """A vault that does not answer is Unavailable: we hang up, which Postfix and Exim take for a failure
        of the moment (454 or 435).
        """
        account, reason = await self._judged(question)
        if account:
            machine.accept(question, account)
            return
        if self._settings.tarpit_s:
            await self._front.world.clock.sleep(self._settings.tarpit_s)
        machine.fail(question.number, reason)

    async def _judged(self, tried: Tried) -> tuple[str, str]:
        """The account, or "" and what the client may be told."""
        front, login = self._front, self._login(tried.identity)
        address = address_of(tried.parameters.get("rip", ""))
        if front.doorstep.is_spent(address, login, front.now()):
            self._tell_failure(tried, address, Verified("", "budget"))
            return "", ""
        verified = await self._verified(tried, login)
        if not verified.account:
            mark = verified.digest or hashlib.blake2b(login.encode(), digest_size=8).hexdigest()
            front.doorstep.was_wrong(address, login, mark, front.now())
            self._tell_failure(tried, address, verified)
            return "", ""
        front.doorstep.was_right(address, login, front.now())
        event = self._event(tried, address, account=verified.account, ok=True, digest=verified.digest)
        judgement = await front.judging.judge(event)
        front.record(event)
        if judgement.standing.treatment == "refuse":
            return "", judgement.refusal
        return verified.account, ""

    async def _verified(self, tried: Tried, login: str) -> Verified:
        if tried.authorization and normal(tried.authorization) != normal(tried.identity):
            return Verified("", "denied")  # RFC 4616 2: to act as somebody else is nobody's right
        question = VerifyPassword(login, tried.password, "sasl")
        try:
            async with asyncio.timeout(ANSWER_S):
                verified = await self._front.roles.vault.ask(question, Verified)
        except (NotDone, TimeoutError) as trouble:
            raise Unavailable("the vault", str(trouble)) from trouble
        if verified.why == "busy":
            raise Unavailable("the vault", verified.why)
        return verified

    def _login(self, given: str) -> str:
        name = normal(given)
        return name if "@" in name or not self._domain else f"{name}@{self._domain}"

    def _tell_failure(self, tried: Tried, address: str, verified: Verified) -> None:
        """As in `login.py`: a name only if it looks like one, or is one: people type passwords there."""
        why, digest = verified.why, verified.digest
        is_name = "@" in tried.identity or why in KNOWN
        account = printable(self._login(tried.identity), 320) if is_name else ""
        self._front.record(self._event(tried, address, account=account, ok=False, why=why, digest=digest))

    def _event(self, tried: Tried, address: str, **more: Any) -> LoginTried:
        at = self._front.now()
        ident = self._front.ident(at)
        return LoginTried(
            id=ident,
            at=at,
            source=f"booth:{self._name}",
            session=ident,
            address=address,
            service=printable(tried.parameters.get("service", "") or "smtp", 40),
            mechanism=tried.mechanism,
            **more,
        )
