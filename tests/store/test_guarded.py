"""Files that steer mail: read only from where nobody but their owner could have put something."""

import os
from pathlib import Path

import pytest

from sekisho.store import guarded
from sekisho.store.lists import Lists
from sekisho.world import Unavailable

LIMIT = 1000


def written(path: Path, text: str = "a@example.net\n") -> str:
    path.write_text(text)
    path.chmod(0o644)
    return str(path)


def why(path: str) -> str:
    with pytest.raises(Unavailable) as trouble:
        guarded.read(path, LIMIT)
    return trouble.value.why


def test_a_plain_file_of_ours_is_read(tmp_path: Path) -> None:
    """By its whole path, or below an open folder; None when there is none."""
    path = written(tmp_path / "list")
    text = guarded.read(path, LIMIT)
    assert text is not None and b"a@example.net\n" == text.data
    below = os.open(tmp_path, os.O_RDONLY)
    assert text == guarded.read("list", LIMIT, below)
    os.close(below)
    assert guarded.read(str(tmp_path / "absent"), LIMIT) is None
    assert guarded.read(str(tmp_path / "absent" / "list"), LIMIT) is None


def test_no_link_is_followed(tmp_path: Path) -> None:
    """Neither as the file nor as a folder on the way, nor upwards."""
    (tmp_path / "real").mkdir()
    written(tmp_path / "real" / "list")
    (tmp_path / "link").symlink_to(tmp_path / "real" / "list")
    (tmp_path / "folder").symlink_to(tmp_path / "real")
    assert "without following links" in why(str(tmp_path / "link"))
    assert "without following links" in why(str(tmp_path / "folder" / "list"))
    assert "without following links" in why(str(tmp_path / "real" / ".." / "real" / "list"))


def test_what_others_may_write_is_not_believed(tmp_path: Path) -> None:
    """Group, world, another owner, other kinds of files, too much."""
    path = written(tmp_path / "list")
    for mode in (0o664, 0o646):
        os.chmod(path, mode)
        assert "chmod go-w" in why(path)
    os.chmod(path, 0o644)
    os.mkfifo(tmp_path / "pipe")
    assert "no plain file" in why(str(tmp_path / "pipe"))
    assert "no plain file" in why(str(tmp_path))
    assert "more than 1000 bytes" in why(written(tmp_path / "big", "x" * 1001))
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
        assert "belongs to user 65534" in why(path)


def test_a_list_is_read_again_when_it_changes(tmp_path: Path) -> None:
    """Without a reload; a list that is broken or gone lets mail wait."""
    lists = Lists()
    path = written(tmp_path / "list")
    assert ("a@example.net",) == lists.addresses(path) == lists.addresses(path)
    written(tmp_path / "list", "a@example.net\nb@example.net\n")
    assert ("a@example.net", "b@example.net") == lists.addresses(path)
    written(tmp_path / "list", "a@example.net\n|/bin/sh\n")
    with pytest.raises(Unavailable, match="line 2"):
        lists.addresses(path)
    os.unlink(path)
    with pytest.raises(Unavailable, match="no such file"):
        lists.addresses(path)
