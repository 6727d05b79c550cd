"""One mail transaction: what has been agreed with the client between MAIL and the reply to the final dot."""

from msgspec import Struct

from sekisho.checks.ask import Client
from sekisho.model.envelope import NO_WISH, Wish
from sekisho.model.text import printable
from sekisho.model.verdict import Act
from sekisho.service.addressing import Road
from sekisho.service.arriving import Arriving
from sekisho.service.checking import Ruling
from sekisho.service.returns import Comeback

WHY_SHOWN = 300
"""Most characters of the reason for a delay that are kept with the letter."""

GUARD = "takeover"
"""The check that says what the guard thinks (checks/takeover.py)."""


class Given(Struct, frozen=True):
    """A recipient as the client named it, the roads to the final addresses it leads to, and its NOTIFY and
    ORCPT.

    `returned`: it was named by a signed return path of ours, and `recipient` is the address behind that.
    """

    recipient: str
    roads: tuple[Road, ...]
    wish: Wish = NO_WISH
    returned: Comeback | None = None


class Transaction:
    """`client` as it was at MAIL: nothing about it can change before the end. `sender` is "" for a message
    without return path. What checks decided without refusing is kept to its
    end. `barred`: the check that refused the sender, where recipients are told so (netqmail).
    """

    __slots__ = (
        "barred", "body", "client", "delay_s", "delayed_by", "given", "held_by", "message", "options",
        "sender", "size", "suspect",
    )  # fmt: skip

    def __init__(self, message: str, client: Client, sender: str, size: int) -> None:
        self.message = message
        self.client = client
        self.sender = sender
        self.size = size
        self.options: dict[str, str] = {}
        self.given: list[Given] = []
        self.delay_s = 0
        self.delayed_by = ""
        self.held_by: set[str] = set()
        self.suspect = False
        self.barred = ""
        self.body: Arriving | None = None

    @property
    def recipients(self) -> tuple[str, ...]:
        return tuple([given.recipient for given in self.given])

    def obey(self, ruling: Ruling) -> None:
        """A delay or a hold at any stage is one of the whole message; whoever holds it releases it."""
        for verdict in ruling.others:
            self.suspect |= verdict.by == GUARD and verdict.act in (Act.DELAY, Act.HOLD)
            if verdict.act is Act.DELAY and verdict.delay_s > self.delay_s:
                self.delay_s = verdict.delay_s
                self.delayed_by = printable(f"{verdict.by}: {verdict.why}", WHY_SHOWN)
            elif verdict.act is Act.HOLD:
                self.held_by.add(verdict.held_by or f"check-{verdict.by}")
