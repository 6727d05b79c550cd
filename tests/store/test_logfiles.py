"""Which files are meant, and in which order they are read."""

from pathlib import Path

import pytest

from covers import covers
from sekisho.store.logfiles import CHUNK, LINE_MAX, LogFile, find
from sekisho.world import Unavailable


@covers("L-06")
def test_the_oldest_of_a_rotated_set_comes_first(tmp_path: Path) -> None:
    """Dates, then large numbers before small ones, the live file last; no hidden files, no locks."""
    order = ["maillog-20130720", "maillog-20130721.gz", "maillog.10", "maillog.2.gz", "maillog.1", "maillog"]
    for name in (*sorted(order), ".hidden", "lock"):
        (tmp_path / name).write_bytes(b"x\n")
    assert order == [Path(file.path).name for file in find([str(tmp_path)])]


def test_multilog_s_folder(tmp_path: Path) -> None:
    """Closed files by their TAI64N names, then `current`."""
    for name in ("current", "@4000000051ed0103246bb90c.s", "@4000000051ecffb300bec5e4.s", "state"):
        (tmp_path / name).write_bytes(b"x\n")
    names = [Path(file.path).name for file in find([str(tmp_path)])]
    assert ["@4000000051ecffb300bec5e4.s", "@4000000051ed0103246bb90c.s", "current"] == names


def test_a_path_named_twice_is_read_once(tmp_path: Path) -> None:
    """A file, and the folder that it lies in."""
    (tmp_path / "log").write_bytes(b"x\n")
    assert 1 == len(find([str(tmp_path / "log"), str(tmp_path), str(tmp_path / "log")]))


def test_what_is_not_there_is_unavailable(tmp_path: Path) -> None:
    """With the reason of the system; a NUL in a path too."""
    for path in (str(tmp_path / "absent"), "a\0b"):
        with pytest.raises(Unavailable):
            find([path])


@pytest.mark.parametrize("end", [b"\n", b""])
def test_blocks_hold_whole_lines(tmp_path: Path, end: bytes) -> None:
    """Joined again the blocks are the file; none begins or ends within a line."""
    lines = [b"line %d " % number + b"x" * (number % 997) for number in range(3000)]
    (tmp_path / "log").write_bytes(b"\n".join(lines) + end)
    blocks = list(LogFile(str(tmp_path / "log")).blocks())
    assert len(blocks) > 1
    assert all(block.startswith(b"\n") and not block.endswith(b"\n") for block in blocks)
    assert lines == b"".join(blocks).split(b"\n")[1:]


def test_an_endless_line_is_cut(tmp_path: Path) -> None:
    """Memory stays bounded, and the cut is noted."""
    (tmp_path / "log").write_bytes(b"a\n" + b"x" * (LINE_MAX * 2 + 5) + b"\nb\n")
    file = LogFile(str(tmp_path / "log"))
    lines = b"".join(file.blocks()).split(b"\n")[1:]
    assert (b"a", b"b", 3) == (lines[0], lines[-1], len(lines))
    assert len(lines[1]) <= LINE_MAX + CHUNK
    assert 1 == len(file.notes)
