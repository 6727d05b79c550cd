"""A letter while it arrives: small ones stay in memory, large ones go to a file off the loop, neither
without bounds.

`add` never waits. While the file is behind, `full` asks the connection to read no more, and `on_room` is
called when it may again. What goes wrong on the way is said once, at the end.
"""

import asyncio
import hashlib
from collections.abc import Callable

from sekisho.mail.headers import HEAD_BYTES, Head, TooLarge, claims, fields_of, head_of, without
from sekisho.model.verdict import Reply
from sekisho.service.boundary import boundary
from sekisho.service.front import Front
from sekisho.store.bodies import IN_DATABASE_MAX, BigBody
from sekisho.world import Unavailable

BEHIND_BYTES = 1024 * 1024
"""Most bytes of one letter that wait for its file."""

TOGETHER_BYTES = 128 * 1024 * 1024
"""Bytes in memory, of all letters of a front together, above which every letter goes to a file at once."""

NO_HEAD = Head((), 0)
HEAD_TOO_LARGE = Reply(552, "5.3.4", "The header of this message is too large")
BUSY = Reply(452, "4.3.1", "Too many messages at once, try again later")


class Arriving:
    __slots__ = (
        "_big",
        "_digest",
        "_drained",
        "_front",
        "_in_memory",
        "_message",
        "_parts",
        "_trouble",
        "flaw",
        "head",
        "on_room",
        "size",
    )

    def __init__(self, front: Front, message: str) -> None:
        self._front = front
        self._message = message
        self._parts: list[bytes] = []
        self._in_memory = 0
        self._big: BigBody | None = None
        self._drained: asyncio.Future[None] | None = None
        self._trouble: Unavailable | None = None
        self._digest = hashlib.sha256()
        self.head = NO_HEAD
        self.size = 0
        self.flaw: Reply | None = None
        self.on_room: Callable[[], None] | None = None

    @property
    def full(self) -> bool:
        return self._big is not None and self._in_memory > BEHIND_BYTES

    @property
    def digest(self) -> str:
        """SHA-256 in hex of what is kept; known once `finish` has returned."""
        return self._digest.hexdigest()

    def add(self, part: bytes) -> None:
        if self.flaw is not None or self._trouble is not None:
            return  # the rest is read and forgotten
        self._parts.append(part)
        self._hold(len(part))
        self.size += len(part)
        if self._big is not None:
            self._digest.update(part)
            self._drain()
        elif self.size > IN_DATABASE_MAX or self._front.arriving_bytes > TOGETHER_BYTES:
            self._go_to_file()

    async def finish(self) -> tuple[bytes, ...] | BigBody:
        """The whole letter, durable where it is a file. Raises Unavailable; look at `flaw` before and
        after.
        """
        if self._big is None:
            start = b"".join(self._parts)
            self._forget()
            kept = start if self.flaw else self._read_head(start, whole=True)
            self._digest.update(kept)
            return (kept,)
        if self._drained is not None:
            await self._drained
        if self._trouble is not None:
            raise self._trouble
        await self._big.finish()
        return self._big

    def drop(self) -> None:
        """The letter was not taken, or its client is gone."""
        self._forget()
        if self._big is not None:
            self._front.world.spawn.task("dropped letter", self._drop(self._big))
            self._big = None

    def _go_to_file(self) -> None:
        start = b"".join(self._parts)
        self._forget()
        kept = self._read_head(start, whole=False)
        if self.flaw is not None:
            return
        self._digest.update(kept)
        self._parts.append(kept)
        self._hold(len(kept))
        self._big = self._front.stores.spool.big_body(self._message)
        self._drain()

    def _read_head(self, start: bytes, *, whole: bool) -> bytes:
        """Finds the head and returns the letter without what only we may claim; sets `flaw` if that cannot
        be.
        """
        try:
            head = head_of(start)
            if head is None and whole:
                head = Head(fields_of(start), len(start))
        except TooLarge:
            head = None
            self.flaw = HEAD_TOO_LARGE
        if head is None:
            self.flaw = self.flaw or (HEAD_TOO_LARGE if len(start) >= HEAD_BYTES else BUSY)
            return b""
        self.head = head
        forged = claims(head, self._front.config.hostname)
        if not forged:
            return start
        kept = without(start, forged)  # RFC 8601 5
        self.size += len(kept) - len(start)
        return kept

    def _drain(self) -> None:
        if self._drained is None:
            self._drained = asyncio.get_running_loop().create_future()
            self._front.world.spawn.task("large letter", self._write(self._drained))

    async def _write(self, drained: "asyncio.Future[None]") -> None:
        async with boundary(self._front.trouble, "large letter", self._message) as turn:
            while self._parts and self._trouble is None and self._big is not None:
                await self._write_once(self._big)
        if turn.failed:
            self._trouble = Unavailable("spool", "internal error")
        self._drained = None
        self._forget()
        drained.set_result(None)

    async def _write_once(self, big: BigBody) -> None:
        data = b"".join(self._parts)
        self._parts.clear()
        try:
            await big.write(data)
        except Unavailable as trouble:
            self._trouble = trouble
        self._hold(-len(data))
        if self.on_room is not None and not self.full:
            self.on_room()

    async def _drop(self, big: BigBody) -> None:
        async with boundary(self._front.trouble, "dropped letter", self._message):
            if self._drained is not None:
                await self._drained
            try:
                await big.drop()
            except Unavailable:
                return  # a file without a row is removed at the next start

    def _hold(self, size: int) -> None:
        self._in_memory += size
        self._front.arriving_bytes += size

    def _forget(self) -> None:
        """What waits; not what is being written."""
        self._hold(-sum(map(len, self._parts)))
        self._parts.clear()
