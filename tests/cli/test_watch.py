"""`sekisho watch` on the logs of another server: what it learns, finds, keeps, and does not tell twice."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.mailhome import MailHome
from cli.mailtown import VICTIM, Town, botnet, office, polling, telephone
from command import sekisho
from covers import covers

DAYS = 6
BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(days=DAYS)


def honest(seed: int = 1) -> Town:
    town = Town(seed, BEGAN)
    polling(town, VICTIM, town.address(), DAYS)
    telephone(town, "phone@corp.example", DAYS)
    office(town, [f"clerk{n}@corp.example" for n in range(6)], town.address(), DAYS)
    return town


def write(town: Town, folder: Path) -> Path:
    """As rotation leaves it: a packed file, an older one, the present one."""
    lines = town.text().splitlines(keepends=True)
    third = len(lines) // 3
    (folder / "maillog.2.gz").write_bytes(gzip.compress(b"".join(lines[:third])))
    (folder / "maillog.1").write_bytes(b"".join(lines[third : 2 * third]))
    (folder / "maillog").write_bytes(b"".join(lines[2 * third :]))
    return folder / "maillog"


def stolen(town: Town) -> None:
    botnet(town, BEGAN + timedelta(days=DAYS, hours=-2), 1, 20)


def once(path: Path, *words: str, code: int) -> list[Any]:
    result = sekisho("watch", str(path), "--once", "--json", *words)
    assert code == result.code, result.err
    return result.rows()


@covers("F-01", "O-02")
def test_failing_mail_is_told_with_the_account(tmp_path: Path) -> None:
    """The source's case by its logs: an hour of ordinary mail, then one account's letters of which nearly
    half are refused. One alarm, within five minutes, not before; `incident list` has it."""
    for name in ("house", "log"):
        (tmp_path / name).mkdir()
    home = MailHome(tmp_path / "house")
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=70)
    town = Town(3, began)
    for minute in range(60):
        at = began + timedelta(minutes=minute)
        town.login(at, "submission", "clerk@corp.example", "60.1.1.10")
        town.message(at, "clerk@corp.example", [f"friend{minute % 9}@friends{minute % 5}.example"])
    attack = began + timedelta(hours=1)
    for number in range(8):
        at = attack + timedelta(seconds=40 * number)
        town.login(at, "submission", VICTIM, town.address())
        strangers = [f"x{number}.{place}@d{place}.example" for place in range(20)]
        town.message(at + timedelta(seconds=4), VICTIM, strangers, 9)
    (tmp_path / "log" / "maillog").write_bytes(town.text())
    found = home("watch", str(tmp_path / "log" / "maillog"), "--once", "--json").rows()
    (alarm,) = [case for case in found if case["kind"] == "failure_rate"]
    opened = datetime.fromtimestamp(alarm["opened"] / 1e6, UTC)
    assert VICTIM == alarm["subject"]
    assert attack <= opened <= attack + timedelta(minutes=5)
    (line,) = [line for line in home("incident", "list").out.splitlines() if "mail fails" in line]
    assert VICTIM in line and "refused (5yz)" in line
    assert "拒否 (5yz)" in home("incident", "show", alarm["id"], language="ja").out


@covers("O-01")
def test_a_theft_is_found_by_the_logs_alone(tmp_path: Path) -> None:
    """Without any set-up: the rotated files taught what is usual, the present one shows the strangers."""
    town = honest()
    stolen(town)
    found = once(write(town, tmp_path), code=1)
    assert {VICTIM} == {case["subject"] for case in found}
    assert "takeover" == found[0]["kind"]


def test_honest_people_are_left_alone(tmp_path: Path) -> None:
    """Nothing is printed, exit code 0; how much was read is said."""
    path = write(honest(), tmp_path)
    result = sekisho("watch", str(path), "--once")
    assert (0, "") == (result.code, result.out)
    lines = int(result.err.split("lines read")[0].split()[-1])
    assert lines == len(honest().lines)


def test_cases_are_kept_and_told_once(tmp_path: Path) -> None:
    """With settings: `incident list` and `show` know the case; a second run reads nothing twice."""
    for name in ("house", "log"):
        (tmp_path / name).mkdir()
    home = MailHome(tmp_path / "house")
    town = honest()
    stolen(town)
    path = write(town, tmp_path / "log")
    with path.open("a") as log:
        log.write("what no dialect knows\n")
    first = home("watch", str(path), "--once", "--json")
    assert (1, VICTIM) == (first.code, first.rows()[0]["subject"]), first.err
    (line,) = [line for line in home("incident", "list").out.splitlines() if "contained" in line]
    assert VICTIM in line
    assert "networks" in home("incident", "show", VICTIM).out
    again = home("watch", str(path), "--once")
    assert (0, "") == (again.code, again.out)
    assert "0 lines read, 0 events, 0 lines not understood" in again.err


def test_what_was_stolen_long_ago_is_history(tmp_path: Path) -> None:
    """It teaches, and nobody is woken for it."""
    town = honest()
    botnet(town, BEGAN + timedelta(days=3), 1, 20)
    assert [] == once(write(town, tmp_path), code=0)


@pytest.mark.parametrize("name", [".", "mail*"])
def test_folders_and_patterns(tmp_path: Path, name: str) -> None:
    """The living files in it; what is no text is left alone."""
    town = honest()
    stolen(town)
    write(town, tmp_path)
    (tmp_path / "maillastlog").write_bytes(b"\0" * 4096)
    found = once(tmp_path / name, code=1)
    assert {VICTIM} == {case["subject"] for case in found}


def test_a_place_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    """With --once there is nothing to read, and nothing wrong."""
    assert [] == once(tmp_path / "later" / "maillog", code=0)


def test_json_is_the_case_as_it_is_kept(tmp_path: Path) -> None:
    """One object a line, the evidence in it."""
    town = honest()
    stolen(town)
    found = once(write(town, tmp_path), code=1)
    assert {"id", "subject", "kind", "grade", "opened", "sentence", "evidence"} <= set(found[0])
    assert json.dumps(found)
