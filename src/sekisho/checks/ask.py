"""What a check may ask, and the frozen facts that it is given: nothing else of the session is in its reach.

Every answer is given once per transaction and changes nothing. A door that does not answer raises Unavailable
through the check, and the runner turns that into *defer*; a check never sees it.
"""

from collections.abc import Mapping
from typing import Literal, Protocol

from msgspec import Struct

from sekisho.mail.dkim import Dkim
from sekisho.mail.dmarc import Dmarc
from sekisho.mail.headers import Head
from sekisho.mail.spf import Spf
from sekisho.model.incident import Standing

LOCKED = "Access from this place is suspended for this account, ask your provider"
Known = Literal["known", "unknown", "silent"]
Stage = Literal["connect", "helo", "mail", "rcpt", "data", "body"]


class Client(Struct, frozen=True):
    """Who is at the other end. `account` is "" until a login was right; `trusted` by address, from the
    settings.

    `submission` is True on listeners that take mail only from our own users. `names`: on a local socket, the
    senders that a system user may write as, "*" for any.
    """

    session: str
    listener: str
    address: str = ""
    via: str = ""
    helo: str = ""
    tls: str = ""
    account: str = ""
    network: str = ""
    trusted: bool = False
    submission: bool = False
    names: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """One of ours, who may send to anybody."""
        return bool(self.account) or self.trusted


class SessionFacts(Struct, frozen=True):
    """At `connect` and `helo`. `at` is now, in microseconds."""

    at: int
    client: Client


class MailFacts(SessionFacts, frozen=True):
    """`sender` is "" for a message without return path; `size` what the client announced, 0 for nothing."""

    sender: str
    size: int


class RcptFacts(MailFacts, frozen=True):
    """`recipient` is the one in question, `given` how many were accepted before it, `most` how many may
    be.
    """

    recipient: str
    given: int
    most: int


class DataFacts(MailFacts, frozen=True):
    recipients: tuple[str, ...]


class BodyFacts(DataFacts, frozen=True):
    """The whole letter has arrived; `size` is what it really has. `hops` is how many Received fields it may
    have. `unsigned`: it has no return path, came to none that we signed, and such mail is not wanted.
    `announced` is the size that the client said at MAIL; 0 for none.
    """

    head: Head
    hops: int
    unsigned: bool = False
    announced: int = 0


class Judgement(Struct, frozen=True):
    """The guard's word. Not `fresh`: it did not answer in time, and this is what it said last."""

    standing: Standing
    fresh: bool = True
    help_url: str = ""

    @property
    def refusal(self) -> str:
        """What a locked-out user is told, and where help is. The evidence is for the operator: a thief who
        has the password must not learn from it how to do better.
        """
        return f"{LOCKED} {self.help_url}".rstrip()


class AskedSpf(Struct, frozen=True):
    """What SPF says of the client and the sender, the level that counts for this client, and what a refused
    one is told.
    """

    level: int
    spf: Spf
    explanation: str = ""


BEST_FIRST = ("pass", "policy", "temperror", "fail", "permerror", "none")
UNSIGNED = Dkim("none")


class AskedDkim(Struct, frozen=True):
    """One result for each signature, and what the settings want done by the best of them."""

    found: tuple[Dkim, ...]
    acts: Mapping[str, str] = {}

    @property
    def best(self) -> Dkim:
        return min(self.found, key=lambda each: BEST_FIRST.index(each.result), default=UNSIGNED)


class AskedDmarc(Struct, frozen=True):
    """`obeyed`: what the author's domain wants is done; `quarantine` how that is meant. `excused`: a
    forwarder whom we trust says that it was all right before.
    """

    found: Dmarc
    obeyed: bool = False
    quarantine: str = "tag"
    excused: str = ""


class Ask(Protocol):
    async def is_local_domain(self, domain: str) -> bool: ...

    async def resolve(self, address: str) -> tuple[str, ...] | None:
        """Final addresses of a local address; None: there is no such mailbox or alias."""

    async def named(self, address: str) -> bool:
        """Whether a local address has a meaning of its own, and is not only what a catch-all takes."""

    async def leaves(self, address: str) -> bool:
        """Whether a rule of the settings sends mail for it on to another host."""

    async def verified(self, address: str) -> Known:
        """What the host says that mail for it is sent on to, where the rules want it asked."""

    async def is_full(self, address: str, size: int) -> bool:
        """It leads to one mailbox of ours alone, which has no room for a letter of this size."""

    async def never_fits(self, address: str, size: int) -> bool:
        """It leads to one mailbox of ours alone, whose whole quota is less than this."""

    async def over_quota(self) -> str:
        """What the settings say of mail for a full mailbox: "later" or "refuse"."""

    async def may_send_as(self, account: str, address: str) -> bool: ...

    async def free_bytes(self) -> int:
        """Room on the spool's disk above what must stay free; negative when there is none."""

    async def standing(self) -> Judgement:
        """How the client's account stands, what it is doing right now included."""

    async def may_hold(self, size: int) -> bool:
        """May the spool hold one more message of this size back for the client's account?"""

    async def spf(self) -> AskedSpf | None:
        """None: the settings do not want it asked of this client."""

    async def dkim(self) -> AskedDkim | None:
        """None: as above."""

    async def dmarc(self) -> AskedDmarc | None:
        """None: as above."""

    async def count(self, table: str, key: str) -> int:
        """The sum of what verdicts asked to be remembered (`Note`) and is not yet over."""
