"""Keys of return paths: made once, followed by others, kept as long as something may come back."""

import os
from pathlib import Path

from sekisho.host import HostChance, HostDisk
from sekisho.store.return_keys import DAY, FILE, read, tend

LIFE_S = 14 * 86400
START = 1_700_000_000 * 1_000_000


def tended(state: Path, day: int) -> tuple[bytes, ...]:
    tend(HostDisk(), HostChance(), str(state), START + day * DAY, LIFE_S)
    return tuple(key.key for key in read(HostDisk(), str(state)))


def test_a_key_has_a_successor_and_then_an_end(tmp_path: Path) -> None:
    """After 90 days a new one signs; the old one is known for two weeks more. Nobody else may read them."""
    (first,) = tended(tmp_path, 0)
    assert (first,) == tended(tmp_path, 89)
    second, old = tended(tmp_path, 90)
    assert old == first != second
    assert (second, first) == tended(tmp_path, 103)
    assert (second,) == tended(tmp_path, 105)
    assert 0o600 == os.stat(tmp_path / FILE).st_mode & 0o777


def test_what_is_no_key_is_passed_over(tmp_path: Path) -> None:
    """A spoilt line costs that key only; a file that a crash left behind is no obstacle."""
    (first,) = tended(tmp_path, 0)
    path = tmp_path / FILE
    path.write_text("rubbish\n12 AAAA\n" + path.read_text() + "\xff\n", encoding="latin-1")
    assert (first,) == tuple(key.key for key in read(HostDisk(), str(tmp_path)))
    (tmp_path / (FILE + ".new")).write_text("half")
    assert first in tended(tmp_path, 1)
    assert () == read(HostDisk(), str(tmp_path / "nowhere"))
