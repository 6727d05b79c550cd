"""Our own addresses on block lists: asked when it is time, told in status and in open cases, forgotten when
they are off.
"""

from pathlib import Path

import pytest
from msgspec.structs import replace

from covers import covers
from guard.streams import HOUR
from sekisho.model.config import Source
from sekisho.service.listed import question
from sekisho.testing.world import FakeDns
from service.watch_site import Site, play

OURS, LIST = "192.0.2.25", "bl.example.net"
ASKED = f"25.2.0.192.{LIST}"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    site = Site(tmp_path, monkeypatch)
    guard = replace(site.config.guard, blocklists=(LIST,))
    site.config = replace(site.config, guard=guard, source={"a": Source(addresses=(OURS,))})
    site.dns = FakeDns(addresses={"mx.example.com": ["127.0.0.1", "2001:db8::25"]})
    site.start_again()
    return site


def answers(site: Site, *found: str) -> None:
    records = dict(site.dns.records["addresses"])
    records.pop(ASKED, None)
    site.dns.records["addresses"] = records | ({ASKED: found} if found else {})


def told(site: Site) -> list[str]:
    return [str(alarm) for alarm in site.role.alarms]


@covers("O-12", partly="a FBL or ARF report that is mapped to an account")
def test_a_listing_is_told_until_it_is_gone(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    """In status, in the log once, in the notes of an open case; over a restart too."""

    async def first(site: Site) -> None:
        await site.fakes.clock.sleep(1)
        assert told(site) == []
        answers(site, "127.0.0.2")
        await site.live(20)
        await site.attack()
        await site.fakes.clock.sleep(2 * 3600)  # a case is open: asked within the hour
        (alarm,) = told(site)
        assert f"our address {OURS} stands on the block list {LIST}" in alarm
        notes = [str(note) for note in (await site.ask("show", "hello@example.com")).notes]
        assert any(LIST in note for note in notes)
        assert capfd.readouterr().err.count(LIST) == 1

    async def second(site: Site) -> None:
        assert len(told(site)) == 1
        answers(site)
        await site.fakes.clock.sleep(2 * 3600)
        assert told(site) == []
        assert capfd.readouterr().err.count(LIST) == 0

    play(site, first)
    site.start_again()
    play(site, second)


@pytest.mark.parametrize("answer", ["127.255.255.254", "203.0.113.9", "SERVFAIL"])
def test_what_is_no_listing(site: Site, answer: str) -> None:
    """A list that will not answer us, a dead list whose domain is for sale, a resolver that is away."""

    async def scene(site: Site) -> None:
        if answer == "SERVFAIL":
            site.dns.fail.add(f"addresses {ASKED}")
        else:
            answers(site, answer)
        await site.fakes.clock.sleep(120)
        assert f"addresses {ASKED}" in site.dns.asked
        assert told(site) == []

    play(site, scene)


def test_it_is_asked_once_a_day_and_not_at_all_without_lists(site: Site) -> None:
    """Also about the addresses of our name, but not about loopback."""

    async def scene(site: Site) -> None:
        await site.fakes.clock.sleep(20 * 3600)
        assert site.dns.asked.count(f"addresses {ASKED}") == 1
        assert any(".8.b.d.0.1.0.0.2.bl.example.net" in each for each in site.dns.asked)
        assert not any("127.bl.example.net" in each for each in site.dns.asked)

    play(site, scene)
    site.config = replace(site.config, guard=replace(site.config.guard, blocklists=()))
    site.dns = FakeDns()
    site.start_again()

    async def silent(site: Site) -> None:
        await site.fakes.clock.sleep(HOUR / 1e6)
        assert site.dns.asked == []

    play(site, silent)


def test_the_question() -> None:
    """Octets and nibbles in reverse."""
    assert ASKED == question(OURS, LIST)
    long = question("2001:db8::1", "x.example")
    assert long.startswith("1.0.0.0.") and long.endswith(".8.b.d.0.1.0.0.2.x.example")
