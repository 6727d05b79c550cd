"""The chance of the real world: numbers between two others lie between them, all over, and differ."""

from sekisho.host import HostChance


def test_numbers_lie_all_over_between_the_two() -> None:
    """More of them than one block of the kernel's bytes makes."""
    chance = HostChance()
    found = [chance.between(-1.0, 3.0) for _ in range(4000)]
    assert all(-1.0 <= number < 3.0 for number in found)
    assert 4000 == len(set(found))
    parts = [sum(low <= number < low + 1 for number in found) for low in (-1, 0, 1, 2)]
    assert all(800 < count < 1200 for count in parts), parts


def test_ids_and_waits_share_a_block_and_no_bytes() -> None:
    chance = HostChance()
    mixed = [chance.bits(48) if n % 2 else round(chance.between(0, 1 << 48)) for n in range(2000)]
    assert 2000 == len(set(mixed))
