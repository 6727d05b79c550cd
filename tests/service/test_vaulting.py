"""The vault's answers, and what they cost: work is counted, not timed."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from sekisho.host import HostSpawn
from sekisho.model import config
from sekisho.model.account import Account, Domain
from sekisho.model.secret import Secret
from sekisho.service.channel import NotDone
from sekisho.service.messages import StatusAsk, Verified, VerifyPassword
from sekisho.service.vaulting import UNDER_WAY_PER_LOGIN, VaultRole
from sekisho.store.directory import Directory
from sekisho.store.hashes import Hashes
from sekisho.store.hashing import make_hash, matches
from sekisho.store.house import Change, House
from sekisho.store.vault import Vault
from sekisho.testing.loop import run
from sekisho.testing.world import Fakes, FakeSpawn, fakes
from sekisho.world import Unavailable, World

CHANGE = Change(1, "operator test", "tested", "x")
HELLO = "hello@example.com"


class Counting:
    """A hash that costs a virtual 20 ms: knows what it was asked, and how many ran at once."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []

    def __call__(self, stored: str, password: bytes) -> bool:
        self.asked.append((stored, password))
        return stored.encode() == b"hash of " + password


class Crowd(FakeSpawn):
    """Threads that take a while; remembers the most at once."""

    def __init__(self) -> None:
        super().__init__(lambda: 0.02)
        self.now = 0
        self.most = 0

    async def thread(self, work: Callable[[], object]) -> object:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            return await super().thread(work)
        finally:
            self.now -= 1


class Place:
    """A house with a few people, and a vault role on it."""

    def __init__(self, folder: Path, limits: config.Vault) -> None:
        self.house = House.create(str(folder))
        self.vault = Vault.create(str(folder), b"k" * 32)
        self.house.save_domain(Domain("example.com"), CHANGE)
        self.house.save_account(Account(HELLO), CHANGE)
        self.house.save_account(Account("quiet@example.com"), CHANGE)
        self.vault.save(HELLO, "hash of right", 1)
        self.spawn = Crowd()
        self.fakes: Fakes = fakes(spawn=self.spawn)
        self.counting = Counting()
        directory = Directory.open(str(folder), self.fakes.clock)
        hashes = Hashes.open(str(folder), self.fakes.clock)
        self.role = VaultRole(self.fakes.world, limits, directory, hashes, self.counting)

    async def verify(self, login: str, password: str) -> Verified:
        answer = await self.role.handle(VerifyPassword(login, Secret(password.encode()), "submission"))
        assert isinstance(answer, Verified)
        return answer

    @property
    def work(self) -> int:
        return len(self.counting.asked)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, config.Vault())


def test_right_and_wrong(place: Place) -> None:
    """The canonical address for the right password, whatever the case of the login; else nothing."""

    async def scene() -> None:
        assert Verified(HELLO, "", "") == replace(await place.verify("Hello@Example.COM", "right"), digest="")
        assert ("", "password") == outcome(await place.verify(HELLO, "wrong"))
        assert ("", "unknown_user") == outcome(await place.verify("nobody@example.com", "right"))
        assert ("", "password") == outcome(await place.verify("quiet@example.com", "right"))
        assert ("", "password") == outcome(await place.verify(HELLO, "right" + "!" * 2000))
        assert ("", "unknown_user") == outcome(await place.verify("hello+x@example.com", "right"))

    run(scene())


def outcome(verified: Verified) -> tuple[str, str]:
    return verified.account, verified.why


def test_unknown_and_wrong_cost_the_same_work(place: Place) -> None:
    """One hash each; repeated, none. No account, an account without password, a hostile name: the same."""

    async def scene() -> None:
        for login in (
            HELLO,
            "nobody@example.com",
            "quiet@example.com",
            "' or 1=1--",
            "x\0y@example.com",
            "h\uff45llo",
        ):
            before = place.work
            await place.verify(login, "wrong")
            assert 1 == place.work - before
            await place.verify(login, "wrong")
            assert 1 == place.work - before
            await place.verify(login, "another")
            assert 2 == place.work - before

    run(scene())
    assert {b"wrong", b"another"} == {password for _, password in place.counting.asked}


def test_a_right_password_is_remembered_for_minutes(place: Place) -> None:
    """A fleet of mail programs costs one hash; after the time another."""

    async def scene() -> None:
        for _ in range(50):
            assert HELLO == (await place.verify(HELLO, "right")).account
        assert 1 == place.work
        await place.fakes.clock.sleep(299)
        await place.verify(HELLO, "right")
        assert 1 == place.work
        await place.fakes.clock.sleep(2)
        assert HELLO == (await place.verify(HELLO, "right")).account
        assert 2 == place.work

    run(scene())


def test_a_new_password_ends_both_memories(place: Place) -> None:
    """The old one is wrong at once, and the new one right although it was wrong a moment ago."""

    async def scene() -> None:
        await place.verify(HELLO, "right")
        assert "" == (await place.verify(HELLO, "next")).account
        place.vault.save(HELLO, "hash of next", 2)
        await place.fakes.clock.sleep(0.3)
        assert "" == (await place.verify(HELLO, "right")).account
        assert HELLO == (await place.verify(HELLO, "next")).account

    run(scene())


def test_a_memory_is_of_one_login_and_one_password(place: Place) -> None:
    """Another account's right password opens nothing, nor do parts that add up to the same text."""
    place.house.save_account(Account("boss@example.com"), CHANGE)
    place.vault.save("boss@example.com", "hash of right", 1)

    async def scene() -> None:
        await place.verify(HELLO, "right")
        assert "boss@example.com" == (await place.verify("boss@example.com", "right")).account
        assert 2 == place.work
        assert "" == (await place.verify("boss@example.co", "mright")).account

    run(scene())


@pytest.mark.parametrize("change", [{"locked_at": 5}, {"sends": False}, {"active": False}])
def test_who_may_not_log_in_is_denied_only_with_the_right_password(
    place: Place, change: dict[str, int]
) -> None:
    """Locked, not a sender, inactive: with a wrong password nothing of it shows."""

    async def scene() -> None:
        assert HELLO == (await place.verify(HELLO, "right")).account
        place.house.save_account(replace(Account(HELLO), **change), CHANGE)
        await place.fakes.clock.sleep(0.3)
        assert ("", "denied") == outcome(await place.verify(HELLO, "right"))
        assert ("", "password") == outcome(await place.verify(HELLO, "wrong"))

    run(scene())


def test_the_same_question_asked_at_once_is_answered_once(place: Place) -> None:
    """Fifty sessions of one bot with one wrong password are one hash, also while it is under way."""

    async def scene() -> None:
        answers = await asyncio.gather(*(place.verify(HELLO, "wrong") for _ in range(50)))
        assert {("", "password")} == {outcome(answer) for answer in answers}
        assert 1 == place.work

    run(scene())


def test_hashes_run_a_few_at_once_and_wait_in_a_bounded_line(tmp_path: Path) -> None:
    """Two at once, three waiting; the sixth is told to come later, and afterwards there is room again."""
    place = Place(tmp_path, config.Vault(concurrency=2, waiting=3))

    async def scene() -> None:
        logins = [place.verify(f"user{n}@example.com", "x") for n in range(7)]
        answers = await asyncio.gather(*logins, return_exceptions=True)
        assert 2 == sum(isinstance(answer, Unavailable) for answer in answers)
        assert 2 == place.spawn.most
        assert 5 == place.work
        assert HELLO == (await place.verify(HELLO, "right")).account

    run(scene())


def test_one_login_does_not_take_everybodys_turns(place: Place) -> None:
    """Who guesses at one account is told to come later; others' logins go on."""

    async def scene() -> None:
        guesses = [place.verify(HELLO, f"guess {n}") for n in range(100)]
        answers, other = await asyncio.gather(
            asyncio.gather(*guesses, return_exceptions=True), place.verify("nobody@example.com", "x")
        )
        assert 100 - UNDER_WAY_PER_LOGIN == sum(isinstance(answer, Unavailable) for answer in answers)
        assert "unknown_user" == other.why
        assert HELLO == (await place.verify(HELLO, "right")).account

    run(scene())


def test_a_client_that_leaves_does_not_take_the_answer_along(place: Place) -> None:
    """The hash goes on, others who wait for it get it, and it is remembered."""

    async def scene() -> None:
        leaving = asyncio.create_task(place.verify(HELLO, "right"))
        staying = asyncio.create_task(place.verify(HELLO, "right"))
        await asyncio.sleep(0.01)
        leaving.cancel()
        assert HELLO == (await staying).account
        assert HELLO == (await place.verify(HELLO, "right")).account
        assert 1 == place.work

    run(scene())


def test_memory_is_bounded(tmp_path: Path) -> None:
    """More passwords than entries: the oldest are hashed again, nothing grows."""
    place = Place(tmp_path, config.Vault(cache_entries=3))

    async def scene() -> None:
        for n in range(10):
            await place.verify(HELLO, f"wrong {n}")
        await place.verify(HELLO, "wrong 9")
        assert 10 == place.work
        await place.verify(HELLO, "wrong 0")
        assert 11 == place.work

    run(scene())


def test_a_digest_tells_repetition_and_nothing_else(place: Place) -> None:
    """16 bits of a keyed hash: the same for the same login and password, another for others."""

    async def scene() -> None:
        one = (await place.verify(HELLO, "wrong")).digest
        assert 4 == len(one) and one == (await place.verify(HELLO, "wrong")).digest
        many = {(await place.verify(HELLO, f"wrong {n}")).digest for n in range(40)}
        assert 35 < len(many) <= 40
        assert one != (await place.verify("nobody@example.com", "wrong")).digest

    run(scene())


def test_the_vault_answers_nothing_else(place: Place) -> None:
    """Another request is refused, not ignored."""

    async def scene() -> None:
        with pytest.raises(NotDone):
            await place.role.handle(StatusAsk())

    run(scene())


def test_a_vault_that_cannot_be_read_is_unavailable(place: Place, tmp_path: Path) -> None:
    """A locked or missing file is no wrong password."""
    locker = sqlite3.connect(tmp_path / "vault.db", isolation_level=None)
    locker.execute("begin exclusive")

    async def scene() -> None:
        with pytest.raises(Unavailable):
            await place.verify(HELLO, "right")

    run(scene())
    locker.close()


def test_with_real_hashes_in_real_threads(tmp_path: Path) -> None:
    """argon2id, the host's threads, a real loop; two accents of one password are one."""
    place = Place(tmp_path, config.Vault())
    place.vault.save(HELLO, make_hash("caf\u00e9 creme".encode(), b"s" * 16), 2)

    async def scene() -> None:
        spawn = HostSpawn(2)
        world = place.fakes.world
        real = World(world.clock, world.chance, world.dns, world.net, world.disk, spawn, None)
        directory = Directory.open(str(tmp_path), world.clock)
        role = VaultRole(real, config.Vault(), directory, Hashes.open(str(tmp_path), world.clock), matches)
        for password, account in (("cafe\u0301 creme", HELLO), ("cafe creme", "")):
            request = VerifyPassword(HELLO, Secret(password.encode()), "submission")
            assert account == (await role.verify(request)).account
        await spawn.stop()

    asyncio.run(scene())
