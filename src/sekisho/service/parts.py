"""A kept letter as the parts that go out: our head, then the body from memory or block by block from its
file.
"""

from collections.abc import AsyncIterator
from functools import partial

from sekisho.model.letter import Letter
from sekisho.world import Unavailable, World

BLOCK_BYTES = 256 * 1024
HEAD_END = len(b"\r\n\r\n")


class Parts:
    """May be iterated more than once; every part is stored wire form. Unavailable when the file is not
    there.
    """

    def __init__(self, world: World, letter: Letter) -> None:
        self._world = world
        self._letter = letter
        self.size = len(letter.head) + letter.message.size

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._letter.head:
            yield self._letter.head
        for part in self._letter.body:
            yield part
        if self._letter.path:
            async for block in self._blocks():
                yield block

    async def eight_bit(self) -> bool:
        """Whether BODY=8BITMIME must be said of it (RFC 6152 2). Clients that did not say so themselves
        exist.
        """
        if self._letter.envelope.options.get("BODY", "").upper() == "8BITMIME":
            return True
        async for part in self:
            if not part.isascii():
                return True
        return False

    async def eight_bit_head(self) -> bool:
        """Whether a header field, ours or the letter's, needs SMTPUTF8 (RFC 6532)."""
        found = b""
        async for part in self:
            head, end, _ = (found[-HEAD_END + 1 :] + part).partition(b"\r\n\r\n")
            if not head.isascii():
                return True
            if end and part is not self._letter.head:
                return False
            found = part
        return False

    async def start(self, limit: int) -> bytes:
        """The first `limit` bytes, or all of it."""
        found = b""
        async for part in self:
            found += part
            if len(found) >= limit:
                break
        return found[:limit]

    async def _blocks(self) -> AsyncIterator[bytes]:
        at = 0
        while block := await self._world.spawn.thread(partial(self._read, at)):
            yield block
            at += len(block)

    def _read(self, at: int) -> bytes:
        try:
            return self._world.disk.read_part(self._letter.path, at, BLOCK_BYTES)
        except FileNotFoundError as error:
            raise Unavailable(self._letter.path, "the file of the message is gone") from error
