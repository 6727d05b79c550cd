"""`sekisho newlines`: who ends lines in LF alone."""

import time
from pathlib import Path

from mailhome import MailHome
from msgspec import json

from sekisho.model.event import BareNewlines, Refused
from sekisho.store.events import day_of
from sekisho.wire.replies import BARE_NEWLINE


def mended(ident: str, at: int) -> BareNewlines:
    return BareNewlines(
        id=ident, at=at, source="front", address="192.0.2.9", message="m1", sender="scan@example.com",
        hello="scanner", count=12,
    )  # fmt: skip


def test_the_report_names_the_clients(tmp_path: Path) -> None:
    """Counted from the archive, the busiest first; JSON on request; a sentence when there are none."""
    home = MailHome(tmp_path)
    assert "No bare newline is known of the last 30 days." in home("newlines").out
    at = time.time_ns() // 1000
    events = [
        mended("1", at),
        Refused(
            id="2", at=at, source="front", address="192.0.2.8", stage="body", by="protocol",
            reply=BARE_NEWLINE, sender="", recipient="",
        ),
        mended("3", at),
    ]  # fmt: skip
    (tmp_path / "events").mkdir()
    lines = b"".join(json.encode(event) + b"\n" for event in events)
    (tmp_path / "events" / f"{day_of(at)}.front-1.jsonl").write_bytes(lines)
    first, second = home("newlines", "--days", "7").out.splitlines()
    assert (
        first.startswith("192.0.2.9 (EHLO scanner): 2 letters taken, 0 refusals")
        and "<scan@example.com>" in first
    )
    assert second.startswith("192.0.2.8 (EHLO ?): 0 letters taken, 1 refusals")
    rows = home("newlines", "--json").rows()
    assert [("192.0.2.9", 2, 0), ("192.0.2.8", 0, 1)] == [
        (r["address"], r["taken"], r["refused"]) for r in rows
    ]
