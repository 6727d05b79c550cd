"""The journal as a file: what it gives back after a crash, what it never overwrites, what is no frame."""

import random

import pytest

from sekisho.store.journal import HEADER_BYTES, PAGE, PARTS, Journal
from sekisho.testing.disk import FakeDisk
from sekisho.world import Unavailable

SALT = b"s" * 16
SIZE = PARTS * 2 * PAGE


def journal(disk: FakeDisk, number: int = 0, size: int = SIZE) -> Journal:
    made = Journal("/spool", disk, size)
    made.begin(SALT, number)
    return made


def write(target: Journal, text: bytes) -> int:
    return target.write(target.frame(bytearray(HEADER_BYTES) + text))


def found(disk: FakeDisk, salt: bytes = SALT, after: int = 0) -> list[tuple[int, bytes]]:
    return [(number, bytes(part)) for number, part in Journal("/spool", disk, SIZE).frames(salt, after)]


def test_frames_come_back_in_order() -> None:
    """Each with its number and its bytes; those up to a number, and those of another salt, do not."""
    disk = FakeDisk()
    target = journal(disk)
    texts = [b"one", b"two" * 2000, b""]
    assert [1, 2, 3] == [write(target, text) for text in texts]
    assert list(zip((1, 2, 3), texts, strict=True)) == found(disk)
    assert [(3, b"")] == found(disk, after=2)
    assert [] == found(disk, salt=b"t" * 16)


def test_what_is_needed_is_never_written_over() -> None:
    """Frames of chance sizes, freed by chance: what is not freed is always there, whole, over many laps."""
    luck = random.Random(7)
    disk = FakeDisk()
    target = journal(disk)
    living: dict[int, bytes] = {}
    for _ in range(600):
        text = luck.randbytes(luck.randrange(0, 2 * PAGE - HEADER_BYTES))
        frame = target.frame(bytearray(HEADER_BYTES) + text)
        if not target.holds(len(frame)):
            upto = luck.choice(sorted(living))
            target.free(upto)
            living = {number: text for number, text in living.items() if number > upto}
            continue
        living[target.write(frame)] = text
        assert sorted(living.items()) == found(disk, after=min(living) - 1)
    assert 300 < target.number


def test_room_comes_back_whole() -> None:
    """Freed to the last frame, the journal begins at its beginning again, with room for all its bytes."""
    target = journal(FakeDisk())
    while target.holds(PAGE):
        write(target, b"x")
    assert target.half_full and SIZE == target.used
    target.free(target.number)
    assert (0, False, True) == (target.used, target.half_full, target.holds(SIZE))


def test_a_letter_that_looks_like_a_frame_is_none() -> None:
    """A stranger knows everything but the salt; with a guess of it his frame counts for nothing, wherever in
    the file it comes to stand."""
    disk = FakeDisk()
    target = journal(disk)
    forger = Journal("/elsewhere", disk, SIZE)
    forger.begin(b"\0" * 16, 1)
    forged = bytes(forger.frame(bytearray(HEADER_BYTES) + b"forged"))
    write(target, bytes(PAGE - HEADER_BYTES) + forged)
    assert [1] == [number for number, _ in found(disk)]
    target.free(1)
    write(target, b"short")
    assert [2] == [number for number, _ in found(disk, after=1)]


@pytest.mark.parametrize("torn", [0, 1, 2])
def test_a_torn_frame_is_none(torn: int) -> None:
    """Whichever of its pages did not arrive, and what stands before it is whole."""
    disk = FakeDisk()
    target = journal(disk)
    write(target, b"whole")
    write(target, b"y" * (3 * PAGE - HEADER_BYTES))
    inode = disk.names["/spool/journal"]
    start = PAGE * (1 + torn)
    inode.data[start : start + PAGE] = bytes(PAGE)
    assert [(1, b"whole")] == found(disk)


def test_damage_in_the_middle_costs_one_frame() -> None:
    """What stands behind it is found all the same; the number that is missing tells of it."""
    disk = FakeDisk()
    target = journal(disk)
    for text in (b"one", b"two", b"three"):
        write(target, text)
    disk.names["/spool/journal"].data[PAGE + HEADER_BYTES] ^= 1
    assert [(1, b"one"), (3, b"three")] == found(disk)


def test_pages_that_failed_are_not_tried_again() -> None:
    """Another file takes its place, numbers go on, and the frame that failed is not in it."""
    disk = FakeDisk()
    target = journal(disk)
    write(target, b"one")
    old = disk.names["/spool/journal"]

    def fail(operation: str, path: str) -> None:
        if operation == "sync":
            disk.before = lambda operation, path: None
            raise Unavailable(path, "input/output error")

    disk.before = fail
    with pytest.raises(Unavailable):
        write(target, b"two")
    assert target.suspect
    target.renew()
    assert disk.names["/spool/journal"] is not old and not target.suspect
    assert 3 == write(target, b"three")
    assert [(3, b"three")] == found(disk)


def test_a_journal_of_another_size_is_read_before_it_is_replaced() -> None:
    """The size may change between two versions."""
    disk = FakeDisk()
    write(journal(disk, size=2 * SIZE), b"of the larger one")
    again = Journal("/spool", disk, SIZE)
    assert [(1, b"of the larger one")] == [(number, bytes(part)) for number, part in again.frames(SALT, 0)]
    again.begin(SALT, 1)
    assert [] == found(disk)
