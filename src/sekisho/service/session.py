"""What is known of one SMTP session, as far as it matters to more than one step; and how it is told of.

Handlers (`steps.py`, `login.py`, `accepting.py`) read and change it. The bytes are elsewhere
(`connection.py`), the order of verbs too (`wire/smtp_server.py`).
"""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from sekisho.checks.ask import Client
from sekisho.model.event import Judged, Refused
from sekisho.model.verdict import Reply
from sekisho.service.asking import Asking
from sekisho.service.checking import Ruling
from sekisho.service.front import SOURCE, Front
from sekisho.service.housemates import Housemate
from sekisho.service.transaction import Transaction
from sekisho.wire.smtp_server import ServerSettings, SmtpServer


class Door(Struct, frozen=True):
    """One listener, as its sessions see it. `service` names it in logins; `submission`: for our own users
    only; `local`: for programs of this machine.
    """

    name: str
    service: str
    submission: bool
    settings: ServerSettings
    local: bool = False


class Peer(Struct, frozen=True):
    """The client's `address` ("" on a unix socket), and behind PROXY the one that really connected (`via`).

    `turned_away` is the reply to one who may not come in now; `housemate` is who it is on a local socket.
    """

    address: str
    via: str = ""
    trusted: bool = False
    turned_away: Reply | None = None
    housemate: Housemate | None = None

    @property
    def place(self) -> str:
        """What its sessions are counted by."""
        return f"user {self.housemate.user}" if self.housemate else self.address


class Known(Struct, frozen=True):
    """Who has proved to be whom, by which login event, from which network."""

    account: str
    login: str
    network: str


STRANGER = Known("", "", "")


class Session:
    """`proven`: who is about to be told 235. `renamed` takes the address that XCLIENT names."""

    __slots__ = (
        "_client",
        "_known",
        "account",
        "asked",
        "asking",
        "bad_recipients",
        "door",
        "errors",
        "front",
        "ident",
        "login",
        "machine",
        "network",
        "peer",
        "proven",
        "renamed",
        "transaction",
    )

    def __init__(self, front: Front, door: Door, peer: Peer) -> None:
        self.renamed: Callable[[str], Peer] | None = None
        self.front = front
        self.door = door
        self.peer = peer
        self.ident = front.ident(front.now())
        self.machine = SmtpServer(door.settings)
        self.asking = Asking(front)
        self.transaction: Transaction | None = None
        self.account = peer.housemate.account if peer.housemate else ""
        self.login = ""
        self.network = ""
        self.proven = STRANGER
        self.errors = 0
        self.bad_recipients = 0
        self.asked = ""
        self._known: tuple[object, ...] = ()

    def client(self) -> Client:
        """Anew only when something about it has changed: several checks of every letter look at it."""
        known = (self.machine.hello, self.machine.tls, self.account, self.network, self.peer)
        if known != self._known:
            self._known = known
            self._client = self._seen()
        return self._client

    def begin_anew(self, peer: Peer) -> None:
        """The peer speaks for another client from now on."""
        self.end_transaction()
        self.peer, self.account, self.login, self.network = peer, "", "", ""
        self.proven = STRANGER

    def sign_in(self) -> None:
        """The client is who it has proved to be."""
        known, self.proven = self.proven, STRANGER
        self.account, self.login, self.network = known.account, known.login, known.network

    def _seen(self) -> Client:
        return Client(
            self.ident,
            self.door.name,
            self.peer.address,
            self.peer.via,
            self.machine.hello,
            self.machine.tls,
            self.account,
            self.network,
            self.peer.trusted,
            self.door.submission,
            self.peer.housemate.names if self.peer.housemate else (),
        )

    def traits(self, at: int) -> dict[str, Any]:
        """What every event of this session begins with."""
        return {
            "id": self.front.ident(at),
            "at": at,
            "source": SOURCE,
            "session": self.ident,
            "account": self.account,
            "address": self.peer.address,
        }

    def told_asked(self, at: int) -> None:
        """One event says which checks had nothing against it, for `explain`; again when they are others."""
        asked = self.front.policy.asked
        if asked == self.asked or self.transaction is None:
            return
        self.asked = asked
        why = f"message {self.transaction.message}"
        self.front.record(Judged(**self.traits(at), stage="body", check=asked, act="pass", why=why))

    def judged(self, stage: str, ruling: Ruling) -> None:
        """Every answer that was not a plain pass, for `explain`."""
        if not ruling.others:
            return
        for verdict in ruling.others:
            self.front.record(
                Judged(
                    **self.traits(self.front.now()),
                    stage=stage,
                    check=verdict.by,
                    act=verdict.act.name.lower(),
                    why=verdict.why,
                    won=verdict is ruling.verdict,
                )
            )

    def refused(self, stage: str, by: str, reply: Reply, recipient: str = "") -> Reply:
        """Tells of a refusal and hands it on."""
        sender = self.transaction.sender if self.transaction else ""
        self.front.record(
            Refused(
                **self.traits(self.front.now()),
                stage=stage,
                by=by,
                reply=reply,
                sender=sender,
                recipient=recipient,
            )
        )
        return reply

    def end_transaction(self) -> None:
        """Whatever became of it. A letter that was not taken is dropped; one that was is not ours any
        more.
        """
        if self.transaction is not None and self.transaction.body is not None:
            self.transaction.body.drop()
        self.transaction = None
        self.asking.forget()
