"""Letters for tests of the spool and the queue: a Draft is a long thing to write out by hand."""

import hashlib
from collections.abc import Sequence

from sekisho.model.config import Outbound
from sekisho.model.delivery import Delivery, Kind, Route
from sekisho.model.envelope import Envelope, Message, Origin
from sekisho.model.ident import make_id
from sekisho.model.letter import Draft
from sekisho.queue.routes import route_for
from sekisho.testing.world import NOW, Fakes, fakes

HEAD = b"Received: from client by mx.example.com; Mon, 22 Jul 2013 18:52:46 +0900\r\n"
BODY = b"Subject: a letter\r\n\r\nDear reader,\r\n.. two dots\r\nbye\r\n"
LIFETIME_S = 5 * 86400
OURS = "example.com"


class Mailbag:
    """Makes drafts. Recipients at `example.com` are ours, all others are reached by MX."""

    def __init__(self, given: Fakes | None = None, lifetime_s: int = LIFETIME_S) -> None:
        self.fakes = given or fakes()
        self._lifetime = lifetime_s * 1_000_000

    def ident(self) -> str:
        return make_id(self.fakes.clock.now(), self.fakes.chance.bits(30))

    def route(self, address: str) -> Route:
        local, _, domain = address.partition("@")
        mailbox = f"mail/{domain}/{local}/Maildir" if domain == OURS else ""
        return route_for(address, mailbox, Outbound())

    def draft(
        self,
        *recipients: str,
        sender: str | None = "writer@example.net",
        account: str = "",
        body: bytes = BODY,
        held_by: Sequence[str] = (),
        delay_s: int = 0,
        address: str = "192.0.2.7",
        network: str = "AS64500/XX",
        subject: str = "a letter",
        options: dict[str, str] | None = None,
    ) -> Draft:
        now = self.fakes.clock.now()
        message = self.ident()
        recipients = recipients or ("reader@example.com",)
        origin = Origin("session", "mx", now, address, account=account, network=network)
        deliveries = tuple(
            Delivery(
                self.ident(),
                message,
                recipient,
                self.route(recipient),
                0,
                now + delay_s * 1_000_000,
                now + self._lifetime,
                frozenset(held_by),
            )
            for recipient in recipients
        )
        return Draft(
            Envelope(sender, tuple(recipients), origin, options or {}),
            Message(message, len(body), hashlib.sha256(body).hexdigest()),
            HEAD,
            deliveries,
            subject,
        )


__all__ = ["BODY", "HEAD", "NOW", "Kind", "Mailbag"]
