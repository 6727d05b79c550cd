"""Visits told as events: the records a mail server would have made of them."""

from typing import Literal

from msgspec.structs import replace

from sekisho.lab.places import Find
from sekisho.lab.visits import Letter, Visit
from sekisho.model.envelope import Network
from sekisho.model.event import RECIPIENTS_KEPT, Accepted, DeliveryTried, LoginTried, RecipientGiven
from sekisho.model.ident import make_id
from sekisho.model.verdict import Reply

TOOK = Reply(250, "2.1.5", "accepted")
LATER = Reply(451, "4.3.0", "try again later")
UNKNOWN = Reply(550, "5.1.1", "no such user")

NETWORKS_KEPT = 100_000


class Telling:
    """Makes events; ids follow one another, so that the same visits give the same events."""

    def __init__(self, find: Find, source: str) -> None:
        self._find = find
        self._source = source
        self._networks: dict[str, Network] = {}
        self._count = 0

    def ident(self, at: int) -> str:
        self._count += 1
        return make_id(at, self._count)

    def login(self, visit: Visit, session: str, at: int) -> LoginTried:
        """The right password; `wrong_login` the wrong one."""
        return LoginTried(
            id=self.ident(at),
            at=at,
            source=self._source,
            session=session,
            account=visit.account,
            address=visit.address,
            network=self.network(visit.address),
            service=visit.service,
            ok=True,
            mechanism="plain",
            fingerprint=visit.fingerprint,
        )

    def wrong_login(self, visit: Visit, session: str, at: int) -> LoginTried:
        right = self.login(visit, session, at)
        return replace(right, ok=False, why="password", digest="01d5")

    def recipient(self, login: LoginTried, sender: str, recipient: str, at: int) -> RecipientGiven:
        return RecipientGiven(
            id=self.ident(at),
            at=at,
            source=self._source,
            session=login.session,
            account=login.account,
            address=login.address,
            network=login.network,
            sender=sender,
            recipient=recipient,
        )

    def accepted(self, login: LoginTried, letter: Letter, at: int) -> Accepted:
        return Accepted(
            id=self.ident(at),
            at=at,
            source=self._source,
            session=login.session,
            account=login.account,
            address=login.address,
            network=login.network,
            message=self.ident(at),
            sender=letter.sender,
            recipients=letter.recipients[:RECIPIENTS_KEPT],
            recipient_count=len(letter.recipients),
            size=letter.size,
            login=login.id,
            subject=letter.subject,
        )

    def tried(self, accepted: Accepted, letter: Letter, number: int, at: int) -> DeliveryTried:
        """The first try for the letter's recipient `number`."""
        recipient = letter.recipients[number]
        if recipient in letter.refused:
            return self._result(accepted, (number, recipient), at, "failed")
        return self._result(
            accepted, (number, recipient), at, "deferred" if recipient in letter.deferred else "delivered"
        )

    def tried_again(self, accepted: Accepted, letter: Letter, number: int, at: int) -> DeliveryTried:
        """The second try, which always succeeds."""
        return self._result(accepted, (number, letter.recipients[number]), at, "delivered")

    def _result(
        self,
        accepted: Accepted,
        to: tuple[int, str],
        at: int,
        result: Literal["delivered", "deferred", "failed"],
    ) -> DeliveryTried:
        number, recipient = to
        reply, cause = {"delivered": (TOOK, ""), "deferred": (LATER, "4yz"), "failed": (UNKNOWN, "5yz")}[
            result
        ]
        return DeliveryTried(
            id=self.ident(at),
            at=at,
            source=self._source,
            account=accepted.account,
            address=accepted.address,
            network=accepted.network,
            message=accepted.message,
            delivery=f"{accepted.message}.{number}",
            recipient=recipient,
            result=result,
            reply=reply,
            cause=cause,
            host=recipient.rpartition("@")[2],
        )

    def network(self, address: str) -> Network:
        if address not in self._networks:
            if len(self._networks) >= NETWORKS_KEPT:
                self._networks.clear()
            self._networks[address] = self._find(address)
        return self._networks[address]
