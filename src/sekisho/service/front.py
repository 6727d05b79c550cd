"""What all sessions of one front share: the doors, the settings as they are now, and what is counted over
sessions.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import tzinfo
from functools import lru_cache
from typing import Protocol

from msgspec import Struct

from sekisho.checks.registry import Policy
from sekisho.model.account import key_of
from sekisho.model.config import Config
from sekisho.model.event import Event, Troubled
from sekisho.model.ident import Idents
from sekisho.model.letter import Draft
from sekisho.model.quota import Quota
from sekisho.model.selector import Selector
from sekisho.model.text import printable
from sekisho.queue.aliases import Led
from sekisho.service.addressing import Addressing, Road
from sekisho.service.bearing import Bearers
from sekisho.service.callforward import Verify, nobody_is_asked
from sekisho.service.channel import Channel, NotDone
from sekisho.service.counts import Counts
from sekisho.service.doorstep import Doorstep
from sekisho.service.judging import Judging
from sekisho.service.messages import AskRoom, Room
from sekisho.service.proving import terms_of
from sekisho.service.returns import Returns
from sekisho.service.underway import Underway
from sekisho.store.bodies import BigBody
from sekisho.store.paths import divided
from sekisho.world import Promise, Unavailable, World

SOURCE = "front"

ACCOUNTS_KEPT = 4096
"""Addresses of which the account is remembered."""

ROOM_S = 5
"""Longest wait for the word of the local role about a mailbox: a disk may be slow, RCPT must not be."""

FREE_KEPT = 1_000_000
"""How long the disk's free room is believed, in microseconds."""


class Directory(Protocol):
    """The part of `store/directory.py` that reception asks."""

    def is_local_domain(self, domain: str) -> bool: ...

    def resolve(self, address: str) -> tuple[str, ...] | None: ...

    def names(self, address: str) -> tuple[str, ...] | None: ...

    def named(self, address: str) -> bool: ...

    def lead(self, key: str) -> Led: ...

    def may_send_as(self, account: str, address: str) -> bool: ...

    def list_owner(self, address: str) -> str: ...

    def senders_of(self, address: str) -> tuple[str, ...]: ...

    def first_domain(self) -> str: ...

    def quota(self, account: str) -> Quota | None: ...

    def mailbox(self, address: str) -> str: ...


class Census(Protocol):
    """How much matches."""

    @property
    def messages(self) -> int: ...

    @property
    def bytes(self) -> int: ...


class Spool(Protocol):
    """The part of `store/spool.py` that reception uses."""

    @property
    def accepting(self) -> bool: ...

    def submit(self, draft: Draft, body: Sequence[bytes] | BigBody) -> Promise: ...

    def big_body(self, message_id: str) -> BigBody: ...

    def free_bytes(self) -> int: ...

    async def count(self, selector: Selector) -> Census: ...


class Roles(Struct):
    watch: Channel
    vault: Channel
    verify: Verify = nobody_is_asked
    local: Channel | None = None


class Stores(Struct):
    """What is asked and filled on the hot path."""

    directory: Directory
    spool: Spool


class Front:
    """Only `config`, `policy` and `zone` change, when the settings are read again."""

    def __init__(self, world: World, stores: Stores, roles: Roles, record: Callable[[Event], None]) -> None:
        self.world = world
        self.stores = stores
        self.roles = roles
        self.record = record
        self.now = world.clock.now
        self.ident = Idents(world.chance.data).make
        self.judging = Judging(roles.watch)
        self.verify = roles.verify
        self.counts = Counts()
        self.doorstep = Doorstep()
        self.underway = Underway()
        self.arriving_bytes = 0
        self._free = (0, 0)
        self._divided = lru_cache(ACCOUNTS_KEPT)(divided)  # asked at every recipient of ours
        self.returns: Returns

    def configure(self, config: Config, policy: Policy, zone: tzinfo) -> None:
        self.config = config
        self.policy = policy
        self.zone = zone
        self.judging.configure(config.guard)
        self.proof_terms = terms_of(config)
        self.bearers = Bearers(self.world, config.oauth)
        self.doorstep.most = config.vault.wrong_per_address
        self.returns = Returns(self.world.disk, self.stores.directory, config, self.now())
        self.addressing = Addressing(self.world, self.stores.directory, config)

    def read_keys(self) -> None:
        """Those of return paths; the file may have a new one."""
        self.returns.read_keys(self.now())
        self.addressing.read_keys()

    async def is_full(self, road: Road, size: int) -> bool:
        """Is this mailbox of ours over its quota? Not when nobody says so: mail goes on, and may wait."""
        local = self.roles.local
        account, quota = self._quota(road)
        if local is None or not quota.limits:
            return False
        question = AskRoom(account, road.route.host, size)
        try:
            return (await asyncio.wait_for(local.ask(question, Room), ROOM_S)).full
        except (Unavailable, NotDone, TimeoutError):
            return False

    def never_fits(self, road: Road, size: int) -> bool:
        """Not even into this mailbox of ours when it is empty."""
        _, quota = self._quota(road)
        return quota.exceeded(size, 1)

    def _quota(self, road: Road) -> tuple[str, Quota]:
        """Of which account; no limits where nobody has told us of any, or the directory does not say."""
        account, _ = self._divided(key_of(road.recipient), road.route.host)
        try:
            return account, self.stores.directory.quota(account) or Quota()
        except Unavailable:
            return account, Quota()

    def free_bytes(self) -> int:
        """Room above what must stay free; none while the spool takes nothing. Raises Unavailable."""
        if not self.stores.spool.accepting:
            return 0
        now = self.world.clock.ticks()
        if now >= self._free[0]:
            self._free = (now + FREE_KEPT, self.stores.spool.free_bytes())
        return self._free[1] - self.config.limits.free_min

    def trouble(self, what: str, about: str, trace: str) -> None:
        """A `boundary`'s record: our bug, as an event."""
        at = self.now()
        about = printable(about)
        self.record(
            Troubled(
                id=self.ident(at), at=at, source=SOURCE, what=what, about=about, trace=trace, session=about
            )
        )
