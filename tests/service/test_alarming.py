"""The failure-rate alarm as an operator meets it: told once, listed, shown, closed; what a restart keeps."""

import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from covers import covers
from sekisho.model.event import DeliveryTried
from sekisho.model.incident import FAILURE_RATE, Incident
from sekisho.model.verdict import Reply
from sekisho.service import watching
from sekisho.service.messages import Deposit, IncidentAsk, Observe
from service.watch_site import HELLO, Site, play

MINUTE = 60 * 1_000_000
HOUR = 60 * MINUTE
Fate = Callable[[random.Random], tuple[str, str]]


def ordinary(chance: random.Random) -> tuple[str, str]:
    """Two in a hundred are refused."""
    return ("failed", "5yz") if chance.random() < 0.02 else ("delivered", "")


def spam(chance: random.Random) -> tuple[str, str]:
    """Unknown users, and large providers that have had enough."""
    drawn = chance.random()
    return ("failed", "5yz") if drawn < 0.25 else ("deferred", "4yz") if drawn < 0.45 else ("delivered", "")


def outage(chance: random.Random) -> tuple[str, str]:
    return "deferred", "dns"


class Traffic:
    def __init__(self, site: Site, seed: int = 1) -> None:
        self.site = site
        self.chance = random.Random(seed)
        self.number = 0
        self.began = site.fakes.clock.now()

    def result(self, at: int, account: str, fate: Fate) -> DeliveryTried:
        self.number += 1
        result, cause = fate(self.chance)
        return DeliveryTried(
            id=f"d{self.number}", at=at, source="log:maillog", account=account, address="192.0.2.1",
            message=f"m{self.number}", delivery="1", recipient=f"r{self.number}@d{self.number % 40}.example",
            result=result, reply=Reply(250, "", ""), cause=cause,  # type: ignore[arg-type]
        )  # fmt: skip

    async def flows(self, minutes: int, per_minute: float, accounts: Sequence[str], fate: Fate) -> None:
        """Time goes by, and each minute's results are told as they would be."""
        for _ in range(minutes):
            now = self.site.fakes.clock.now()
            count = int(per_minute) + (self.chance.random() < per_minute % 1)
            events = [self.result(now, self.chance.choice(accounts), fate) for _ in range(count)]
            await self.site.role.handle(Observe(tuple(events)))
            await self.site.fakes.clock.sleep(60)


STAFF = tuple(f"clerk{number}@example.com" for number in range(30))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(watching, "RHYTHM_S", 60.0)
    return Site(tmp_path, monkeypatch)


def alarms(site: Site) -> list[Incident]:
    return [one for one in site.house.incidents() if one.kind == FAILURE_RATE]


@covers("F-01", "O-02", "G-04")
@pytest.mark.parametrize("seed", range(5))
def test_spam_of_one_account_is_told_within_five_minutes(site: Site, seed: int) -> None:
    """After an hour of ordinary mail, and not before; naming the account; one letter, one line; one alarm
    however long it lasts; closed when it is over, and the next jump is another."""

    async def scene(site: Site) -> None:
        traffic = Traffic(site, seed)
        await traffic.flows(60, 10, STAFF, ordinary)
        assert [] == alarms(site)
        began = site.fakes.clock.now()
        for _ in range(30):
            await traffic.flows(1, 14, [HELLO], spam)
            await traffic.flows(1, 10, STAFF, ordinary)
        (alarm,) = alarms(site)
        assert HELLO == alarm.subject and HELLO in str(alarm.sentence)
        assert began <= alarm.opened <= began + 5 * MINUTE
        assert alarm.counters["failed"] == sum(
            alarm.counters[name] for name in ("5yz", "4yz", "dns", "timeout")
        )
        assert ["postmaster@example.com"] == [
            letter.recipient  # type: ignore[attr-defined]
            for letter in site.asked(Deposit)
        ]
        assert (alarm.sentence,) == site.role.alarms
        await traffic.flows(45, 10, STAFF, ordinary)
        assert alarms(site)[0].closed and () == site.role.alarms
        await traffic.flows(6, 14, [HELLO], spam)
        assert 2 == len(alarms(site))

    play(site, scene)


@covers("O-02")
def test_an_outage_of_dns_is_named_and_nobody_is(site: Site) -> None:
    """One alarm for the server, none for the accounts whose mail waits."""

    async def scene(site: Site) -> None:
        traffic = Traffic(site)
        await traffic.flows(30, 10, STAFF, ordinary)
        await traffic.flows(20, 30, STAFF[:2], outage)
        (alarm,) = alarms(site)
        assert ("server", True) == (alarm.subject, str(alarm.sentence).startswith("DNS gives no answers"))
        assert "@" not in str(alarm.sentence)

    play(site, scene)


@covers("O-02")
def test_what_is_no_jump(site: Site) -> None:
    """Three letters a day that all fail; a newsletter with 2 % refused and a third put off by greylisting; an
    unreachable host that is tried again and again."""

    async def scene(site: Site) -> None:
        traffic = Traffic(site)
        for _ in range(9):
            await traffic.flows(1, 1, STAFF, partial(_always, ("failed", "5yz")))
            await site.fakes.clock.sleep(8 * 3600)
        await traffic.flows(10, 80, ["news@example.com"], _greylisted)
        stuck = [traffic.result(site.fakes.clock.now(), name, outage) for name in STAFF[:10]]
        for place in range(40):
            now = site.fakes.clock.now()
            again = [_again(event, now, f"{event.id}-{place}") for event in stuck]
            await site.role.handle(Observe(tuple(again)))
            await site.fakes.clock.sleep(60)
        assert [] == alarms(site)

    play(site, scene)


def _always(fate: tuple[str, str], chance: random.Random) -> tuple[str, str]:
    return fate


def _greylisted(chance: random.Random) -> tuple[str, str]:
    drawn = chance.random()
    return ("failed", "5yz") if drawn < 0.02 else ("deferred", "4yz") if drawn < 0.35 else ("delivered", "")


def _again(event: DeliveryTried, at: int, ident: str) -> DeliveryTried:
    return replace(event, at=at, id=ident)


def test_of_a_contained_account_nobody_is_told_again(site: Site) -> None:
    """The alarm stands in the list; the operator has heard of the account, or has contained it."""

    async def scene(site: Site) -> None:
        traffic = Traffic(site)
        await site.ask("contain", HELLO)
        letters = len(site.asked(Deposit))
        await traffic.flows(6, 14, [HELLO], spam)
        (alarm,) = alarms(site)
        assert (HELLO, ()) == (alarm.subject, alarm.actions)
        assert letters == len(site.asked(Deposit))

    play(site, scene)


def test_an_alarm_outlives_a_restart_and_is_not_told_again(site: Site) -> None:
    """It stands in the list, and the same jump goes on under it; the operator may close it."""

    async def first(site: Site) -> None:
        traffic = Traffic(site)
        await traffic.flows(30, 10, STAFF, ordinary)
        await traffic.flows(6, 14, [HELLO], spam)

    play(site, first)
    (before,) = alarms(site)
    site.start_again()
    site.fakes.clock._now = before.opened + 6 * MINUTE

    async def second(site: Site) -> None:
        assert (before.sentence,) == site.role.alarms
        await Traffic(site, 2).flows(5, 14, [HELLO], spam)
        assert [before.id] == [alarm.id for alarm in alarms(site)]
        shown = await site.role.handle(_ask("show", before.id))
        assert before.id == shown.incidents[0].id  # type: ignore[union-attr]
        assert [] == [one for one in site.house.incidents() if one.kind != FAILURE_RATE]
        closed = await site.role.handle(_ask("release", before.id))
        assert closed.incidents[0].closed and () == site.role.alarms  # type: ignore[union-attr]

    play(site, second)


def _ask(verb: str, ident: str) -> IncidentAsk:
    return IncidentAsk(verb, ident, "operator ann")  # type: ignore[arg-type]
