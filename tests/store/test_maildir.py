"""Delivery into a Maildir: one file a delivery, whole, once."""

import ctypes
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbag import Mailbag
from sekisho.host import HostDisk
from sekisho.model.ident import is_id, make_id
from sekisho.store.maildir import Maildir, mailbox_form, name_of
from sekisho.testing.disk import FakeDisk
from sekisho.world import Unavailable

IDENT = Mailbag().draft().deliveries[0].id


def plain(wire: bytes) -> bytes:
    """What a reader must find: the textbook way, line by line."""
    lines = wire.split(b"\r\n")
    return b"\n".join(line[1:] if line.startswith(b".") else line for line in lines)


def test_a_letter_is_one_file_in_new(tmp_path: Path) -> None:
    """Folders are made; tmp is empty; the name says when, which delivery, and both sizes."""
    folder = tmp_path / "Maildir"
    Maildir(HostDisk(), str(folder)).deliver(IDENT, [b"Subject: x\n", b"\nwords\n"])
    (path,) = (folder / "new").iterdir()
    assert b"Subject: x\n\nwords\n" == path.read_bytes()
    match = re.fullmatch(r"\d+\.D(\w+)\.sekisho,S=18,W=21", path.name)
    assert match and is_id(match[1])
    assert [] == list((folder / "tmp").iterdir()) and (folder / "cur").is_dir()
    assert 0o600 == path.stat().st_mode & 0o777


@pytest.mark.parametrize("place", ["new", "cur"])
def test_found_before_is_delivered_before(place: str) -> None:
    """In `new`, or in `cur` under the name that a reader has given it."""
    disk = FakeDisk()
    maildir = Maildir(disk, "/mail")
    assert IDENT not in maildir.deliveries()
    maildir.deliver(IDENT, [b"x\n"])
    (name,) = disk.list("/mail/new")
    disk.rename(f"/mail/new/{name}", f"/mail/{place}/{name}:2,S")
    assert IDENT in maildir.deliveries()
    assert Mailbag().draft().deliveries[0].id[:-1] + "z" not in maildir.deliveries()


def test_what_a_crash_left_in_tmp_is_never_written_to() -> None:
    """Whoever began it may be writing still: another name, and the letter is whole."""
    disk = FakeDisk()
    disk.make_folders("/mail/tmp")
    disk.make_folders("/mail/new")
    disk.write_new(f"/mail/tmp/{name_of(IDENT)}.0", [b"half"])
    Maildir(disk, "/mail").deliver(IDENT, [b"whole\n"])
    (name,) = disk.list("/mail/new")
    assert b"whole\n" == disk.read(f"/mail/new/{name}")
    assert [f"{name_of(IDENT)}.0"] == disk.list("/mail/tmp")


def test_two_tries_at_once_leave_one_whole_letter(tmp_path: Path) -> None:
    """As after a restart of the front while the mailbox's process is still writing."""
    maildir = Maildir(HostDisk(), str(tmp_path / "Maildir"))

    def slow() -> Iterator[bytes]:
        yield b"first half, "
        maildir.deliver(IDENT, [b"first half, second half\n"])
        (found,) = (tmp_path / "Maildir/new").iterdir()
        assert b"first half, second half\n" == found.read_bytes()
        yield b"second half\n"

    maildir.deliver(IDENT, slow())
    (path,) = (tmp_path / "Maildir/new").iterdir()
    assert b"first half, second half\n" == path.read_bytes()
    assert [] == list((tmp_path / "Maildir/tmp").iterdir())


HOURS = 3600 * 1_000_000


def test_leftovers_are_removed_after_36_hours() -> None:
    """Younger ones may still have a writer; letters stay however old they are."""
    disk = FakeDisk()
    maildir = Maildir(disk, "/mail")
    maildir.deliver(IDENT, [b"x\n"])
    for name, age in (("old", 37), ("young", 35)):
        disk.write_new(f"/mail/tmp/{name}", [b"half"])
        disk.changed[f"/mail/tmp/{name}"] = (100 - age) * HOURS
    (letter,) = disk.list("/mail/new")
    disk.changed[f"/mail/new/{letter}"] = 0
    assert 1 == maildir.clean(100 * HOURS)
    assert ["young"] == disk.list("/mail/tmp") and [letter] == disk.list("/mail/new")


def test_the_age_of_a_leftover_cannot_be_set_back(tmp_path: Path) -> None:
    """An old time of writing, as of a mailbox just moved here by `cp -a`, is not an old file."""
    maildir = Maildir(HostDisk(), str(tmp_path / "Maildir"))
    maildir.deliver(IDENT, [b"x\n"])
    (tmp_path / "Maildir/tmp/young").write_bytes(b"half")
    os.utime(tmp_path / "Maildir/tmp/young", (0, 0))
    assert 0 == maildir.clean(time.time_ns() // 1000)
    assert 1 == maildir.clean(time.time_ns() // 1000 + 37 * HOURS)


@pytest.mark.parametrize("planted", ["user", "user/Maildir", "user/Maildir/tmp", "user/Maildir/new"])
@pytest.mark.parametrize("target", ["elsewhere", "absent", ".", "user/Maildir/cur"])
def test_a_planted_link_leads_nowhere(tmp_path: Path, planted: str, target: str) -> None:
    """Not delivered, and nothing is written wherever it points to."""
    for name in ("mail/user/Maildir", "elsewhere/new", "elsewhere/tmp", "elsewhere/Maildir"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("tmp", "new", "cur"):
        (tmp_path / "mail/user/Maildir" / name).mkdir()
    shutil.rmtree(tmp_path / "mail" / planted)
    (tmp_path / "mail" / planted).symlink_to(tmp_path / target)
    maildir = Maildir(HostDisk(), f"{tmp_path}/mail/user/Maildir", f"{tmp_path}/mail")
    with pytest.raises(Unavailable, match="symbolic link"):
        maildir.deliver(IDENT, [b"x\n"])
    assert [] == [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_operators_links_are_followed(tmp_path: Path) -> None:
    """All mail on another disk."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "mail").symlink_to(tmp_path / "disk")
    mailbox = Maildir(HostDisk(), f"{tmp_path}/mail/example.com/bob/Maildir", f"{tmp_path}/mail")
    mailbox.deliver(IDENT, [b"x\n"])
    assert 1 == len(list((tmp_path / "disk/example.com/bob/Maildir/new").iterdir()))


def test_a_name_planted_in_tmp_is_not_written_through(tmp_path: Path) -> None:
    """The name of the file to come, as a link to a file of somebody else's."""
    maildir = Maildir(HostDisk(), str(tmp_path / "Maildir"))
    maildir.deliveries()
    (tmp_path / "theirs").write_bytes(b"theirs")
    (tmp_path / f"Maildir/tmp/{name_of(IDENT)}.0").symlink_to(tmp_path / "theirs")
    maildir.deliver(IDENT, [b"x\n"])
    assert b"theirs" == (tmp_path / "theirs").read_bytes()
    assert 1 == len(list((tmp_path / "Maildir/new").iterdir()))


RENAME_EXCHANGE = 2
AT_FDCWD = -100


def test_folders_swapped_for_links_in_the_middle(tmp_path: Path) -> None:
    """Somebody swaps `new` and `tmp` for links, over and over: a letter is in the mailbox, or was refused."""
    box, other = tmp_path / "Maildir", tmp_path / "elsewhere"
    maildir = Maildir(HostDisk(), str(box))
    maildir.deliveries()
    other.mkdir()
    (box / "link").symlink_to(other)
    libc = ctypes.CDLL(None, use_errno=True)
    ended = threading.Event()

    def swap() -> None:
        while not ended.wait(0.0005):
            for name in (b"new", b"new", b"tmp", b"tmp"):
                there = bytes(box) + b"/" + name
                assert 0 == libc.renameat2(AT_FDCWD, there, AT_FDCWD, bytes(box) + b"/link", RENAME_EXCHANGE)

    swapper = threading.Thread(target=swap)
    swapper.start()
    counts = {"delivered": 0, "refused": 0}
    try:
        for number in range(5000):
            try:
                maildir.deliver(make_id(number, 0), [b"x\n"])
                counts["delivered"] += 1
            except Unavailable:
                counts["refused"] += 1
            if min(counts.values()) >= 10:
                break
    finally:
        ended.set()
        swapper.join()
    assert [] == list(other.iterdir())
    assert 10 <= min(counts.values()), counts
    assert counts["delivered"] == len(list((box / "new").iterdir()))


def test_a_full_disk_leaves_nothing() -> None:
    """Unavailable, and neither a part in `new` nor a file in `tmp`."""
    disk = FakeDisk()

    def full(operation: str, path: str) -> None:
        if operation == "write":
            raise Unavailable(path, "no space left")

    disk.before = full
    with pytest.raises(Unavailable):
        Maildir(disk, "/mail").deliver(IDENT, [b"x\n"])
    assert [] == disk.list("/mail/new") + disk.list("/mail/tmp")


LINES = st.lists(st.sampled_from([b"", b".", b"..", b"words", b".x", b"x.", b" "]), max_size=8)


@given(LINES, st.lists(st.integers(1, 12), max_size=12))
def test_wire_form_becomes_mailbox_form_however_it_is_cut(lines: list[bytes], cuts: list[int]) -> None:
    """CRLF becomes LF and one dot goes from lines that begin with one, wherever the parts end."""
    wire = b"".join(line + b"\r\n" for line in lines)
    parts, rest = [], wire
    for cut in cuts:
        parts.append(rest[:cut])
        rest = rest[cut:]
    parts.append(rest)
    assert plain(wire) == b"".join(mailbox_form(parts))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("lists", ".Lists"),
        ("LISTS", ".Lists"),
        ("lists.qmail", ".lists.Qmail"),
        ("half", ""),
        ("absent", ""),
        ("", ""),
        (".", ""),
        ("..", ""),
        ("../other", ""),
        ("lists/new", ""),
        ("lists.", ""),
        ("new", ""),
    ],
)
def test_a_folder_is_found_by_its_name_and_never_made(tmp_path: Path, name: str, found: str) -> None:
    """Whatever its case; only what is a Maildir; nothing outside."""
    box = tmp_path / "Maildir"
    for folder in ("new", ".Lists/new", ".Lists/tmp", ".lists.Qmail/new", ".lists.Qmail/tmp", ".half"):
        (box / folder).mkdir(parents=True)
    maildir = Maildir(HostDisk(), str(box)).folder(name)
    assert (maildir is None) == (found == "")
    if maildir is not None:
        maildir.deliver(IDENT, [b"x\n"])
        assert 1 == len(list((box / found / "new").iterdir()))
    assert {"new", ".Lists", ".lists.Qmail", ".half"} == {path.name for path in box.iterdir()}


def test_a_folder_that_is_a_link_is_none(tmp_path: Path) -> None:
    """The letter goes into the mailbox itself, and not where a user's link leads."""
    (tmp_path / "elsewhere/new").mkdir(parents=True)
    (tmp_path / "Maildir/.Inner").mkdir(parents=True)
    (tmp_path / "Maildir/.Lists").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "Maildir/.Inner/new").symlink_to(tmp_path / "elsewhere/new")
    maildir = Maildir(HostDisk(), str(tmp_path / "Maildir"))
    assert maildir.folder("lists") is None and maildir.folder("inner") is None
