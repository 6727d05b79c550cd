"""One line of the queue as people and programs see it."""

from msgspec import Struct


class QueueRow(Struct, frozen=True, omit_defaults=True):
    """One delivery as `queue list` shows it. Times in microseconds, size in bytes. `delayed_by`: the check
    for which it waits before its first try, and why."""

    delivery: str
    message: str
    state: str
    sender: str
    recipient: str
    account: str
    address: str
    network: str
    size: int
    tries: int
    accepted_at: int
    next_at: int
    expires_at: int
    route: str
    held_by: tuple[str, ...] = ()
    subject: str = ""
    last_reply: str = ""
    delayed_by: str = ""


class QueueGroup(Struct, frozen=True):
    """Deliveries of one name, as `queue list --by` shows them. `bytes` counts a letter for each recipient."""

    name: str
    deliveries: int
    bytes: int
    oldest_at: int
    next_at: int
