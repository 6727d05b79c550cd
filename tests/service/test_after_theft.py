"""How a containment ends: with a password that the thief does not have."""

from collections.abc import Callable
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from msgspec.structs import replace

from covers import covers
from guard.streams import HOUR, MINUTE, bot
from sekisho.model.config_guard import Allow
from sekisho.model.incident import Grade
from sekisho.service.messages import Observe
from sekisho.service.zone import moment
from sekisho.store.house import Change
from service.watch_site import HELLO, Site, play


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(tmp_path, monkeypatch)


def change_password(site: Site) -> None:
    """As `sekisho account password` leaves its line in the audit."""
    site.house.note(Change(site.town.at + 1, "operator ann", "password set", HELLO))
    site.town.wait(60_000_000)


async def robbed(site: Site) -> str:
    await site.live(20)
    await site.attack()
    (case,) = site.house.incidents(open_only=True)
    return case.id


@covers("O-04")
def test_a_release_waits_for_a_new_password(site: Site) -> None:
    """Refused with what to do, and nothing is done; after the change it goes."""

    async def scene(site: Site) -> None:
        case = await robbed(site)
        refused = await site.ask("release", case)
        assert not refused.changed and "sekisho account password hello@example.com" in str(refused.blocked)
        assert (await site.ask("release", case, dry_run=True)).blocked is not None
        assert (await site.judged(lambda: site.town.login(bot(9)))).treatment == "refuse"
        assert [case] == [each.id for each in site.house.incidents(open_only=True)]
        change_password(site)
        assert (await site.ask("release", case)).changed
        assert site.house.incidents(open_only=True) == []

    play(site, scene)


def test_a_password_changed_before_the_theft_was_seen_is_the_stolen_one(site: Site) -> None:
    """What the thief came in with may be the new one."""

    async def scene(site: Site) -> None:
        await site.live(20)
        change_password(site)
        await site.attack()
        assert (await site.ask("release", HELLO)).blocked is not None

    play(site, scene)


@pytest.mark.parametrize("word", ["teach", "keep_password"])
def test_the_operator_may_know_better(site: Site, word: str) -> None:
    """It was the owner; or nobody else can have the password."""

    async def scene(site: Site) -> None:
        case = await robbed(site)
        assert (await site.ask("release", case, **{word: True})).changed

    play(site, scene)


def test_too_much_mail_of_ones_own_is_no_theft(site: Site) -> None:
    """A hold of the cap says nothing about the password."""

    async def scene(site: Site) -> None:
        await site.live(20)
        case = await robbed(site)
        found = site.house.incident(case)
        assert found is not None and found.kind == "takeover" and found.grade >= Grade.CONTAIN
        site.role._cases.open[HELLO] = volume = type(found)(
            found.id, HELLO, "volume", Grade.LOCK, found.opened, found.sentence
        )
        site.house.save_incident(volume)
        answer = await site.ask("release", case)
        assert answer.changed and answer.blocked is None

    play(site, scene)


@covers("O-10")
@pytest.mark.parametrize("changed", [True, False])
def test_a_second_theft_refers_to_the_first(site: Site, changed: bool) -> None:
    """It says whether the password had been changed in between, for that tells where to look."""

    async def scene(site: Site) -> None:
        first = await robbed(site)
        assert not any("Contained before" in str(note) for note in (await site.ask("show", first)).notes)
        if changed:
            change_password(site)
        await site.ask("release", first, keep_password=True)
        second = await robbed(site)
        assert second != first
        told = " ".join(str(note) for note in (await site.ask("show", second)).notes)
        assert f"(case {first})" in told
        assert ("the new one is known too" in told) == changed
        assert ("was not changed in between" in told) != changed
        assert "whoever stole it still has it" in told
        last = message_from_bytes(site.letters("postmaster@example.com")[-1].letter, policy=policy.default)
        assert f"(case {first})" in last.get_content()

    play(site, scene)


def knock(site: Site, number: int, account: str = HELLO) -> object:
    """A wrong password from one of the thief's addresses."""
    site.town.wait(5 * MINUTE)
    return site.town.fails(bot(number), account)


async def told(site: Site) -> str:
    answer = await site.ask("show", HELLO)
    return " ".join(str(note) for note in answer.notes)


@covers("F-11", "O-10")
def test_show_says_whether_they_still_try(site: Site) -> None:
    """Live: count, addresses, pace, the last one; and a day later that they gave up. A restart forgets
    nothing."""

    async def first(site: Site) -> None:
        await robbed(site)
        assert "2 tries from 2 addresses since the containment" in await told(site)  # of the five that came
        await site.judged(lambda: site.town.wait(MINUTE).login(bot(7)))
        for number in range(12):
            await heard(site, lambda number=number: knock(site, number))
        text = await told(site)
        assert "15 tries from 12 addresses since the containment" in text and "still trying" in text
        assert "3 of them had the right password." in text
        answer = await site.ask("show", HELLO)
        assert answer.after is not None and (15, 3) == (answer.after.tries, answer.after.right)

    async def second(site: Site) -> None:
        site.town.wait(26 * HOUR)
        assert "they have given up, it has been quiet for 26 h." in await told(site)

    play(site, first)
    site.start_again()
    play(site, second)


@covers("O-10", "O-11")
def test_another_account_that_they_try_is_named_and_told_of(site: Site) -> None:
    """In `incident show`, and once by mail."""

    async def scene(site: Site) -> None:
        await robbed(site)
        before = len(site.letters("postmaster@example.com"))
        for number in (0, 1, 2, 3):
            await heard(site, lambda number=number: knock(site, number, "anna@example.com"))
        await site.settle()
        assert "at the same pace: anna@example.com." in await told(site)
        letters = site.letters("postmaster@example.com")
        assert len(letters) == before + 1
        text = message_from_bytes(letters[-1].letter, policy=policy.default).get_content()
        assert "anna@example.com" in text

    play(site, scene)


@covers("O-11")
@pytest.mark.parametrize("guessed", [True, False])
def test_how_the_password_may_have_been_lost(site: Site, guessed: bool) -> None:
    """The first sign-in from an unfamiliar place; the wrong passwords before it, and whether they came from
    there."""

    async def scene(site: Site) -> None:
        await site.live(20)
        for number in range(3 if guessed else 0):
            await heard(site, lambda number=number: knock(site, number))
        await site.attack()
        text = await told(site)
        assert f"The first sign-in from an unfamiliar place was at {moment(site.first)}" in text
        assert ("3 wrong passwords were tried in the month before" in text) == guessed
        assert ("No wrong password was heard of before" in text) != guessed

    play(site, scene)


@covers("O-18", partly="the benign month of a thousand accounts is tests/lab and docs/guard.md")
def test_exceptions_are_in_the_audit(site: Site) -> None:
    """Each once, when it comes, changes and goes."""

    def audited() -> list[tuple[str, str]]:
        return [(change.what, change.detail) for change in reversed(site.house.audit("vpn"))]

    async def scene(site: Site) -> None:
        for allow in ({"vpn": Allow("2099-12-31", ("90.0.0.0/11",), why="ann asked")},) * 2 + ({},):
            site.set_clock()
            site.role.reload(replace(site.config, guard=replace(site.config.guard, allow=allow)))
            await site.settle()
            standing = await site.judged(lambda: site.town.login("90.1.1.10"))
            assert ("nowhere" == standing.place) == bool(allow)
        detail = "90.0.0.0/11 for all until 2099-12-31: ann asked"
        assert [("guard allows", detail), ("guard allows no more", detail)] == audited()

    play(site, scene)


async def heard(site: Site, happens: Callable[[], object]) -> None:
    """As a front tells watch of failures."""
    before = len(site.town.fed)
    happens()
    site.set_clock()
    await site.role.handle(Observe(tuple(site.town.fed[before:])))
