"""`sekisho config`: mistakes, values with their origin, meanings."""

from pathlib import Path

import pytest

from command import sekisho
from sekisho.store.schema import all_fields

TEXT = 'hostname = "mx.example.com"\n[limits]\nerrors = 7\n'


@pytest.fixture
def path(tmp_path: Path) -> str:
    (tmp_path / "sekisho.toml").write_text(TEXT)
    return str(tmp_path / "sekisho.toml")


def test_check_names_every_mistake(path: str) -> None:
    """All of them with file and line, exit code 78, also as JSON."""
    Path(path).write_text(TEXT + "recipents = 1\n[queue]\nactive = 1\n")
    result = sekisho("config", "check", "-c", path)
    assert 78 == result.code
    lines = result.err.splitlines()
    assert [
        f"sekisho: {path}:4 limits.recipents: there is no key recipents in limits; the nearest is recipients",
        f"sekisho: {path}:6 queue.active: this must be a whole number, 100 or more, not 1",
    ] == lines
    (row,) = sekisho("config", "check", "-c", path, "--json").rows()
    assert [f"{path}:4 limits.recipents", f"{path}:6 queue.active"] == [
        one["place"] for one in row["mistakes"]
    ]


def test_check_looks_at_the_files_too(path: str) -> None:
    """Settings that are right by themselves, without databases and certificate."""
    result = sekisho("config", "check", "-c", path)
    assert 78 == result.code
    assert "there is no house.db" in result.err and "the certificate cannot be used" in result.err


def test_every_command_refuses_bad_settings(path: str) -> None:
    """The first mistake, with its place."""
    Path(path).write_text(TEXT + "recipents = 1\n")
    result = sekisho("account", "list", "-c", path)
    assert 78 == result.code and f"{path}:4 limits.recipents" in result.err


def test_show_says_value_and_origin(path: str) -> None:
    """What the file says with its line; with --effective every default too."""
    assert (
        f'hostname = "mx.example.com"  # {path}:1\nlimits.errors = 7  # {path}:3\n'
        == sekisho("config", "show", "-c", path).out
    )
    rows = sekisho("config", "show", "--effective", "--json", "-c", path).rows()
    values = {row["setting"]: (row["value"], row["origin"]) for row in rows}
    assert (7, f"{path}:3") == values["limits.errors"]
    assert (10, "default") == values["limits.bad_recipients"]
    assert (str(Path(path).parent), "default") == values["state"]
    plain = [field for field in all_fields() if field.table is None and len(field.place) < 3]
    assert len(plain) <= len(values)


def test_describe_has_every_setting() -> None:
    """In sentences and as JSON; one table alone; an unknown one is a usage error."""
    rows = sekisho("config", "describe", "--json").rows()
    assert len(all_fields()) == len(rows)
    assert all(row["about"] and row["kind"] for row in rows)
    out = sekisho("config", "describe", "limits").out
    assert "limits.errors = 20" in out and "guard" not in out
    assert 64 == sekisho("config", "describe", "nonsense").code
