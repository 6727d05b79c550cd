"""A growing log is followed without missing or repeating a line, whatever rotation does to it."""

import gzip
import os
import shutil
from pathlib import Path

import pytest

from sekisho.store.follower import CHUNK, GRACE_S, LINE_MAX, Follower, Position


class Log:
    """A log file and who follows it; `read` lets time go by until nothing more comes."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "maillog"
        self.follower = Follower(str(self.path))
        self.now_s = 0.0
        self.number = 0

    def write(self, count: int) -> list[bytes]:
        lines = [b"line %d of this log, and some text" % (self.number + more) for more in range(count)]
        self.number += count
        with self.path.open("ab") as file:
            file.write(b"".join(line + b"\n" for line in lines))
        return lines

    def read(self, turns: int = 8) -> list[bytes]:
        found = []
        for _ in range(turns):
            self.now_s += GRACE_S / 2
            piece = self.follower.read(self.now_s)
            found += [] if piece.known else piece.lines
        return found

    def restart(self) -> None:
        position = self.follower.position
        self.follower.close()
        self.follower = Follower(str(self.path), position)

    def rename(self, name: str = "maillog.1") -> None:
        self.path.rename(self.path.with_name(name))

    def copytruncate(self, name: str = "maillog.1") -> None:
        shutil.copy(self.path, self.path.with_name(name))
        os.truncate(self.path, 0)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def test_lines_come_as_they_are_written(log: Log) -> None:
    """From the beginning, each once; a file that appears later is waited for."""
    assert [] == log.read()
    assert log.write(3) == log.read()
    assert log.write(2) == log.read()
    assert [] == log.read()


def test_a_line_is_waited_for_to_its_end(log: Log) -> None:
    """Half a line is none yet."""
    with log.path.open("ab") as file:
        file.write(b"half a ")
        file.flush()
        assert [] == log.read()
        file.write(b"line\n")
    assert [b"half a line"] == log.read()


def test_rename_and_create(log: Log) -> None:
    """What is written to the old file after the rename comes before the new file's lines."""
    first = log.write(2)
    assert first == log.read()
    log.rename()
    with log.path.with_name("maillog.1").open("ab") as file:
        file.write(b"a late line\n")
    assert [b"a late line", *log.write(2)] == log.read()


def test_two_rotations_at_once(log: Log) -> None:
    """The file in between is read too."""
    log.write(1)
    log.read()
    log.rename("maillog.2")
    between = log.write(2)
    log.rename("maillog.1")
    assert between + log.write(2) == log.read()


def test_copy_and_truncate(log: Log) -> None:
    """Lines that were written between our reading and the copy are read from the copy."""
    log.write(20)
    log.read()
    late = log.write(3)
    log.copytruncate()
    assert late + log.write(1) == log.read()


def test_truncated_and_grown_beyond_our_place(log: Log) -> None:
    """The new content is longer than what was read before: it is known by its beginning."""
    log.write(20)
    log.read()
    log.copytruncate()
    assert log.write(200) == log.read()


def test_truncated_without_a_copy(log: Log) -> None:
    """It begins anew."""
    log.write(20)
    log.read()
    os.truncate(log.path, 0)
    assert log.write(2) == log.read()


def test_a_restart_goes_on(log: Log) -> None:
    """In the same file; what came before is told again as known."""
    before = log.write(5)
    log.read()
    log.restart()
    after = log.write(5)
    first = log.follower.read(0)
    assert first.known and before == [line for line in first.lines if line]
    assert after == log.read()


@pytest.mark.parametrize("packed", [False, True])
def test_rotated_while_we_were_away(log: Log, packed: bool) -> None:
    """The rest of the old file, packed meanwhile or not, then one in between, then the new one."""
    log.write(20)
    log.read()
    position = log.follower.position
    expected = log.write(5)
    log.rename("maillog.2")
    if packed:
        old = log.path.with_name("maillog.2")
        old.with_name("maillog.2.gz").write_bytes(gzip.compress(old.read_bytes()))
        old.unlink()
    expected += log.write(3)
    log.rename("maillog.1")
    expected += log.write(2)
    log.follower = Follower(str(log.path), position)
    assert expected == log.read(12)
    log.restart()
    assert [] == log.read()


def test_history_is_read_once_oldest_first(log: Log) -> None:
    """On the very first start; a position is only told when it has been read."""
    oldest = log.write(4)
    old = log.path.with_name("maillog.2.gz")
    old.write_bytes(gzip.compress(log.path.read_bytes()))
    log.path.unlink()
    older = log.write(4)
    log.rename("maillog.1")
    present = log.write(2)
    assert log.follower.position is None and not log.follower.settled
    assert oldest + older + present == log.read(12)
    assert log.follower.settled
    log.restart()
    assert [] == log.read()


def test_a_line_without_end_does_not_fill_memory(log: Log) -> None:
    """It is passed over, and the next one is read."""
    with log.path.open("ab") as file:
        file.write(b"x" * (CHUNK * 2 + LINE_MAX) + b"\n")
    assert log.write(1) == log.read()


def test_what_is_no_plain_file_is_left_alone(log: Log) -> None:
    """A pipe would make us wait for ever."""
    os.mkfifo(log.path)
    assert [] == log.read()
    log.path.unlink()
    assert log.write(1) == log.read()


def test_a_position_of_another_file_begins_anew(log: Log) -> None:
    """Nothing is known of what was before."""
    written = log.write(3)
    log.follower = Follower(str(log.path), Position(1000, 40, "00"))
    assert written == log.read()
