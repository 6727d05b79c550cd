"""`sekisho simulate` as an operator types it."""

import pytest

from command import sekisho
from covers import covers
from sekisho.lab.attacks import KINDS

SMALL = ("--accounts", "60", "--days", "6", "--learning", "10")


def test_it_reports_every_attack_and_the_honest_in_sentences() -> None:
    """One kind, one line about how soon it was stopped and one about what it cost the owner."""
    result = sekisho("simulate", *SMALL, "--attack", "botnet", "--each", "2")
    assert result.code == 0 and not result.err
    assert "botnet: 2 of 2 contained" in result.out
    assert "Honest account-days: " in result.out
    assert "newsletter" in result.out


def test_json_has_every_figure() -> None:
    """Median and 90th percentile, detected of how many, false alarms, speed and size."""
    result = sekisho(
        "simulate", *SMALL, "--attack", "residential", "--attack", "botnet", "--each", "1", "--json"
    )
    (report,) = result.rows()
    assert [one["kind"] for one in report["attacks"]] == ["botnet", "residential"]
    for one in report["attacks"]:
        assert one["attacks"] == one["detected"] == 1
        assert {"median", "p90"} == one["messages"].keys() == one["recipients"].keys()
    assert report["honest"]["account_days"] > 0
    assert {"contained_per_1000", "visible_per_1000"} <= report["honest"].keys()
    assert report["events_per_s"] > 0 and report["bytes_per_account"]["median"] > 0
    assert report["newsletters"]["accounts"] >= 1


def test_the_same_seed_reports_the_same() -> None:
    """Another one does not."""
    first, again, other = (
        sekisho("simulate", *SMALL, "--seed", seed, "--attack", "none", "--json").rows()[0] for seed in "112"
    )
    assert first["honest"] == again["honest"] and first["events"] == again["events"]
    assert first["events"] != other["events"]


def test_without_the_table_the_gate_knows_no_country() -> None:
    """The same traffic; a rule that counts countries cannot fire, and the guard still contains the botnet."""
    words = (*SMALL, "--attack", "botnet", "--each", "1", "--json")
    postfwd = [*words, "--policy", "postfwd"]
    known, unknown = (
        sekisho("simulate", *postfwd, *more).rows()[0]["attacks"][0] for more in ((), ("--no-table",))
    )
    assert known["messages"]["median"] < unknown["messages"]["median"]
    (report,) = sekisho("simulate", *words, "--no-table").rows()
    assert report["attacks"][0]["detected"] == 1


def test_an_unknown_attack_is_a_usage_error() -> None:
    """With the names that are known."""
    result = sekisho("simulate", "--attack", "flood")
    assert result.code == 64
    assert all(kind in result.err for kind in KINDS)


@covers("O-18", partly="the mobile churn and the office are smaller than 200 users")
@pytest.mark.timeout(600)
def test_a_thousand_honest_accounts_for_a_month() -> None:
    """Phones behind CGNAT, travellers, offices, VPNs, newsletters: hardly anybody is bothered."""
    (report,) = sekisho("simulate", "--accounts", "1000", "--attack", "none", "--seed", "3", "--json").rows()
    assert report["honest"]["account_days"] > 25_000
    assert report["honest"]["visible_per_1000"] < 1
    assert report["newsletters"]["hit"] <= report["newsletters"]["accounts"] * 0.2
