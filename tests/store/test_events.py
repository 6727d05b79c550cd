"""The event archive: what was recorded is read back, in order, from plain and compressed days."""

import os
from pathlib import Path

import pytest

from sekisho.model.event import Connected, Event
from sekisho.store.events import EventLog, day_of, read_events, tidy

DAY = 86_400_000_000
START = 20_000 * DAY


def connected(at: int) -> Event:
    return Connected(id=f"id{at:020}", at=at, source="front", listener="mx", address="192.0.2.1")


def test_days_roles_and_compression(tmp_path: Path) -> None:
    """Two roles over three days: finished days are compressed, old ones removed, all that is kept is read
    in order."""
    folder = str(tmp_path / "events")
    fronts, watch = EventLog(folder, "front-1"), EventLog(folder, "watch")
    for day in range(3):
        for number in range(5):
            at = START + day * DAY + number
            fronts.append(connected(at * 2 - START))
            watch.append(connected(at * 2 - START + 1))
        fronts.flush(START + day * DAY)
        watch.flush(START + day * DAY)
    fronts.close()
    tidy(folder, "front-1", START + 2 * DAY, keep_days=90)
    names = sorted(os.listdir(folder))
    assert [f"{day_of(START)}.front-1.jsonl.zst", f"{day_of(START)}.watch.jsonl"] == names[:2]
    times = [event.at for event in read_events(folder)]
    assert 30 == len(times)
    tidy(folder, "front-1", START + 2 * DAY, keep_days=1)
    assert 25 == len(list(read_events(folder)))


def test_a_line_cut_by_a_crash_is_skipped(tmp_path: Path) -> None:
    """Half a line at the end of a file, and garbage within it, hide no other event."""
    log = EventLog(str(tmp_path), "front")
    log.append(connected(START))
    log.append(connected(START + 1))
    log.flush(START)
    log.close()
    path = tmp_path / f"{day_of(START)}.front.jsonl"
    path.write_bytes(b'\xff\x00{"event":"no such"}\n' + path.read_bytes() + b'{"event":"conn')
    assert [START, START + 1] == [event.at for event in read_events(str(tmp_path))]


def test_a_span_is_cut_at_its_ends(tmp_path: Path) -> None:
    """`since` is included, `until` is not."""
    log = EventLog(str(tmp_path), "front")
    for number in range(10):
        log.append(connected(START + number))
    log.flush(START)
    assert [START + 3, START + 4] == [e.at for e in read_events(str(tmp_path), START + 3, START + 5)]


def test_a_full_buffer_drops_and_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be kept is counted; the process does not grow without end."""
    monkeypatch.setattr("sekisho.store.events.BUFFER_LINES_MAX", 3)
    log = EventLog(str(tmp_path), "front")
    for number in range(5):
        log.append(connected(START + number))
    assert 2 == log.dropped


def test_a_line_without_bottom_is_skipped(tmp_path: Path) -> None:
    """Brackets a hundred thousand deep, as only a damaged disk would write them, hide no other event."""
    path = tmp_path / f"{day_of(START)}.front.jsonl"
    log = EventLog(str(tmp_path), "front")
    log.append(connected(START))
    log.flush(START)
    log.close()
    path.write_bytes(b'{"event":' + b"[" * 100_000 + b"\n" + path.read_bytes())
    assert [START] == [event.at for event in read_events(str(tmp_path))]
