"""A containment beside another mail server: its queue is held, let go and told through `Hands`."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from guard.streams import HOME, bot
from sekisho.model.action import Kind
from sekisho.model.incident import Grade
from sekisho.model.selector import Selector
from sekisho.service.channel import NotDone
from sekisho.service.hands import HandsChannel
from sekisho.service.watching import WatchRole
from sekisho.world import Unavailable
from service.test_watching import HELLO, Site, play


class Elsewhere:
    """Another server's queue: two letters that can be held."""

    def __init__(self, kinds: frozenset[Kind]) -> None:
        self.kinds = kinds
        self.held: set[str] = set()
        self.asked: list[Selector] = []
        self.posted: list[str] = []
        self.away = False

    async def hold(self, action: str, selector: Selector) -> Sequence[str]:
        if self.away:
            raise Unavailable("postqueue", "gone")
        self.asked.append(selector)
        self.held |= {"4F1", "4F2"}
        return ("4F1", "4F2")

    async def release(self, held: str, ids: Sequence[str], account: str) -> Sequence[str]:
        self.held -= set(ids)
        return ids

    async def purge(self, selector: Selector) -> Sequence[str]:
        return ()

    async def post(self, recipient: str, letter: bytes) -> None:
        self.posted.append(recipient)


QUEUE: frozenset[Kind] = frozenset({"hold_queue", "release_queue", "notify"})


def beside(folder: Path, monkeypatch: pytest.MonkeyPatch, hands: Elsewhere) -> Site:
    site = Site(folder, monkeypatch)
    channel = HandsChannel(site.fakes.world, site.house, hands)
    site.role = WatchRole(
        site.fakes.world, site.config, site.house, [channel], site.recording, hands.kinds  # type: ignore[arg-type]
    )  # fmt: skip
    return site


def test_a_foreign_queue_is_held_and_let_go_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the account, its own networks spared; the release lets go exactly what was held. Logins are not
    refused where nobody asks us, and nothing claims it."""
    hands = Elsewhere(QUEUE)
    site = beside(tmp_path, monkeypatch, hands)

    async def scene(site: Site) -> None:
        await site.live(20)
        await site.attack()
        (case,) = site.house.incidents(open_only=True)
        assert {"4F1", "4F2"} == hands.held
        assert HELLO == hands.asked[0].account and "AS2516/JP" in hands.asked[0].spare
        kinds = {action.kind for action in site.house.actions(case.id)}
        assert {"hold_queue", "notify", "alarm"} == kinds
        assert [HELLO, "postmaster@example.com"] == hands.posted
        assert (await site.ask("release", case.id, keep_password=True)).complete
        assert set() == hands.held
        assert Grade.CLEAR == site.role.guard.memory(HELLO).grade

    play(site, scene)


def test_a_server_that_is_away_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it answers the hold is planned, not done."""
    hands = Elsewhere(QUEUE)
    site = beside(tmp_path, monkeypatch, hands)

    async def scene(site: Site) -> None:
        await site.live(20)
        hands.away = True
        await site.attack()
        assert ["hold_queue"] == [action.kind for action in site.house.planned()]
        hands.away = False
        await site.fakes.clock.sleep(5)
        assert [] == site.house.planned() and {"4F1", "4F2"} == hands.held

    play(site, scene)


def test_without_hands_only_a_case_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No action is planned that nobody could perform; the case can be released all the same."""
    hands = Elsewhere(frozenset())
    site = beside(tmp_path, monkeypatch, hands)

    async def scene(site: Site) -> None:
        await site.live(20)
        await site.attack()
        (case,) = site.house.incidents(open_only=True)
        assert Grade.CONTAIN == case.grade
        assert {"alarm"} == {action.kind for action in site.house.actions(case.id)}
        assert [] == site.house.planned()
        assert (await site.ask("release", case.id, keep_password=True)).incidents[0].closed
        assert (await site.judged(lambda: site.town.login(bot(0)))).grade < Grade.CONTAIN

    play(site, scene)


def test_an_account_of_the_other_server_can_be_contained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is none of ours, but the guard has heard of it; one that nobody has heard of is a mistake."""
    hands = Elsewhere(QUEUE)
    site = beside(tmp_path, monkeypatch, hands)

    async def scene(site: Site) -> None:
        await site.observe(lambda: site.town.login(HOME, account="theirs@example.net"))
        (case,) = (await site.ask("contain", "theirs@example.net")).incidents
        assert Grade.CONTAIN == case.grade and {"4F1", "4F2"} == hands.held
        with pytest.raises(NotDone, match="there is no account"):
            await site.ask("contain", "nobody@example.net")

    play(site, scene)
