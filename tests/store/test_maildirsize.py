"""`maildirsize` as Courier and Dovecot keep it: read, continued, made anew when it cannot be true."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.host import HostDisk
from sekisho.model.ident import make_id
from sekisho.model.quota import Quota, header, written
from sekisho.store.maildir import Maildir
from sekisho.store.maildirsize import LENGTH_MOST, STALE, Held, add, count, held, stated
from sekisho.testing.disk import FakeDisk

COURIER = b"10000000S,1000C\n    1234567        123\n       2048          1\n      -1048         -1\n"
"""As courier-imap writes it: numbers in columns, a line for each change."""

QUOTA = Quota(10_000_000, 1000)
NOW = 10**15
ONE = Held(1, 1)


def box(disk: FakeDisk, **letters: int) -> None:
    """A mailbox at /box with letters "PLACE/NAME" of these sizes."""
    for place in ("tmp", "new", "cur"):
        disk.make_folders(f"/box/{place}")
    for path, size in letters.items():
        folder, _, _ = path.rpartition("/")
        disk.make_folders(f"/box/{folder}")
        disk.write_new(f"/box/{path}", [b"x" * size])


@pytest.mark.parametrize(
    ("text", "quota"),
    [
        ("500M", Quota(500 * 1024**2)),
        ("2g,10000", Quota(2 * 1024**3, 10_000)),
        ("1000", Quota(1000)),
        ("1000000S,1000C", Quota(1_000_000, 1000)),
        ("1000C", Quota(0, 1000)),
        ("none", Quota()),
        ("0", Quota()),
    ],
)
def test_quotas_as_written(text: str, quota: Quota) -> None:
    """What is kept is the form of the file, and means the same."""
    assert quota == written(text) == written(str(quota))


@pytest.mark.parametrize("text", ["", "-1", "5X", "1.5G", "1G,", "ten", "1S1C", "S", "9" * 30, "1G,1G", "٣G"])
def test_what_is_no_quota(text: str) -> None:
    """It is not guessed."""
    assert written(text) is None


def test_a_file_of_couriers_is_taken_as_it_is() -> None:
    """Read, and continued by one line."""
    disk = FakeDisk()
    box(disk)
    disk.write_new("/box/maildirsize", [COURIER])
    with disk.folder("/box") as folder:
        assert Held(1_235_567, 123) == held(folder, QUOTA, ONE, NOW)
        add(folder, Held(500, 1))
        assert COURIER + b"500 1\n" == disk.read("/box/maildirsize")
        assert Held(1_236_067, 124) == held(folder, QUOTA, ONE, NOW)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"nonsense\n1 1\n",
        b"10000000S,1000C\n1 1",
        b"10000000S,1000C\n1 1\nx y\n",
        b"10000000S,1000C\n-5 1\n",
        b"10000000S,1000C\n5 -1\n",
        b"10000000S,1000C\n9999999999999999999 1\n",
        b"10000000S,1000C\n1 1 1\n",
        b"10000000S,1000C\n" + b"1 1\n" * (LENGTH_MOST // 4),
        b"20000000S,1000C\n1 1\n",
        b"\xff\n",
        None,
    ],
)
def test_what_cannot_be_true_is_counted_anew(text: bytes | None) -> None:
    """Also a file that has grown long, one of another quota, and none at all."""
    disk = FakeDisk()
    box(disk, **{"new/a": 10, "cur/b,S=700:2,S": 20, ".Sent/cur/c": 5})
    if text is not None:
        disk.write_new("/box/maildirsize", [text])
    with disk.folder("/box") as folder:
        assert Held(715, 3) == held(folder, QUOTA, ONE, NOW)
    assert b"10000000S,1000C\n715 3\n" == disk.read("/box/maildirsize")
    assert [] == disk.list("/box/tmp")


def test_trash_does_not_count() -> None:
    """The folder Trash, and letters with the flag T; names with S= are believed, others looked at."""
    disk = FakeDisk()
    letters = {"cur/a:2,ST": 10, "cur/b:2,S": 20, "new/c,S=33,W=35": 1, ".Trash/cur/d": 50, ".A.B/new/e": 7}
    box(disk, **letters, **{"tmp/f": 100, "other/new/g": 100})
    with disk.folder("/box") as folder:
        assert Held(60, 3) == count(folder)


@pytest.mark.parametrize(("age", "size"), [(STALE - 1, 900), (STALE + 1, 10)])
def test_full_is_believed_for_a_quarter_of_an_hour(age: int, size: int) -> None:
    """Then the letters are counted: somebody may have removed some without writing it down."""
    disk = FakeDisk()
    box(disk, **{"new/a": 10})
    disk.write_new("/box/maildirsize", [b"1000S\n800 1\n100 1\n"])
    disk.changed["/box/maildirsize"] = NOW - age
    with disk.folder("/box") as folder:
        assert size == held(folder, Quota(1000), Held(200, 1), NOW).bytes


def test_a_file_that_was_just_counted_is_not_counted_again() -> None:
    """One line behind the first: nothing has changed since."""
    disk = FakeDisk()
    box(disk, **{"new/a": 10})
    disk.write_new("/box/maildirsize", [b"1000S\n900 1\n"])
    disk.changed["/box/maildirsize"] = 0
    with disk.folder("/box") as folder:
        assert 900 == held(folder, Quota(1000), Held(200, 1), NOW).bytes


@given(st.binary(max_size=200) | st.text("0123456789SC,- \n", max_size=60).map(str.encode))
def test_any_file_is_read_or_refused(text: bytes) -> None:
    """No error, and never less than nothing."""
    disk = FakeDisk()
    box(disk)
    disk.write_new("/box/maildirsize", [text])
    with disk.folder("/box") as folder:
        found = stated(folder)
    assert found is None or min(found.held.bytes, found.held.messages) >= 0
    first = text.partition(b"\n")[0].decode("ascii", "replace")
    assert found is None or found.quota == header(first)


def link(path: Path, target: Path) -> None:
    path.symlink_to(target)


def hard_link(path: Path, target: Path) -> None:
    os.link(target, path)


def pipe(path: Path, target: Path) -> None:
    os.mkfifo(path)


def folder_in_its_place(path: Path, target: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("plant", [link, hard_link, pipe, folder_in_its_place])
def test_what_a_user_plants_is_not_followed(tmp_path: Path, plant: Callable[[Path, Path], None]) -> None:
    """Neither a link to somebody's file, nor that file under a second name, nor a pipe nobody writes to."""
    theirs = tmp_path / "theirs"
    theirs.write_bytes(b"1S\n0 0\n")
    maildir = Maildir(HostDisk(), str(tmp_path / "Maildir"))
    with maildir.opened() as folder:
        plant(tmp_path / "Maildir/maildirsize", theirs)
        if plant is not folder_in_its_place:
            assert Held() == held(folder, QUOTA, ONE, time.time_ns() // 1000)
            assert b"10000000S,1000C\n0 0\n" == (tmp_path / "Maildir/maildirsize").read_bytes()
    assert b"1S\n0 0\n" == theirs.read_bytes()


def test_lines_of_many_writers_do_not_mix(tmp_path: Path) -> None:
    """Threads and handles of their own, as several programs have: the sum is exact."""
    maildir = Maildir(HostDisk(), str(tmp_path / "Maildir"))
    with maildir.opened() as folder:
        held(folder, Quota(0, 10**9), ONE, time.time_ns() // 1000)

    def write(number: int) -> None:
        for _ in range(50):
            with maildir.opened() as folder:
                add(folder, Held(number, 1))

    writers = [threading.Thread(target=write, args=(number,)) for number in range(1, 9)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with maildir.opened() as folder:
        found = stated(folder)
    assert found is not None and Held(36 * 50, 400) == found.held


def test_the_letter_is_there_when_it_is_written_down(tmp_path: Path) -> None:
    """The booking of a delivery surrounds the moment in which the letter comes to be in `new`."""
    from contextlib import contextmanager

    maildir = Maildir(HostDisk(), str(tmp_path / "Maildir"))
    seen: list[tuple[int, int]] = []

    @contextmanager
    def booking(size: int):  # type: ignore[no-untyped-def]
        seen.append((size, len(list((tmp_path / "Maildir/new").iterdir()))))
        yield
        seen.append((size, len(list((tmp_path / "Maildir/new").iterdir()))))

    maildir.deliver(make_id(1, 1), [b"four"], booking)
    assert [(4, 0), (4, 1)] == seen
