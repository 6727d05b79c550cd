"""The clerk for weakforced's API: Dovecot's auth-policy client and everybody who knew weakforced ask here.

*Report* is an event, *allow* is a question: it never changes what the guard knows, because nothing in it says
whether the password was right. Lists of addresses and logins are kept until the process ends.
"""

import hmac
import os
from collections import Counter
from typing import Any

from msgspec import Struct

from sekisho.model.address import normal
from sekisho.model.config import Config
from sekisho.model.event import LoginTried
from sekisho.model.text import printable
from sekisho.service.booth_policy import address_of
from sekisho.service.front import Front
from sekisho.service.sieving import Sieve
from sekisho.store.bounded import Bounded
from sekisho.wire.wforce import Command, Said, WforceServer
from sekisho.world import Unavailable

OK = {"status": "ok"}
ASKED = ("allow", "report")
OPEN_TO_ALL = ("readyz", "livez")
CAUSES = {"account": "unknown_user", "expired": "denied", "disabled": "denied", "policy": "guard"}
"""weakforced's fail_type -> our reason; every other is a wrong password."""

PAIRED_US = 30_000_000
"""Two questions about one login are this close, in microseconds."""

PAIRS = 20_000
"""Most first questions that are remembered."""

PASSWORD_OCTETS = 1024
LOGIN_CHARS = 320
"""Longest name that is looked up: that of the longest address."""

Answer = tuple[int, Any]


class Allowed(Struct, frozen=True):
    """weakforced's verdict: below 0 refused, 0 allowed, above it so many seconds to wait."""

    status: int
    msg: str = ""
    r_attrs: dict[str, str] = {}


class WforceClerk:
    def __init__(self, name: str, front: Front) -> None:
        self._name = name
        self._front = front
        self._sieve = Sieve(front.now)
        self._pairs: Bounded[tuple[str, ...], int] = Bounded(PAIRS)
        self._asked: Counter[str] = Counter()

    def configure(self, config: Config) -> None:
        self._settings = config.listen[self._name]
        self._domain = self._settings.domain or config.hostname
        self._password = self._read(os.path.join(config.state, self._settings.password_file))

    def machine(self) -> WforceServer:
        return WforceServer()

    async def answer(self, machine: WforceServer, question: Command) -> None:
        if question.name in OPEN_TO_ALL:
            machine.reply(200, OK)
        elif question.password is None or not self._is_right(question.password):
            machine.reply(401, _failure("Unauthorized"))
        elif question.said is None:
            machine.reply(400, _failure("the body is no JSON object with fields of the right type"))
        else:
            machine.reply(*await self._done(question.name, question.said))

    async def _done(self, name: str, said: Said) -> Answer:
        match name:
            case "allow" | "report":
                address = address_of(said.remote)
                if said.remote and not address:
                    return 500, _failure("remote is no IP address")
                self._asked[name] += 1
                return await (self._allow if name == "allow" else self._report)(said, address)
            case "ping":
                return 200, OK
            case "metrics":
                return 200, self._metrics()
            case "reset":
                return self._reset(said)
            case "getDBStats":
                return 200, self._sieve.shown(_key(said)) | {"stats": {}}
        return self._sieve.command(name, _key(said), said.reason, said.expire_secs)

    async def _allow(self, said: Said, address: str) -> Answer:
        """White list, black list, then the guard. The first question of two is answered yes: the password has
        not been looked at, and whether an account is locked is nobody's business before that.
        """
        login = normal(said.login[:LOGIN_CHARS])
        listed = self._sieve.verdict(address, login)
        if listed is not None:
            return 200, Allowed(*listed)
        if not login or not address or (self._settings.asked_twice and self._is_first(said, address)):
            return 200, Allowed(0)
        if self._front.doorstep.is_spent(address, login, self._front.now()):
            return 200, Allowed(-1)
        judgement = await self._front.judging.consult(self._account(login), address)
        if judgement.standing.treatment == "refuse":
            return 200, Allowed(-1, judgement.refusal)
        if not judgement.fresh and self._settings.silent == "closed":
            return 500, _failure("the guard does not answer")
        return 200, Allowed(self._settings.tarpit_s if judgement.standing.treatment == "delay" else 0)

    def _is_first(self, said: Said, address: str) -> bool:
        key = ("session", said.session_id) if said.session_id else (said.login, address, said.pwhash)
        now = self._front.now()
        first = now - (self._pairs.get(key) or 0) > PAIRED_US
        self._pairs.put(key, now if first else 0)
        return first

    async def _report(self, said: Said, address: str) -> Answer:
        front, at = self._front, self._front.now()
        login = normal(said.login[:LOGIN_CHARS])
        named = login if said.success or "@" in login else ""  # people type passwords into the wrong field
        event = LoginTried(
            id=front.ident(at),
            at=at,
            source=f"booth:{self._name}",
            session=printable(said.session_id, 100),
            account=printable(self._account(named), 320) if named else "",
            address=address,
            service=printable(said.protocol or "smtp", 40),
            ok=said.success,
            why="" if said.success else _cause(said),
            digest=printable(said.pwhash, 40),
            fingerprint=printable(said.device_id, 200),
        )
        if said.success:
            front.doorstep.was_right(address, login, at)
            await front.judging.judge(event)
        elif event.why == "password" and address and said.fail_type != "internal":
            front.doorstep.was_wrong(address, login, event.digest, at)
        front.record(event)
        return 200, OK

    def _reset(self, said: Said) -> Answer:
        """Takes it off the black list. What the guard holds, an operator releases."""
        if not (said.ip or said.login or said.ja3):
            return 400, _failure("No ip, login or ja3 field supplied")
        self._sieve.forget(_key(said))
        return 200, OK

    def _metrics(self) -> str:
        lines = ["# TYPE sekisho_wforce_commands_total counter"]
        lines += [f'sekisho_wforce_commands_total{{cmd="{name}"}} {self._asked[name]}' for name in ASKED]
        return "\n".join([*lines, ""])

    def _account(self, login: str) -> str:
        return login if "@" in login else f"{login}@{self._domain}"

    def _is_right(self, password: bytes) -> bool:
        return bool(self._password) and hmac.compare_digest(password, self._password)

    def _read(self, path: str) -> bytes:
        """b"" is nobody's password: without a file everybody is refused."""
        try:
            return self._front.world.disk.read_part(path, 0, PASSWORD_OCTETS).strip()
        except (Unavailable, OSError):
            return b""


def _cause(said: Said) -> str:
    return "guard" if said.policy_reject else CAUSES.get(said.fail_type, "password")


def _key(said: Said) -> tuple[str, str]:
    """Address or network, and login; either may be empty."""
    return said.ip or said.netmask, normal(said.login)


def _failure(reason: str) -> dict[str, str]:
    return {"status": "failure", "reason": reason}
