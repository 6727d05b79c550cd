"""Incidents, actions, what was performed and the guard's snapshots come back as they were."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from sekisho.model.action import Action, Performed
from sekisho.model.incident import Evidence, Grade, Incident
from sekisho.model.phrase import phrase
from sekisho.store.house import House
from sekisho.world import Unavailable

SENTENCE = phrase(
    "{account}: {parts}", account="hello@example.com", parts=(phrase("one"), phrase("two {n}", n=2))
)
INCIDENT = Incident(
    "i1", "hello@example.com", "takeover", Grade.CONTAIN, 10, SENTENCE,
    evidence=(Evidence(10, "network", 2.5, phrase("a new network"), event="e1"),), counters={"messages": 1},
)  # fmt: skip
ACTION = Action("a1", "hold_queue", "hello@example.com", "i1", 11, "guard", spare=("AS1/JP",))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.create(str(tmp_path))


def test_an_incident_comes_back_whole(house: House) -> None:
    """Nested sentences, evidence and counters included; saving again replaces."""
    house.save_incident(INCIDENT)
    assert INCIDENT == house.incident("i1")
    closed = replace(INCIDENT, closed=20, closed_why="released")
    house.save_incident(closed)
    assert closed == house.incident("i1")
    assert house.incident("i2") is None


def test_open_incidents_are_found(house: House) -> None:
    """The newest first, by subject, open only."""
    house.save_incident(INCIDENT)
    house.save_incident(replace(INCIDENT, id="i2", opened=30))
    house.save_incident(replace(INCIDENT, id="i3", opened=20, closed=25, subject="x@example.com"))
    assert ["i2", "i3", "i1"] == [incident.id for incident in house.incidents()]
    assert ["i2", "i1"] == [incident.id for incident in house.incidents(open_only=True)]
    assert ["i3"] == [incident.id for incident in house.incidents(subject="x@example.com")]
    assert ["i2"] == [incident.id for incident in house.incidents(limit=1)]


def test_what_is_planned_is_found_after_a_restart(house: House, tmp_path: Path) -> None:
    """An action is planned until it is saved as done; the order is that of the plan."""
    house.save_action(ACTION)
    house.save_action(replace(ACTION, id="a2", at=12, kind="refuse_logins"))
    again = House.open(str(tmp_path))
    assert ["a1", "a2"] == [action.id for action in again.planned()]
    again.save_action(replace(ACTION, status="done"))
    assert ["a2"] == [action.id for action in again.planned()]
    assert ["a1", "a2"] == [action.id for action in again.actions("i1")]
    assert "done" == (again.action("a1") or ACTION).status


def test_owners_report_once_each(house: House) -> None:
    """A second report of one owner replaces the first; an action that nobody planned has no report."""
    house.save_action(ACTION)
    house.save_performed(Performed("a1", "front-1", 12, ("d1",)))
    house.save_performed(Performed("a1", "front-1", 13, ("d1", "d2"), {"d1": "waiting"}, 1))
    house.save_performed(Performed("a1", "front-2", 14))
    assert [
        Performed("a1", "front-1", 13, ("d1", "d2"), {"d1": "waiting"}, 1),
        Performed("a1", "front-2", 14),
    ] == house.performed("a1")
    with pytest.raises(Unavailable):
        house.save_performed(Performed("nobody's", "front-1", 12))


def test_snapshots_are_bytes_by_name(house: House) -> None:
    """Saved together, read alone or by their beginning, in which % and _ are plain letters."""
    house.save_states({"guard/a_b": b"\x00\xff", "guard/axb": b"2", "other": b"3"}, 5)
    house.save_state("other", b"4", 6)
    assert b"\x00\xff" == house.state("guard/a_b")
    assert b"4" == house.state("other")
    assert {"guard/a_b": b"\x00\xff", "guard/axb": b"2"} == house.states("guard/")
    assert {"guard/a_b": b"\x00\xff"} == house.states("guard/a_")
    house.drop_state("other")
    assert house.state("other") is None
