"""`sekisho alias` beyond single names: lists in files, circles named, the check of all of them."""

import os
from pathlib import Path

import pytest
from mailhome import MailHome

from sekisho.store.house import Change
from sekisho.store.vault import Vault


@pytest.fixture
def home(tmp_path: Path) -> MailHome:
    home = MailHome(tmp_path)
    Vault.create(str(tmp_path), b"k" * 32).close()
    assert 0 == home("account", "add", "hello@example.com", "--no-password").code
    return home


def staff(home: MailHome, text: str) -> str:
    path = home.folder / "staff"
    path.write_text(text)
    path.chmod(0o644)
    return f":include:{path}"


def test_a_list_in_a_file_leads_to_those_in_it(home: MailHome) -> None:
    """Read when asked, so that who edits the file needs no command."""
    target = staff(home, "hello@example.com\nbob@example.net\n")
    assert 0 == home("alias", "add", "staff@example.com", target).code
    (row,) = home("alias", "show", "staff@example.com", "--json").rows()
    assert ["hello@example.com", "bob@example.net"] == row["leads_to"]
    staff(home, "bob@example.net\n")
    (row,) = home("alias", "show", "staff@example.com", "--json").rows()
    assert ["bob@example.net"] == row["leads_to"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("|/bin/sh\n", "not an address: line 1: |/bin/sh"),
        ("nobody@example.com\n", "nobody is here of the name nobody@example.com"),
        ("staff@example.com\n", "a circle: staff@example.com > staff@example.com"),
    ],
)
def test_a_list_is_looked_at_before_it_is_used(home: MailHome, text: str, why: str) -> None:
    """What would run something, lead nowhere or in a circle is refused; nothing is written then."""
    result = home("alias", "add", "staff@example.com", staff(home, text))
    assert 1 == result.code
    assert why in result.err
    assert 1 == home("alias", "remove", "staff@example.com").code


def test_a_list_is_a_file_by_its_whole_path(home: MailHome) -> None:
    """Relative paths, steps upwards, control characters, absent files, links."""
    for path in ("staff", "/tmp/../etc/staff", "/tmp/a\nb", str(home.folder / "absent")):
        code = 1 if path.endswith("absent") else 64
        assert code == home("alias", "add", "x@example.com", f":include:{path}").code
    (home.folder / "link").symlink_to("/etc/hostname")
    result = home("alias", "add", "x@example.com", f":include:{home.folder / 'link'}")
    assert "without following links" in result.err


def test_the_check_names_circles_strangers_and_lost_lists(home: MailHome) -> None:
    """Aliases that were right when they were written: their targets went away, or a file changed."""
    assert "none in a circle" in home("alias", "check").out
    home("account", "add", "bob@example.com", "--no-password")
    home("alias", "add", "sales@example.com", "bob@example.com")
    home("alias", "add", "ring@example.com", staff(home, "hello@example.com\n"))
    home("alias", "add", "ring2@example.com", "ring@example.com")
    with home.house() as house:
        house.remove_account("bob@example.com", Change(2, "test", "removed", "bob@example.com"))
    staff(home, "ring2@example.com\n")
    result = home("alias", "check")
    assert 1 == result.code
    assert "sales@example.com leads to bob@example.com, and nobody is here of that name" in result.out
    assert (
        "ring@example.com leads in a circle: ring@example.com > ring2@example.com > ring@example.com"
        in result.out
    )
    os.unlink(home.folder / "staff")
    flaws = [row["flaw"] for row in home("alias", "check", "--json").rows()]
    assert any("ring@example.com waits for" in flaw and "there is no such file" in flaw for flaw in flaws)
