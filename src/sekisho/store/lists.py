"""Files of addresses that aliases include (`:include:/path`), read again when they have changed."""

from msgspec import Struct

from sekisho.queue.listing import LIST_BYTES, parse
from sekisho.store import guarded
from sekisho.store.bounded import Bounded
from sekisho.world import Unavailable

KEPT = 100
"""Most lists remembered."""


class Known(Struct, frozen=True):
    mark: tuple[int, ...]
    addresses: tuple[str, ...]


class Lists:
    """Usable from one thread at a time."""

    def __init__(self) -> None:
        self._known: Bounded[str, Known] = Bounded(KEPT)

    def addresses(self, path: str) -> tuple[str, ...]:
        """Raises Unavailable for a list that is not there or not to be believed: mail to it waits, for to
        leave out those who stand in it would lose it."""
        text = guarded.read(path, LIST_BYTES)
        if text is None:
            raise Unavailable(path, "there is no such file")
        known = self._known.get(path)
        if known is None or known.mark != text.mark:
            listing = parse(text.data)
            if listing.bad:
                raise Unavailable(path, f"not an address: {listing.bad[0]}")
            known = Known(text.mark, listing.addresses)
            self._known.put(path, known)
        return known.addresses
