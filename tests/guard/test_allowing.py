"""The operator's exceptions: places that count as none, for whom they are meant, until their day."""

from datetime import UTC, datetime

import pytest

from covers import covers
from guard.streams import HOTEL, MINUTE, OWNER, START, Town, bot, strangers
from sekisho.guard.allowing import Allowed, end_of
from sekisho.model import config
from sekisho.model.config_guard import Allow
from sekisho.model.incident import Grade

FOREVER = "2099-12-31"


def town(**allow: Allow) -> Town:
    return Town(config.Guard(allow=allow)).lives(20)


@covers("O-18", partly="the benign month of a thousand accounts is tests/lab and docs/guard.md")
def test_an_allowed_network_is_no_evidence_and_no_trust() -> None:
    """A hundred sign-ins change nothing; other places are as strange as ever, and contained."""
    place = town(vpn=Allow(FOREVER, ("90.0.0.0/11",)))
    for _ in range(100):
        assert "pass" == place.wait(MINUTE).login(HOTEL).treatment
    assert "AS3215/FR" not in place.guard.memory(OWNER).provisional
    for number in range(5):
        place.wait(MINUTE).login(bot(number))
    assert Grade.CONTAIN <= place.grade()
    assert "pass" == place.login(HOTEL).treatment
    assert "refuse" == place.login(bot(9)).treatment


def test_it_is_for_those_who_are_named() -> None:
    """And for nobody else; the name's letters may be large."""
    place = town(one=Allow(FOREVER, ("90.0.0.0/11",), ("Other@example.com",)))
    assert "nowhere" != place.login(HOTEL).place
    assert "nowhere" == place.login(HOTEL, "other@example.com").place


def test_a_whole_account() -> None:
    """From everywhere: a monitor that comes from ever new places."""
    place = town(probe=Allow(FOREVER, (), (OWNER,)))
    for number in range(40):
        assert "pass" == place.wait(MINUTE).login(bot(number)).treatment
    assert Grade.CLEAR == place.grade()


@covers("O-18", partly="the benign month of a thousand accounts is tests/lab and docs/guard.md")
def test_a_thief_in_an_allowed_network_is_held_by_volume() -> None:
    """Looking away from the place is not looking away from the mail."""
    place = town(vpn=Allow(FOREVER, ("90.0.0.0/11",)))
    for number in range(40):
        last = place.wait(MINUTE).sends(HOTEL, strangers(20, f"{number}."))
    assert "hold" == last.treatment


@pytest.mark.parametrize(("days", "allowed"), [(0, True), (1, False)])
def test_it_ends_with_its_day(days: int, allowed: bool) -> None:
    """To the microsecond, in UTC."""
    day = datetime.fromtimestamp(START / 1e6, UTC).date().isoformat()
    found = Allowed({"x": Allow(day, ("90.0.0.0/11",))})
    assert found.covers(OWNER, HOTEL, end_of(day) - 1 + days) == allowed


@pytest.mark.parametrize(
    ("network", "address", "within"),
    [
        ("2001:db8::/32", "2001:db8:1::5", True),
        ("2001:db8::/32", "2001:db9::5", False),
        ("192.0.2.7/32", "192.0.2.7", True),
        ("192.0.2.7/32", "192.0.2.8", False),
        ("192.0.2.0/24", "::ffff:192.0.2.9", True),
        ("0.0.0.0/8", "nonsense", False),
        ("::/0", "192.0.2.1", False),
    ],
)
def test_addresses_of_both_families(network: str, address: str, within: bool) -> None:
    """What is no address is in no network."""
    assert Allowed({"x": Allow(FOREVER, (network,))}).covers(OWNER, address, START) == within
