"""A letter that has arrived, as the authentication of mail reads it: without doubled dots, hashed once.

Small ones are hashed where they are, larger ones in a thread, block by block from their file.
"""

from collections.abc import Iterator, Sequence
from functools import partial

from msgspec import Struct

from sekisho.mail.canon import BodyHash, unstuffed
from sekisho.mail.dkim import BLOCK_BYTES, Opened
from sekisho.mail.headers import HEAD_BYTES, Head, TooLarge, fields_of, head_of
from sekisho.store.bodies import PART_BYTES, BigBody
from sekisho.world import Unavailable, World


class Source(Struct, frozen=True):
    """A letter in wire form: our fields above it, then what is in memory, then its file."""

    parts: tuple[bytes, ...]
    path: str = ""
    above: bytes = b""


def source_of(kept: tuple[bytes, ...] | BigBody) -> Source:
    """`kept` as `Arriving.finish` gives it."""
    return Source((), kept.path) if isinstance(kept, BigBody) else Source(kept)


AT_ONCE_BYTES = 32 * 1024
"""Longest body that is hashed on the loop: less than a millisecond."""


async def opened(world: World, source: Source) -> Opened:
    """Raises Unavailable."""
    start = source.above + b"".join(source.parts)
    large = bool(source.path) or len(start) > AT_ONCE_BYTES
    if source.path:
        start += await world.spawn.thread(partial(_read, world, source.path, 0, 2 * HEAD_BYTES))
    plain = b"".join(unstuffed((start[: 2 * HEAD_BYTES],)))
    head = _head(plain)

    def feed(hashers: Sequence[BodyHash]) -> None:
        skip = head.size
        for part in unstuffed(_parts(world, source)):
            body, skip = part[skip:], max(0, skip - len(part))
            for hasher in hashers if body else ():
                hasher.update(body)

    async def hash_body(hashers: Sequence[BodyHash]) -> None:
        if large:
            await world.spawn.thread(lambda: feed(hashers))
        else:
            feed(hashers)

    return Opened(plain[: head.size], head, hash_body)


def _head(plain: bytes) -> Head:
    try:
        return head_of(plain) or Head(fields_of(plain), len(plain))
    except TooLarge:  # its dots made it smaller than what was measured when it came
        return Head((), 0)


def _parts(world: World, source: Source) -> Iterator[bytes]:
    for part in (source.above, *source.parts):
        for start in range(0, len(part), BLOCK_BYTES):
            yield part[start : start + BLOCK_BYTES]
    at = 0
    while source.path and (block := _read(world, source.path, at, PART_BYTES)):
        yield block
        at += len(block)


def _read(world: World, path: str, at: int, size: int) -> bytes:
    try:
        return world.disk.read_part(path, at, size)
    except FileNotFoundError as error:
        raise Unavailable(path, "the file of the message is gone") from error
