"""Programs of this machine that bring mail over a local socket: the kernel says which user each runs as.

A user's mail counts as that of an account: the one that the settings name, else USER@DOMAIN, so that the
guard and the queue's verbs know it like anybody's. Users who are not trusted write under names of their own.
"""

import pwd
from functools import lru_cache

from msgspec import Struct

from sekisho.model.account import key_of
from sekisho.model.verdict import Reply
from sekisho.service.front import Front
from sekisho.world import Unavailable

ANYBODY = "*"
"""In `Client.names`: may write in anybody's name."""

NOT_NOW = Reply(421, "4.3.0", "The account database is not available, come again")


class Housemate(Struct, frozen=True):
    """`names` are the senders, besides those of the account, that the user may write as."""

    user: str
    account: str
    names: tuple[str, ...]
    turned_away: Reply | None = None


def housemate(front: Front, uid: int) -> Housemate:
    user = user_name(uid)
    settings = front.config.sendmail
    try:
        domain = home_domain(front)
    except Unavailable:
        return Housemate(user, "", (), NOT_NOW)
    own = tuple(key_of(f"{user}@{place}") for place in (domain, front.config.hostname))
    account = key_of(settings.accounts.get(user, "")) or own[0]
    trusted = user in settings.trusted or ANYBODY in settings.trusted
    return Housemate(user, account, (ANYBODY,) if trusted else ("", *own))


def home_domain(front: Front) -> str:
    """What stands behind a name without a domain. Raises Unavailable."""
    return front.config.sendmail.domain or front.stores.directory.first_domain() or front.config.hostname


@lru_cache(maxsize=1024)
def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid{uid}"
