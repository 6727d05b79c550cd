"""The demo's script, from its seed."""

from pathlib import Path

import pytest

from sekisho.lab.cast import (
    HISTORY_DAYS,
    HOUSEHOLD,
    NEWSLETTER,
    OFFICE,
    OWNER,
    PHONE,
    TRAVELLER,
    write_script,
)
from sekisho.lab.history import read_history, write_history
from sekisho.lab.places import MadeUp
from sekisho.lab.scenes import scenes
from sekisho.lab.visits import DAY

PLAN = MadeUp(1)
NOW = 1_790_000_000_000_000
SEEDS = range(1, 9)


@pytest.mark.parametrize("seed", SEEDS)
def test_everybody_writes_and_the_owner_and_the_traveller_in_the_attack_too(seed: int) -> None:
    """Home, phone, office, traveller, newsletter; then the botnet, with other addresses every time."""
    script = write_script(seed, PLAN.find, NOW)
    assert {OWNER, TRAVELLER, PHONE, NEWSLETTER, *OFFICE} <= {visit.account for visit in script.honest}
    begin, end = script.stolen[0].at, script.stolen[-1].at
    for account in (OWNER, TRAVELLER):
        assert [visit for visit in script.honest if visit.account == account and begin < visit.at < end]
    assert len({visit.address for visit in script.stolen}) == len(script.stolen) >= 30
    assert {visit.account for visit in script.stolen} == {OWNER}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_traveller_is_abroad_and_has_been_for_days(seed: int) -> None:
    """The guard has seen that country in the history."""
    script = write_script(seed, PLAN.find, NOW)
    assert script.away != script.country
    days = [
        (visit.at - script.day) // DAY
        for visit in script.history
        if visit.account == TRAVELLER and PLAN.find(visit.address).country == script.away
    ]
    assert days and min(days) <= -2


def test_the_botnet_knows_dead_addresses_and_the_customers_do_not() -> None:
    """Thirty in a hundred of the botnet's recipients are refused; else only the newsletter's."""
    script = write_script(3, PLAN.find, NOW)
    stolen = [letter for visit in script.stolen for letter in visit.letters]
    share = sum(len(one.refused) for one in stolen) / sum(len(one.recipients) for one in stolen)
    assert 0.2 < share < 0.4
    assert {visit.account for visit in script.honest for one in visit.letters if one.refused} <= {NEWSLETTER}


def test_seeds_differ_and_repeat() -> None:
    """Another seed has other people, paces and hours; the same one is the same."""
    first, second = write_script(1, PLAN.find, NOW), write_script(2, PLAN.find, NOW)
    assert first == write_script(1, PLAN.find, NOW)
    assert first.strikes_at - first.day != second.strikes_at - second.day
    assert not {visit.address for visit in first.stolen} & {visit.address for visit in second.stolen}


def test_scenes_are_in_time_order_with_a_token_for_every_letter() -> None:
    """Letters from outside are among them."""
    day = scenes(write_script(4, PLAN.find, NOW))
    assert [scene.at for scene in day] == sorted(scene.at for scene in day)
    tokens = [paper.token for scene in day for paper in scene.papers]
    assert len(set(tokens)) == len(tokens)
    assert {scene.side for scene in day} == {"customer", "bot", "outside"}


def test_the_history_is_a_file_that_scan_could_read(tmp_path: Path) -> None:
    """A month of events, all before the day, without fingerprints; private to its owner."""
    script = write_script(5, PLAN.find, NOW)
    path, count = write_history(str(tmp_path), script, PLAN.find)
    events = [event for batch in read_history(path) for event in batch]
    assert len(events) == count > 1000
    assert {event.account for event in events} <= {account for account, _ in HOUSEHOLD.residents}
    assert all(event.at < script.day for event in events)
    assert events[-1].at - events[0].at > (HISTORY_DAYS - 2) * DAY
    assert not [event for event in events if getattr(event, "fingerprint", "")]
    assert (tmp_path / "history.jsonl").stat().st_mode & 0o077 == 0
