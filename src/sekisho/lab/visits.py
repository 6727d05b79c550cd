"""What clients mean to do: visits with letters. Whether they are let in is decided by whoever plays them."""

from typing import Literal

from msgspec import Struct

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR


class Letter(Struct, frozen=True):
    """`refused` are recipients whose host says 5yz, `deferred` those told 4yz first; known after `after_s`.

    `retry_s` is when a deferred recipient takes it at last, counted from the first try.
    """

    sender: str
    recipients: tuple[str, ...]
    size: int
    after_s: float
    refused: frozenset[str] = frozenset()
    deferred: frozenset[str] = frozenset()
    retry_s: float = 900.0
    subject: str = ""


class Visit(Struct, frozen=True):
    """One session. `by` is "owner" or "attack". `letters` are sent one after another, `pause_s` apart.

    `wrong` wrong passwords come first; without `right` the visit ends there.
    """

    at: int
    account: str
    address: str
    service: Literal["submission", "imap", "webmail"]
    by: str = "owner"
    fingerprint: str = ""
    letters: tuple[Letter, ...] = ()
    pause_s: float = 2.0
    wrong: int = 0
    right: bool = True
