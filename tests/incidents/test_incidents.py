"""Every threshold of the guard has an incident that it must find and an honest stream that it must leave
alone, and each incident really holds the constants that it names: changed, one of the two is no longer true.

A constant of guard/ *decides* if another value of it would make another finding, another grade, another
treatment of a client, or another moment of these. What does not decide is listed here, with the reason.
"""

from functools import cache
from pathlib import Path

import pytest

from covers import covers
from incidents.constants import changed, changing, constants
from incidents.stream import HONEST, Stream, differs, play, streams

UNITS = "a unit of time"
STORAGE = "how much is remembered, shown or stored"
WORDS = "told in a sentence only"
AFTERWARDS = "what is told of a case that is contained already, held by tests/guard/test_aftermath.py"
TABLE = "how the network table is read; tests/guard/test_networks.py"
LIST = "a list, not a number; its entries have tests in tests/guard/test_rules.py"
QUEUE = "what the spool and the shell do; tests/service/test_watching.py"

UNDECIDED = {
    "after_lock.SECOND": UNITS,
    "hindsight.SECOND": UNITS,
    "hindsight.HOUR": UNITS,
    "hindsight.DAY": UNITS,
    "memory.SECOND": UNITS,
    "memory.MINUTE": UNITS,
    "memory.HOUR": UNITS,
    "memory.DAY": UNITS,
    "memory.DIGEST_BYTES": STORAGE,
    "volume.SLOTS": STORAGE,
    "volume.PAUSE": WORDS,
    "wording.NETWORKS_NAMED": WORDS,
    "wording.HISTORY_DAYS": WORDS,
    "wording.NOTABLE": WORDS,
    "network_csv.NAME_LIMIT": TABLE,
    "networks.NOWHERE": TABLE,
    "packing.MAGIC": TABLE,
    "packing.RANGES_IN_BLOCK": TABLE,
    "packing.NAMES_IN_BLOCK": TABLE,
    "packing._HEAD_LIMIT": TABLE,
    "networks._NOWHERE_4": TABLE,
    "networks._NOWHERE_6": TABLE,
    "hosting._SELLS": LIST,
    "standing._PLACES": LIST,
    "standing._STRENGTH": LIST,
    "hosting.HOSTING": LIST,
    "standing.LOGIN": LIST,
    "contain.NOWHERE_KEY": LIST,
    "failures.SERVER": LIST,
    "failures.OURS": LIST,
    "tally.CAUSES": LIST,
    "tally.SLOT": "by so much the window moves at once",
    "aftermath.RELATED_TRIES": AFTERWARDS,
    "aftermath.WATCHED": AFTERWARDS,
    "aftermath.QUIET_FOR": AFTERWARDS,
    "aftermath.GAVE_UP_PERIODS": AFTERWARDS,
    "aftermath.BEFORE": AFTERWARDS,
    "aftermath.SAME_PACE": AFTERWARDS,
    "aftermath.PACE_TRIES": AFTERWARDS,
    "allowing.EPOCH": UNITS,
    "settings.allow": LIST,
    "settings.blocklists": AFTERWARDS,
    "settings.enabled": QUEUE,
    "settings.held_messages": QUEUE,
    "settings.held_bytes": QUEUE,
    "settings.networks": TABLE,
    "settings.webmail": LIST,
    "settings.help_url": WORDS,
}
STORED = "_KEPT"
"""Constants that end so say how much is remembered."""

SEVERITY = ("pass", "delay", "hold", "refuse")


@cache
def everything() -> dict[str, Stream]:
    return {stream.name: stream for stream in streams()}


INCIDENTS = sorted(name for name in everything() if not name.endswith(HONEST))
THRESHOLDS = [name for name in constants() if name not in UNDECIDED and not name.endswith(STORED)]


@covers("F-07")
@pytest.mark.parametrize("name", sorted(everything()))
def test_what_must_be_found_is_found_and_nothing_else(name: str, tmp_path: Path) -> None:
    """Each stream, played as production plays it, comes to exactly what its head says."""
    stream = everything()[name]
    assert differs(stream, play(stream, tmp_path)) == ""


@pytest.mark.parametrize("name", INCIDENTS)
def test_an_incident_asks_for_something_and_has_an_honest_companion(name: str, tmp_path: Path) -> None:
    """The companion raises no grade above a watch and holds nothing, unless its head says what may be."""
    head = everything()[name].head
    assert head.finds or head.treats or head.alarms or head.report
    honest = everything()[name + HONEST]
    outcome = play(honest, tmp_path)
    most = honest.head.at_most
    grades = {grade for account in outcome.finds.values() for grade in account.values()}
    assert most == "contain" or grades <= {"watch"}
    allowed = SEVERITY[: SEVERITY.index(most) + 1] if most in SEVERITY else SEVERITY
    assert {treatment.split()[0] for treatment in outcome.treats.values()} <= set(allowed)
    assert most == "report" or not outcome.report


@pytest.mark.parametrize("name", THRESHOLDS)
def test_every_threshold_is_held_by_an_incident(name: str, tmp_path: Path) -> None:
    """Changed as the incident says, halved and doubled as a rule, one of its two streams fails."""
    held = [(one, change) for one in INCIDENTS for change in everything()[one].head.holds.get(name, ())]
    assert held, f"no incident in tests/incidents names {name}: see the README there"
    for incident, change in held:
        value = changed(name, change)
        assert value != constants()[name], f"{incident} changes {name} to what it is"
        pair = everything()[incident], everything()[incident + HONEST]
        with changing(name, value):
            assert any(differs(stream, play(stream, tmp_path)) for stream in pair), (
                f"{incident} comes true with {name} = {value} too"
            )


def test_every_name_is_a_constant() -> None:
    """No incident, and no reason above, names a constant that is gone."""
    named = {constant for one in INCIDENTS for constant in everything()[one].head.holds}
    assert named <= set(constants())
    assert set(UNDECIDED) <= set(constants())
    assert not named & set(UNDECIDED)


def test_companions_have_an_incident() -> None:
    """An honest stream without its incident would be played, but hold nothing."""
    assert {name.removesuffix(HONEST) for name in everything()} == set(INCIDENTS)
