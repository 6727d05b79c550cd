"""Which deliveries a mailbox holds already, remembered for a while.

After a kill thousands of deliveries may have been tried before; to list a large mailbox for each would take
hours. What was seen once has been delivered, whatever its reader does with it since. What was not seen is
believed only while nobody but us could have brought it: our own letters are added as they come.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator

from msgspec import Struct

from sekisho.store.maildir import Maildir

BELIEVED = 1_000_000
"""Microseconds after which a mailbox is listed again: a process left over from before may write too."""

LISTING_SHARE = 20
"""A mailbox that takes long to list is believed for this many times as long."""

KEPT = 10 * 60 * 1_000_000
"""Microseconds after which an unused listing is forgotten."""

NAMES_MOST = 400_000
"""Most ids remembered, about 50 MB. A mailbox that has more alone is listed each time."""

LOCKS = 64
"""Mailboxes share them by path; one is held while a mailbox is listed."""


class _Listing(Struct):
    ids: set[str]
    until: int
    used: int


class Seen:
    """Used in threads. `ticks` gives microseconds that never go backwards."""

    def __init__(self, ticks: Callable[[], int]) -> None:
        self._ticks = ticks
        self._listings: dict[str, _Listing] = {}
        self._whole = threading.Lock()  # of what is kept; held for moments
        self._locks = tuple(threading.Lock() for _ in range(LOCKS))

    def holds(self, maildir: Maildir, delivery: str) -> bool:
        """Found in the mailbox, and there after a power cut: it has been delivered."""
        with self._lock(maildir.path):
            known = self._listings.get(maildir.path)
            if known is not None:
                known.used = self._ticks()
                if delivery in known.ids:
                    return True
                if known.used < known.until:
                    return False
            began = self._ticks()
            ids = maildir.deliveries()
            self._keep(maildir.path, ids, began)
            return delivery in ids

    @contextlib.contextmanager
    def coming(self, maildir: Maildir, delivery: str) -> Iterator[None]:
        """Entered while a letter comes to be there. If that fails, nobody knows whether it is there."""
        came = False
        try:
            yield
            came = True
        finally:
            self._learn(maildir.path, delivery if came else "")

    def _learn(self, path: str, came: str) -> None:
        """`came` is "" after a failure. What has not been used for a while need not grow."""
        with self._lock(path):
            known = self._listings.get(path)
            if known is None:
                return
            if came and known.used > self._ticks() - KEPT:
                known.ids.add(came)
                return
            with self._whole:
                self._listings.pop(path, None)

    def _keep(self, path: str, ids: set[str], began: int) -> None:
        ended = self._ticks()
        until = ended + max(BELIEVED, LISTING_SHARE * (ended - began))
        with self._whole:
            kept = {old: each for old, each in self._listings.items() if each.used > ended - KEPT}
            kept.pop(path, None)
            kept[path] = _Listing(ids, until, ended)
            while kept and sum(len(each.ids) for each in kept.values()) > NAMES_MOST:
                del kept[next(iter(kept))]
            self._listings = kept

    def _lock(self, path: str) -> threading.Lock:
        return self._locks[hash(path) % LOCKS]
