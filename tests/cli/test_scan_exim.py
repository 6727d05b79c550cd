"""`sekisho scan` on Exim's main log: a planted takeover is found, and nobody else is accused."""

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from cli.eximtown import EximTown
from cli.mailtown import VICTIM, Attack, botnet, knocking, office, polling, telephone
from cli.test_scan import only, report
from command import sekisho

BERLIN = timezone(timedelta(hours=2))


def attacked(path: Path, seed: int, *, long_ids: bool) -> Attack:
    town = EximTown(seed, datetime(2023, 7, 3, tzinfo=BERLIN), long_ids=long_ids)
    polling(town, VICTIM, town.address(), 6)
    polling(town, "boss@corp.example", town.address(), 6)
    telephone(town, "phone@corp.example", 6)
    office(town, [f"clerk{n}@corp.example" for n in range(12)], town.address(), 6)
    attack = botnet(town, town.start + timedelta(days=4, hours=2), 20, 70)
    knocking(town, attack.last + timedelta(minutes=40), 1, 40, timedelta(hours=1))
    path.write_bytes(town.text())
    return attack


def found_in(path: Path, *words: str) -> dict[str, Any]:
    return report(path, "--zone", "+02:00", *words, code=1)


@pytest.mark.parametrize(("seed", "long_ids"), [(1, False), (2, True)])
def test_a_planted_takeover_in_exim_s_log(tmp_path: Path, seed: int, long_ids: bool) -> None:
    """Both forms of message ids; every letter is joined to its sign-in for certain; none is stolen by a
    subject."""
    attack = attacked(tmp_path / "mainlog", seed, long_ids=long_ids)
    told = found_in(tmp_path / "mainlog", "--what-if")
    case = only(told)
    assert (VICTIM, "takeover", 0) == (case["account"], case["kind"], told["unparsed"])
    for true, said in ((attack.first, case["first"]), (attack.last, case["last"])):
        assert timedelta(0) <= datetime.fromisoformat(said) - true < timedelta(seconds=10)
    assert len(attack.uses) <= case["distinct_addresses"] <= len(attack.uses) + 1
    assert {1.0} == {join["confidence"] for join in case["joins"]}
    assert attack.refused == case["bounced"]
    assert attack.recipients <= case["recipients"] <= attack.recipients + 20
    assert 40 == case["after"]["failures"]
    assert case["messages_before"] <= 5
    assert [] == [one for one in told["would_have_bothered"] if one["grade"] != "watch"]


def test_a_failure_in_both_logs_counts_once(tmp_path: Path) -> None:
    """Exim writes it into its main log and its reject log."""
    attacked(tmp_path / "mainlog", 3, long_ids=False)
    lines = (tmp_path / "mainlog").read_text().splitlines(keepends=True)
    (tmp_path / "rejectlog").write_text("".join(line for line in lines if "authenticator failed" in line))
    assert 40 == only(found_in(tmp_path))["after"]["failures"]


def test_nobody_is_accused_in_an_honest_exim_log(tmp_path: Path) -> None:
    """People at home, in the office and on the road, three days of them."""
    town = EximTown(4, datetime(2022, 9, 5, 8, tzinfo=BERLIN))
    polling(town, "home@corp.example", town.address(), 3)
    telephone(town, "phone@corp.example", 3)
    office(town, [f"clerk{n}@corp.example" for n in range(20)], town.address(), 3)
    (tmp_path / "mainlog").write_bytes(town.text())
    told = report(tmp_path / "mainlog", "--what-if", code=0)
    assert ([], []) == (told["incidents"], told["would_have_bothered"])


def test_masked_and_as_a_page(tmp_path: Path) -> None:
    """`--mask` blurs accounts and addresses of this dialect too; the page names what was found."""
    attacked(tmp_path / "mainlog", 5, long_ids=True)
    page = tmp_path / "r.html"
    result = sekisho("scan", "--mask", "--html", str(page), str(tmp_path / "mainlog"))
    assert 1 == result.code
    for shown in (result.out, page.read_text()):
        assert "account1@example" in shown
        assert VICTIM not in shown and "strangers.example" not in shown
    assert "Exim" not in result.err


def test_only_exim(tmp_path: Path) -> None:
    """`--format` takes that dialect and no other."""
    attacked(tmp_path / "mainlog", 6, long_ids=False)
    told = report(tmp_path / "mainlog", "--format", "exim", code=1)
    other = report(tmp_path / "mainlog", "--format", "qmail", code=0)
    assert {"exim": told["lines"]} == told["dialects"]
    assert other["lines"] == other["unparsed"]


def test_the_zone_of_a_clock_on_the_wall_is_said_to_be_a_guess(tmp_path: Path) -> None:
    """Exim's own stamps have a year and no zone; with `log_timezone` they have one."""
    attacked(tmp_path / "mainlog", 7, long_ids=False)
    assert "zone of this computer" in report(tmp_path / "mainlog", code=1)["assumed"]["how"]
    lines = [f"{line[:19]} +0200{line[19:]}" for line in (tmp_path / "mainlog").read_text().splitlines()]
    (tmp_path / "mainlog").write_text("\n".join(lines) + "\n")
    told = report(tmp_path / "mainlog", code=1)
    assert ("the stamps tell it", "+02:00", 0) == (
        told["assumed"]["how"],
        told["assumed"]["zone"],
        told["unparsed"],
    )
