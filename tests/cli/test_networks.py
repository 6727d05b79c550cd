"""`sekisho networks`: whose an address is, and an operator's own table."""

from pathlib import Path

import pytest

from cli.mailhome import MailHome
from command import sekisho


@pytest.fixture
def home(tmp_path: Path) -> MailHome:
    return MailHome(tmp_path)


def test_show_knows_owner_country_and_key(home: MailHome) -> None:
    """From the table that ships with the program; JSON has the same."""
    result = home("networks", "show", "93.85.128.230", "127.0.0.1", "5.161.1.1")
    owned, nowhere, shared = result.out.splitlines()
    assert "AS6697/BY" in owned and "Beltelecom" in owned
    assert "no place" in nowhere
    assert "5.161.1.0/24" in shared and "hosting, VPN or relay" in shared
    (row,) = home("networks", "show", "93.85.128.230", "--json").rows()
    assert (6697, "BY", "AS6697/BY") == (row["asn"], row["country"], row["key"])


def test_show_works_without_settings() -> None:
    """The question needs no installation."""
    assert "AS6697/BY" in sekisho("networks", "show", "93.85.128.230", "-c", "/nonexistent.toml").out


def test_update_replaces_the_table(home: MailHome, tmp_path: Path) -> None:
    """From CSV; what it does not know is unknown from then on; no server runs, and that is said."""
    (tmp_path / "mine.csv").write_text("start,end,asn,country,name\n203.0.113.0/24,,64500,JP,Ours\n")
    result = home("networks", "update", str(tmp_path / "mine.csv"))
    assert result.code == 0 and "next start" in result.out
    shown = home("networks", "show", "203.0.113.9", "93.85.128.230").out.splitlines()
    assert "AS64500/JP" in shown[0] and "Ours" in shown[0]
    assert "93.85.128.0/24" in shown[1] and "unknown owner" in shown[1]


@pytest.mark.parametrize("text", ["203.0.113.0/24,,64500,JP,Ours\nnonsense,,1,JP,x\n", "\x00\xff"])
def test_a_bad_file_replaces_nothing(home: MailHome, tmp_path: Path, text: str) -> None:
    """Usage error with the line, and the table is what it was."""
    (tmp_path / "bad.csv").write_bytes(text.encode("latin-1"))
    result = home("networks", "update", str(tmp_path / "bad.csv"))
    assert 64 == result.code
    assert "bad.csv" in result.err
    assert not (tmp_path / "networks.table").exists()
    assert "AS6697/BY" in home("networks", "show", "93.85.128.230").out
