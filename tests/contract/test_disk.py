"""The real disk and the one that forgets keep one contract, so that what is proven on the one holds on the
other."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sekisho.host import HostDisk
from sekisho.testing.disk import FakeDisk
from sekisho.world import Disk, Unavailable


@pytest.fixture(params=["real", "fake"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Disk, str]]:
    """A disk and an empty folder on it."""
    if request.param == "real":
        yield HostDisk(), str(tmp_path)
    else:
        disk = FakeDisk()
        disk.make_folders("/folder")
        yield disk, "/folder"


def test_what_is_written_is_read(place: tuple[Disk, str]) -> None:
    """Whole, in parts from an offset, and nothing behind the end."""
    disk, folder = place
    disk.write_new(f"{folder}/a", [b"one ", b"two ", b"three"])
    assert b"one two three" == disk.read(f"{folder}/a")
    assert b"two" == disk.read_part(f"{folder}/a", 4, 3)
    assert b"three" == disk.read_part(f"{folder}/a", 8, 100)
    assert b"" == disk.read_part(f"{folder}/a", 13, 100)
    assert ["a"] == list(disk.list(folder))


def test_a_name_is_taken_once(place: tuple[Disk, str]) -> None:
    """Creating and linking refuse a name that exists, and leave what is there."""
    disk, folder = place
    disk.write_new(f"{folder}/a", [b"first"])
    with pytest.raises(FileExistsError):
        disk.write_new(f"{folder}/a", [b"second"])
    disk.write_new(f"{folder}/b", [b"other"])
    with pytest.raises(FileExistsError):
        disk.link(f"{folder}/b", f"{folder}/a")
    assert b"first" == disk.read(f"{folder}/a")


def test_an_unfinished_file_is_removed(place: tuple[Disk, str]) -> None:
    """Left without `finish`, by an error or not, it is gone; finished, it stays."""
    disk, folder = place
    with pytest.raises(ZeroDivisionError), disk.create(f"{folder}/a") as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert not disk.exists(f"{folder}/a")
    with disk.create(f"{folder}/a") as file:
        file.write(b"who")
        file.write(b"le")
        file.finish()
    assert b"whole" == disk.read(f"{folder}/a")


def test_renaming_moves_and_replaces(place: tuple[Disk, str]) -> None:
    """Between folders too; what had the name before is gone."""
    disk, folder = place
    disk.make_folders(f"{folder}/new/deep")
    disk.make_folders(f"{folder}/new/deep")
    disk.write_new(f"{folder}/a", [b"moved"])
    disk.write_new(f"{folder}/new/deep/a", [b"replaced"])
    disk.rename(f"{folder}/a", f"{folder}/new/deep/a")
    disk.sync_folder(f"{folder}/new/deep")
    assert not disk.exists(f"{folder}/a")
    assert b"moved" == disk.read(f"{folder}/new/deep/a")


def test_a_second_link_is_the_same_file(place: tuple[Disk, str]) -> None:
    """Removing one name leaves the other."""
    disk, folder = place
    disk.write_new(f"{folder}/a", [b"text"])
    disk.link(f"{folder}/a", f"{folder}/b")
    disk.unlink(f"{folder}/a")
    assert b"text" == disk.read(f"{folder}/b")


def test_what_is_not_there_is_said(place: tuple[Disk, str]) -> None:
    """FileNotFoundError, which callers understand, and nothing else."""
    disk, folder = place
    for attempt in (disk.read, disk.unlink):
        with pytest.raises(FileNotFoundError):
            attempt(f"{folder}/nothing")
    with pytest.raises(FileNotFoundError):
        disk.rename(f"{folder}/nothing", f"{folder}/b")
    assert not disk.exists(f"{folder}/nothing")


def test_one_owner_at_a_time(place: tuple[Disk, str]) -> None:
    """The second is refused until the first gives up."""
    disk, folder = place
    give_up = disk.lock(f"{folder}/lock")
    with pytest.raises(Unavailable):
        disk.lock(f"{folder}/lock")
    give_up()
    disk.lock(f"{folder}/lock")()


def test_room_is_told(place: tuple[Disk, str]) -> None:
    """Some number of bytes."""
    disk, folder = place
    assert 0 < disk.free_bytes(folder)


def test_a_fixed_file_is_full_of_zeros_and_keeps_its_size(place: tuple[Disk, str]) -> None:
    """Opened again it is the same; asked for in another size it is made anew."""
    disk, folder = place
    file = disk.fixed(f"{folder}/a", 3 * 4096)
    assert bytes(10) == file.read(5000, 10)
    file.write(4096, bytearray(b"x" * 5000))
    file.sync()
    file.close()
    again = disk.fixed(f"{folder}/a", 3 * 4096)
    assert b"\0" + b"x" * 5000 + b"\0" == again.read(4095, 5002)
    assert b"" == again.read(3 * 4096, 10)
    again.close()
    other = disk.fixed(f"{folder}/a", 4096)
    assert bytes(4096) == other.read(0, 9000)
    other.close()
    disk.sync_folder(folder)
    assert ["a"] == list(disk.list(folder))
