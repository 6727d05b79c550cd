"""accepted => delivered, bounced or held, whatever crashes: many seeds of several lives each."""

import apsw
import pytest

from sekisho.testing.disk import FakeDisk
from sekisho.world import Unavailable
from sim.theatre import Play
from sim.verdict import broken_promises, letters, twins

CHUNK = 10
"""Seeds of one test, so that several processes can share them."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "first" in metafunc.fixturenames:
        metafunc.parametrize("first", range(0, metafunc.config.getoption("--seeds"), CHUNK))


def test_every_promise_is_kept(first: int, pytestconfig: pytest.Config) -> None:
    """Each recipient of each letter that got 250: delivered, reported, held or purged; none twice in a
    mailbox."""
    for seed in range(first, min(first + CHUNK, pytestconfig.getoption("--seeds"))):
        play = Play(seed)
        play.perform()
        assert [] == broken_promises(play), f"seed {seed}"
        assert [] == twins(play), f"seed {seed}"
        assert [] == play.ledger.troubled, f"seed {seed}"
        play.strike()


def test_the_plays_are_eventful() -> None:
    """A property of nothing is worth nothing: letters arrive, fail, are refused by a broken disk, and cut
    off."""
    plays = [Play(seed) for seed in range(24)]
    for play in plays:
        play.perform()
    assert 500 < sum(len(play.ledger.promised) for play in plays)
    assert 10 < sum(play.ledger.crashes for play in plays)
    assert 100 < sum(len(letters(play)) for play in plays)
    for seen in ("arrived", "reported", "unreported", "refused", "ambiguous", "purged"):
        assert any(getattr(play.ledger, seen) for play in plays), seen


def test_the_same_seed_is_the_same_play() -> None:
    """A seed that fails can be looked at again."""
    first, second = Play(3), Play(3)
    first.perform()
    second.perform()
    assert first.ledger.promised == second.ledger.promised
    assert letters(first) == letters(second)


@pytest.fixture
def lying_syncs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk whose fsync of files does nothing."""
    monkeypatch.setattr(FakeDisk, "sync", lambda self, path, inode: None)


@pytest.mark.usefixtures("lying_syncs")
def test_a_disk_that_lies_is_noticed() -> None:
    """If nothing were synced, promises would break, and the verdict would say so."""

    def is_noticed(seed: int) -> bool:
        play = Play(seed)
        try:
            play.perform()
        except (apsw.Error, Unavailable):  # the database is no database any more
            return True
        return bool(broken_promises(play))

    assert any(is_noticed(seed) for seed in range(8))
