"""A letter that has arrived, as the authentication of mail reads it: without doubled dots, hashed once.

Small ones are hashed where they are, larger ones in a thread, block by block from their file.
"""

from collections.abc import Iterator, Sequence

from sekisho.mail.canon import BodyHash, unstuffed
from sekisho.mail.dkim import Opened
from sekisho.mail.headers import HEAD_BYTES, Head, TooLarge, fields_of, head_of
from sekisho.store.bodies import PART_BYTES, BigBody
from sekisho.world import World

Kept = tuple[bytes, ...] | BigBody

AT_ONCE_BYTES = 32 * 1024
"""Longest body that is hashed on the loop: less than a millisecond."""


async def opened(world: World, kept: Kept) -> Opened:
    """`kept` as `Arriving.finish` gives it. Raises Unavailable."""
    if isinstance(kept, BigBody):
        path = kept.path
        start = await world.spawn.thread(lambda: world.disk.read_part(path, 0, 2 * HEAD_BYTES))
        large = True
    else:
        start = b"".join(kept)
        large = len(start) > AT_ONCE_BYTES
    plain = b"".join(unstuffed((start[: 2 * HEAD_BYTES],)))
    head = _head(plain)

    def feed(hashers: Sequence[BodyHash]) -> None:
        skip = head.size
        for part in unstuffed(_parts(world, kept)):
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


def _parts(world: World, kept: Kept) -> Iterator[bytes]:
    if not isinstance(kept, BigBody):
        yield from kept
        return
    at = 0
    while block := world.disk.read_part(kept.path, at, PART_BYTES):
        yield block
        at += len(block)
