"""Ids: short, sortable by time, safe everywhere."""

import random

from sekisho.model.ident import LENGTH, LUCK, Idents, id_time, is_id, make_id

NOW = 1_374_486_766_000_000


def test_an_id_says_when_it_was_made() -> None:
    """Sorted as text, ids are sorted by time."""
    times = [NOW, NOW + 1, NOW + 1023, NOW + 1024, NOW + (1 << 20), NOW + (1 << 40)]
    made = [make_id(at, 0) for at in times]
    assert sorted(made) == made
    assert times == [id_time(ident) for ident in made]
    assert all(is_id(ident) and len(ident) == LENGTH for ident in made)


def test_ids_from_a_block_are_those_of_the_same_times() -> None:
    """Idents and make_id write time in one way, also when the clock is set back; chance fills the rest."""
    chance = random.Random(1)
    idents = Idents(chance.randbytes)
    for _ in range(2000):
        at = NOW + chance.randrange(-(1 << 30), 1 << 30)
        ident = idents.make(at)
        assert is_id(ident)
        assert make_id(at, 0)[:-LUCK] == ident[:-LUCK]


def test_ids_of_one_moment_differ() -> None:
    """Also across the end of a block of chance."""
    idents = Idents(random.Random(2).randbytes)
    assert 5000 == len({idents.make(NOW) for _ in range(5000)})
