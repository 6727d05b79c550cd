"""Messages that are being taken on right now, by account: judged, but not yet in the spool.

Who holds an account's queue waits for these first. One that was judged before the incident and kept after
the hold would otherwise slip through between the two.
"""

import asyncio
from types import TracebackType

QUIET_S = 10.0
"""Longest wait for them. A spool that takes longer is in trouble and answers 451."""


class Underway:
    def __init__(self) -> None:
        self._open: dict[str, set[asyncio.Future[None]]] = {}

    def message_of(self, account: str) -> "Taking":
        """Judging and keeping one message begins; `end` it, or put `with` around it."""
        return Taking(self._open, account)

    async def quiet(self, account: str) -> None:
        """Returns once all that was under way for this account has ended."""
        if waiting := self._open.get(account):
            await asyncio.wait(set(waiting), timeout=QUIET_S)


class Taking:
    """Nobody asks about mail that belongs to no account, so nothing is noted of it."""

    __slots__ = ("_account", "_end", "_open")

    def __init__(self, open_: dict[str, set[asyncio.Future[None]]], account: str) -> None:
        self._open = open_
        self._account = account
        if account:
            self._end = asyncio.get_running_loop().create_future()
            open_.setdefault(account, set()).add(self._end)

    def end(self) -> None:
        """Once."""
        if not self._account:
            return
        self._end.set_result(None)
        rest = self._open[self._account]
        rest.discard(self._end)
        if not rest:
            del self._open[self._account]

    def __enter__(self) -> None:
        """It has begun."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
