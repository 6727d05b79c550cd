"""Recipient verification on the wire: the hub is asked at RCPT, its answers are remembered, its silence is
not held against anybody.
"""

import contextlib
import time
from pathlib import Path

from covers import covers

from .test_routing import from_outside, routed

HUB = """
[routing.rules.rest]
recipients = ["ours"]
users = "unknown"
to = "mx:hub.example.net"
verify = true
[routing.verification]
silent_s = 1
"""


@covers("M-07")
def test_whom_the_hub_does_not_know_is_refused_at_rcpt(tmp_path: Path) -> None:
    """550 in the session, and asked once; whom it knows is delivered; whom we have is never asked about. When
    it is down 451 for whom it was not asked about, until it is back.
    """
    with routed(tmp_path / "site", HUB) as (site, there):
        there.known = {"taro@example.com", "late@example.com"}
        assert 550 == from_outside(site, "gone@example.com")["gone@example.com"][0]
        asked = there.sink.connections
        assert b"5.1.1" in from_outside(site, "gone@example.com")["gone@example.com"][1]
        assert (1, asked) == (asked, there.sink.connections)
        assert not from_outside(site, "taro@example.com", "hana@example.com")
        (letter,) = there.wait_for(1)
        assert ("taro@example.com",) == letter.recipients and ["gone@example.com"] == there.sink.refused
        there.close()
        refused = from_outside(site, "late@example.com", "taro@example.com")
        assert ["late@example.com"] == list(refused) and 451 == refused["late@example.com"][0]
        there.open()
        time.sleep(1.5)
        assert not from_outside(site, "late@example.com")
        with contextlib.suppress(AssertionError):  # it may have gone already, with the other one
            site.run("queue", "retry", "--recipient", "taro@example.com", "--yes")
        assert {("late@example.com",), ("taro@example.com",)} == {
            each.recipients for each in there.wait_for(3)[1:]
        }


def test_a_hub_that_puts_off_says_nothing_of_the_user(tmp_path: Path) -> None:
    """451; and where the settings say `take`, the letter is taken and waits here."""
    with routed(tmp_path / "site", HUB) as (site, there):
        there.later = True
        assert 451 == from_outside(site, "taro@example.com")["taro@example.com"][0]
        site.settings.write_text(site.settings.read_text() + 'unanswered = "take"\n')
        site.stop()
        site.start()
        assert not from_outside(site, "taro@example.com")
        deadline = time.monotonic() + 60
        while "greylisted" not in site.run("queue", "list") and time.monotonic() < deadline:
            time.sleep(0.1)
        there.later = False
        site.run("queue", "retry", "--recipient", "taro@example.com", "--yes")
        there.wait_for(1)
