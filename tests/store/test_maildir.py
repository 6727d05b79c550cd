"""Delivery into a Maildir: one file a delivery, whole, once."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbag import Mailbag
from sekisho.host import HostDisk
from sekisho.model.ident import is_id
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
    assert not maildir.holds(IDENT)
    maildir.deliver(IDENT, [b"x\n"])
    (name,) = disk.list("/mail/new")
    disk.rename(f"/mail/new/{name}", f"/mail/{place}/{name}:2,S")
    assert maildir.holds(IDENT)
    assert not maildir.holds(Mailbag().draft().deliveries[0].id[:-1] + "z")


def test_what_a_crash_left_in_tmp_is_written_anew() -> None:
    """The name belongs to this delivery alone."""
    disk = FakeDisk()
    disk.make_folders("/mail/tmp")
    disk.write_new(f"/mail/tmp/{name_of(IDENT)}", [b"half"])
    Maildir(disk, "/mail").deliver(IDENT, [b"whole\n"])
    (name,) = disk.list("/mail/new")
    assert b"whole\n" == disk.read(f"/mail/new/{name}") and [] == disk.list("/mail/tmp")


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
