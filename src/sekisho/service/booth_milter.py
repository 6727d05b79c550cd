"""The clerk for milters: sendmail and Postfix ask about each recipient and about the letter as a whole.

Who has {auth_authen} has logged in (guard.md, rule 13): that is an event, once for each connection. A letter
that the guard stops goes into their quarantine: the client hears 250.
"""

from typing import Any

from msgspec.structs import replace

from sekisho.checks.ask import Judgement
from sekisho.checks.takeover import held_under
from sekisho.model.address import normal
from sekisho.model.config import Config
from sekisho.model.event import Accepted, LoginTried, RecipientGiven
from sekisho.model.text import printable
from sekisho.service.booth_policy import LOGINS, SAME_US, address_of
from sekisho.service.front import Front
from sekisho.service.holdings import Holdings
from sekisho.store.bounded import Bounded
from sekisho.wire.milter import EndAsked, MilterServer, Peer, Question, RecipientAsked

UNSURE = "The standing of this account is not known at the moment, try again later"
FULL = "Too much mail of this account is waiting for review, try again later"
HELD = "X-Sekisho-Held"
"""Names the action, in letters that are held; a release does not take it out again."""


class MilterClerk:
    def __init__(self, name: str, front: Front) -> None:
        self._name = name
        self._front = front
        self._logins: Bounded[tuple[str, str, str], LoginTried] = Bounded(LOGINS)
        self._holdings = Holdings()

    def configure(self, config: Config) -> None:
        self._guard = config.guard
        self._settings = config.listen[self._name]
        self._domain = self._settings.domain or config.hostname

    def machine(self) -> MilterServer:
        return MilterServer()

    async def answer(self, machine: MilterServer, question: Question) -> None:
        login, address = normal(question.mail.account), address_of(question.peer.address)
        if not login or not address:
            machine.go_on()  # mail from strangers is none of the guard's business
            return
        account = login if "@" in login else f"{login}@{self._domain}"
        traits = {"account": printable(account, 320), "address": address}
        proven = await self._signed_in(traits, question)
        if isinstance(question, RecipientAsked):
            self._tell(machine, await self._recipient(traits, question), at_end=False)
            return
        judgement = await self._letter(traits, question, proven)
        wanted = judgement.standing.treatment == "hold" and self._settings.contained == "hold"
        if wanted and machine.can_hold and not self._is_held(judgement, question.mail.size):
            machine.refuse(452, "4.7.0", FULL)
            return
        if wanted:
            self._holdings.add(judgement.standing, question.mail.size)
        self._tell(machine, judgement, at_end=True)

    def _is_held(self, judgement: Judgement, size: int) -> bool:
        standing = judgement.standing
        if standing.treatment != "hold" or self._settings.contained != "hold":
            return False
        return self._holdings.has_room(standing, size, self._guard)

    async def _signed_in(self, traits: dict[str, str], question: Question) -> str:
        """The id of the login, told to the guard when it is asked about for the first time."""
        port = str(question.peer.port or question.mail.queue_id)
        key = (traits["account"], traits["address"], port)
        known = self._logins.get(key)
        if known is not None and self._front.now() - known.at < SAME_US:
            return known.id
        event = LoginTried(
            **self._traits(traits, question.peer),
            service="submission",
            ok=True,
            mechanism=question.mail.mechanism,
        )
        self._logins.put(key, event)
        await self._front.judging.judge(event)
        self._front.record(event)
        return event.id

    async def _recipient(self, traits: dict[str, str], asked: RecipientAsked) -> Judgement:
        event = RecipientGiven(
            **self._traits(traits, asked.peer), sender=asked.mail.sender, recipient=asked.recipient
        )
        judgement = await self._front.judging.judge(event)
        self._front.record(event)
        return judgement

    async def _letter(self, traits: dict[str, str], asked: EndAsked, login: str) -> Judgement:
        mail, headers = asked.mail, {name.lower(): value for name, value in reversed(asked.mail.headers)}
        event = Accepted(
            **self._traits(traits, asked.peer),
            message=mail.queue_id or login,
            sender=mail.sender,
            recipients=tuple(mail.named),
            recipient_count=mail.recipients,
            size=mail.size,
            login=login,
            subject=headers.get("subject", ""),
            message_id=headers.get("message-id", ""),
            tls=asked.peer.tls,
        )
        judgement = await self._front.judging.judge(event)
        if self._is_held(judgement, mail.size):
            event = replace(event, held_by=held_under(judgement.standing))
        self._front.record(event)
        return judgement

    def _tell(self, machine: MilterServer, judgement: Judgement, *, at_end: bool) -> None:
        standing, contained = judgement.standing, self._settings.contained
        if standing.treatment == "hold" and contained == "hold" and not machine.can_hold:
            contained = "defer"  # an MTA without a quarantine
        match standing.treatment, contained:
            case "refuse", _:
                machine.refuse(550, "5.7.1", judgement.refusal)
            case "hold", "hold" if at_end:
                machine.add_header(HELD, held_under(standing))
                machine.hold(f"sekisho: {held_under(standing)}")
            case "hold", "defer":
                machine.refuse(450, "4.7.1", judgement.refusal)
            case "hold", "refuse":
                machine.refuse(550, "5.7.1", judgement.refusal)
            case _ if not judgement.fresh and self._settings.silent == "closed":
                machine.refuse(450, "4.3.0", UNSURE)
            case _:
                machine.go_on()

    def _traits(self, traits: dict[str, str], peer: Peer) -> dict[str, Any]:
        at = self._front.now()
        return {
            "id": self._front.ident(at), "at": at, "source": f"booth:{self._name}",
            "session": f"{peer.address}:{peer.port}", **traits,
        }  # fmt: skip
