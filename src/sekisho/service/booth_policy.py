"""The clerk for Postfix's policy delegation, and for Exim's `${readsocket`: RCPT and END-OF-MESSAGE.

Whoever comes with a `sasl_username` has logged in (guard.md, rule 13): that is an event, once for each
connection. Each recipient and the letter as a whole are judged as our own submission's are, and what the
guard says becomes an action. `instance` joins what was asked about one letter.
"""

import ipaddress
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from sekisho.checks.ask import Judgement
from sekisho.checks.takeover import held_under
from sekisho.model.address import normal
from sekisho.model.config import Config
from sekisho.model.event import RECIPIENTS_KEPT, Accepted, LoginTried, RecipientGiven
from sekisho.service.front import Front
from sekisho.service.holdings import Holdings
from sekisho.store.bounded import Bounded
from sekisho.wire.policy import PolicyServer, Request

NOTHING = "DUNNO"
"""Goes on with the other rules. OK would skip them."""

UNSURE = "450 4.3.0 The standing of this account is not known at the moment, try again later"
LATER = "450 4.7.1"
NEVER = "550 5.7.1"

FULL = "452 4.7.0 Too much mail of this account is waiting for review, try again later"

LETTERS = 10_000
"""Most letters of which recipients are remembered until their end is asked about."""

LOGINS = 20_000
"""Most connections of which is remembered that their login has been told."""

SAME_US = 600 * 1_000_000
"""So long, in microseconds, the same port of a client is the same connection."""

SERVICES = {"465": "submissions", "587": "submission", "25": "smtp"}
"""By the port that the client has come to (Postfix 3.2); else it is a submission."""


class Letter(Struct):
    """What was asked about one letter so far."""

    recipients: list[str]
    count: int = 0


class Asked(Struct, frozen=True):
    """One request, as far as the guard is concerned."""

    account: str
    address: str
    instance: str
    sender: str
    request: Request


class PolicyClerk:
    def __init__(self, name: str, front: Front) -> None:
        self._name = name
        self._front = front
        self._letters: Bounded[str, Letter] = Bounded(LETTERS)
        self._logins: Bounded[tuple[str, str, str], LoginTried] = Bounded(LOGINS)
        self._holdings = Holdings()

    def configure(self, config: Config) -> None:
        self._guard = config.guard
        self._settings = config.listen[self._name]
        self._domain = self._settings.domain or config.hostname

    def machine(self) -> PolicyServer:
        return PolicyServer()

    async def answer(self, machine: PolicyServer, question: Request) -> None:
        machine.reply(await self._action(question))

    async def _action(self, request: Request) -> str:
        login = normal(request.get("sasl_username", ""))
        address = address_of(request.get("client_address", ""))
        if not login or not address:
            return NOTHING  # mail from strangers is none of the guard's business
        account = login if "@" in login else f"{login}@{self._domain}"
        asked = Asked(account, address, request.get("instance", ""), request.get("sender", ""), request)
        login_id = await self._signed_in(asked)
        match request.get("protocol_state"):
            case "RCPT":
                return await self._recipient(asked)
            case "END-OF-MESSAGE":
                return await self._letter(asked, login_id)
        return NOTHING

    async def _signed_in(self, asked: Asked) -> str:
        """The id of the login, told to the guard when it is asked about for the first time."""
        port = asked.request.get("client_port", "")
        key = (asked.account, asked.address, port if port not in ("", "0") else asked.instance)
        known = self._logins.get(key)
        if known is not None and self._front.now() - known.at < SAME_US:
            return known.id
        event = LoginTried(
            **self._traits(asked),
            service=SERVICES.get(asked.request.get("server_port", ""), "submission"),
            ok=True,
            mechanism=asked.request.get("sasl_method", ""),
        )
        self._logins.put(key, event)
        await self._front.judging.judge(event)
        self._front.record(event)
        return event.id

    async def _recipient(self, asked: Asked) -> str:
        recipient = asked.request.get("recipient", "")
        letter = self._letters.get(asked.instance) or Letter([])
        self._letters.put(asked.instance, letter)
        letter.count += 1
        if len(letter.recipients) < RECIPIENTS_KEPT:
            letter.recipients.append(recipient)
        event = RecipientGiven(**self._traits(asked), sender=asked.sender, recipient=recipient)
        judgement = await self._front.judging.judge(event)
        self._front.record(event)
        return self._told(judgement, 0)

    async def _letter(self, asked: Asked, login: str) -> str:
        request = asked.request
        letter = self._letters.get(asked.instance) or Letter([])
        if not letter.recipients and request.get("recipient"):
            letter.recipients.append(request["recipient"])
        tls = f"{request.get('encryption_protocol', '')} {request.get('encryption_cipher', '')}".strip()
        event = Accepted(
            **self._traits(asked),
            message=request.get("queue_id", "") or asked.instance,
            sender=asked.sender,
            recipients=tuple(letter.recipients),
            recipient_count=max(_number(request.get("recipient_count", "")), letter.count),
            size=_number(request.get("size", "")),
            login=login,
            tls=tls,
        )
        judgement = await self._front.judging.judge(event)
        action = self._told(judgement, event.size)
        if action.startswith("HOLD"):
            self._holdings.add(judgement.standing, event.size)
            event = replace(event, held_by=held_under(judgement.standing))
        self._front.record(event)
        return action

    def _told(self, judgement: Judgement, size: int) -> str:
        standing = judgement.standing
        if standing.treatment == "refuse":
            return f"{NEVER} {judgement.refusal}"
        if standing.treatment == "hold":
            match self._settings.contained:
                case "hold" if not self._holdings.has_room(standing, size, self._guard):
                    return FULL
                case "hold":
                    return f"HOLD sekisho: {held_under(standing)}"
                case "defer":
                    return f"{LATER} {judgement.refusal}"
            return f"{NEVER} {judgement.refusal}"
        if not judgement.fresh and self._settings.silent == "closed":
            return UNSURE
        return NOTHING

    def _traits(self, asked: Asked) -> dict[str, Any]:
        at = self._front.now()
        return {
            "id": self._front.ident(at),
            "at": at,
            "source": f"booth:{self._name}",
            "session": asked.instance,
            "account": asked.account[:320],
            "address": asked.address,
        }


def address_of(text: str) -> str:
    """An IP address as everywhere in the house, IPv4 in its own form; "" for what is none."""
    try:
        address = ipaddress.ip_address(text.removeprefix("IPv6:").partition("%")[0])
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _number(text: str) -> int:
    return int(text) if len(text) <= 15 and text.isascii() and text.isdigit() else 0
