"""Quotas of mailboxes: is there room, who keeps the account of what came, and the letter at 90 percent.

Used in threads of the local role. Only letters that are in the mailbox count, not those that wait in the
queue; so letters that come at one moment may together go a little over it.
"""

import contextlib
import threading
from collections.abc import Iterator
from functools import partial
from typing import Protocol

from msgspec import Struct

from sekisho.checks.mailbox_full import NEVER
from sekisho.model.account import Account, split
from sekisho.model.config import Config
from sekisho.model.delivery import Deferred, Failed, Outcome
from sekisho.model.ident import make_id
from sekisho.model.quota import Quota
from sekisho.model.verdict import Reply
from sekisho.service.notices import Sender, quota_letter
from sekisho.service.zone import zone_of
from sekisho.store.maildir import Booking, Maildir
from sekisho.store.maildirsize import Held, add, held, stated
from sekisho.store.texts import Texts
from sekisho.world import Folder, Unavailable, World

NEARLY = 0.9
"""Share of the quota from which its owner is told."""

DAY = 24 * 3600 * 1_000_000

WARNED = "quotawarn"
"""The file that Courier and vpopmail leave in a mailbox when its owner was told."""

LOCKS = 64
"""Mailboxes share them by name; one is held while a letter comes to be there and is written down."""

FULL_LATER = Reply(452, "4.2.2", "Mailbox is full")
FULL_NOW = Reply(552, "5.2.2", "Mailbox is full")


class Directory(Protocol):
    def quota(self, account: str) -> Quota | None: ...

    def account(self, address: str) -> Account | None: ...


class Purse(Struct, frozen=True):
    """The mailbox of one account. `quota` None: its `maildirsize`, if it has one, says it."""

    account: str
    maildir: Maildir
    quota: Quota | None


class Quotas:
    def __init__(self, world: World, config: Config, directory: Directory) -> None:
        self._world = world
        self._directory = directory
        self._asking = threading.Lock()  # what the directory remembers is for one thread at a time
        self._locks = tuple(threading.Lock() for _ in range(LOCKS))
        self.reload(config)

    def reload(self, config: Config) -> None:
        self._config = config

    def purse(self, account: str, maildir: Maildir) -> Purse:
        """Raises Unavailable."""
        with self._asking:
            return Purse(account, maildir, self._directory.quota(account))

    def is_full(self, purse: Purse, size: int) -> bool:
        """Is there no room for a letter of this size? One that is announced without a size needs a byte."""
        adding = Held(max(size, 1), 1)
        with purse.maildir.opened() as box, self._lock(purse):
            quota = _in_force(purse, box)
            if not quota.limits:
                return False
            now = held(box, quota, adding, self._world.clock.now())
            return quota.exceeded(now.bytes + adding.bytes, now.messages + adding.messages)

    def refusal(self, purse: Purse, size: int) -> Outcome:
        """For a letter of this size that is in the queue. What can never fit need not wait for a week."""
        with purse.maildir.opened() as box:
            if _in_force(purse, box).exceeded(size, 1):
                return Failed(NEVER)
        if self._config.local.over_quota == "refuse":
            return Failed(FULL_NOW)
        return Deferred(FULL_LATER)

    def booking(self, purse: Purse) -> Booking:
        return partial(self._booked, purse)

    @contextlib.contextmanager
    def _booked(self, purse: Purse, size: int) -> Iterator[None]:
        """What is there and not written down is found when the letters are counted."""
        with self._lock(purse):
            yield
            with contextlib.suppress(Unavailable, FileNotFoundError), purse.maildir.opened() as box:
                add(box, Held(size, 1))

    def tell_owner(self, purse: Purse) -> None:
        """Once a day at most, whatever else comes. The letter about it may itself go over the quota."""
        with contextlib.suppress(Unavailable, FileNotFoundError):
            with purse.maildir.opened() as box, self._lock(purse):
                share = _share(purse, box)
                if share < NEARLY or not self._is_due(box):
                    return
            ident = make_id(self._world.clock.now(), self._world.chance.bits(30))
            purse.maildir.deliver(ident, [self._letter(purse.account, share, ident)], self.booking(purse))

    def _is_due(self, box: Folder) -> bool:
        """Noted before the letter is written: rather none than one for every letter."""
        with contextlib.suppress(FileNotFoundError):
            if box.changed_at(WARNED) > self._world.clock.now() - DAY:
                return False
            box.unlink(WARNED)
        with box.create(WARNED) as file:
            file.finish()
        return True

    def _letter(self, account: str, share: float, ident: str) -> bytes:
        with self._asking:
            known = self._directory.account(account)
        texts = Texts.of((known.language if known else "") or self._config.notify.language)
        postmaster = f"postmaster@{split(account)[1]}"
        sender = Sender(postmaster, self._config.hostname, zone_of(self._config.zone))
        text = quota_letter(account, int(share * 100), sender, texts, ident, self._world.clock.now())
        return b"Return-Path: <>\nDelivered-To: " + account.encode() + b"\n" + text

    def _lock(self, purse: Purse) -> threading.Lock:
        return self._locks[hash(purse.maildir.path) % LOCKS]


def _in_force(purse: Purse, box: Folder) -> Quota:
    if purse.quota is not None:
        return purse.quota
    found = stated(box)
    return found.quota if found is not None else Quota()


def _share(purse: Purse, box: Folder) -> float:
    found = stated(box)
    if found is None:
        return 0.0
    quota = purse.quota if purse.quota is not None else found.quota
    return quota.share(found.held.bytes, found.held.messages)
