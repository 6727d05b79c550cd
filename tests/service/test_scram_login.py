"""SCRAM at the vault and in a session: who gets keys, what a stranger can learn, what the guard hears."""

import base64
import hashlib
import hmac
import sqlite3
from pathlib import Path

import pytest
from msgspec import Struct
from msgspec.structs import replace
from reception_stage import Client, Stage, play

from covers import covers
from sekisho.model import config
from sekisho.model.account import Account, Domain
from sekisho.model.event import LoginTried
from sekisho.model.incident import Standing
from sekisho.model.secret import Secret
from sekisho.service.accounts import Accounts, Hands
from sekisho.service.messages import AskSalt, Request, Salted, Verified, VerifyPassword, VerifyProof
from sekisho.service.vaulting import KEYS_AGAIN, VaultRole
from sekisho.store.directory import Directory
from sekisho.store.hashes import Hashes
from sekisho.store.hashing import make_hash
from sekisho.store.house import Change, House
from sekisho.store.scram_keys import ScramKeys, make_keys
from sekisho.store.vault import Vault
from sekisho.testing.loop import run
from sekisho.testing.world import fakes
from sekisho.wire.client_login import Derive, Scram
from sekisho.world import Unavailable

CHANGE = Change(1, "operator test", "tested", "x")
ALICE, BOB = "alice@example.com", "bob@example.com"
PASSWORD = "correct horse"
FEW = config.Vault(scram_rounds=4096)


class Place:
    """alice's password was set here; bob came with nothing but a hash."""

    def __init__(self, folder: Path, limits: config.Vault = FEW) -> None:
        self.folder = folder
        self.house, self.vault = House.create(str(folder)), Vault.create(str(folder), b"k" * 32)
        self.fakes = fakes()
        self.house.save_domain(Domain("example.com"), CHANGE)
        hands = Hands("operator test", self.fakes.clock, self.fakes.chance)
        self.accounts = Accounts(self.house, self.vault, hands, limits.scram_rounds)
        self.accounts.add(ALICE, Secret(PASSWORD.encode()), "")
        self.accounts.add(BOB, None, "")
        self.vault.save(BOB, make_hash(PASSWORD.encode(), b"b" * 16), 1)
        self.role = self.restarted(limits)

    def restarted(self, limits: config.Vault = FEW) -> VaultRole:
        clock = self.fakes.clock
        hashes = Hashes.open(str(self.folder), clock)
        return VaultRole(self.fakes.world, limits, Directory.open(str(self.folder), clock), hashes)

    async def salted(self, login: str) -> Salted:
        answer = await self.role.handle(AskSalt(login))
        assert isinstance(answer, Salted)
        return answer

    async def scram(self, login: str, password: str = PASSWORD) -> Verified:
        salted = await self.salted(login)
        keys = make_keys(password.encode(), salted.salt, salted.rounds)
        message = b"what was said"
        signature = hmac.digest(keys.stored, message, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key(password, salted), signature, strict=True))
        question = VerifyProof(login, message, base64.b64encode(proof).decode(), "submission")
        answer = await self.role.handle(question)
        assert isinstance(answer, Verified)
        if answer.account:
            assert hmac.digest(keys.server, message, "sha256") == answer.signature
        return answer

    async def plain(self, login: str, password: str = PASSWORD) -> Verified:
        answer = await self.role.handle(VerifyPassword(login, Secret(password.encode()), "submission"))
        assert isinstance(answer, Verified)
        await self.fakes.clock.sleep(1)  # keys are made behind the answer, and seen a moment later
        return answer


def client_key(password: str, salted: Salted) -> bytes:
    key = hashlib.pbkdf2_hmac("sha256", password.encode(), salted.salt, salted.rounds)
    return hmac.digest(key, b"Client Key", "sha256")


def why(verified: Verified) -> tuple[str, str]:
    return verified.account, verified.why


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_password_that_is_set_has_keys(place: Place) -> None:
    """At once; in any spelling of the name; and a wrong one has not."""

    async def scene() -> None:
        assert (ALICE, "") == why(await place.scram(ALICE))
        assert (ALICE, "") == why(await place.scram("Alice@EXAMPLE.com"))
        wrong = await place.scram(ALICE, "wrong")
        assert ("", "password", b"") == (*why(wrong), wrong.signature)

    run(scene())


def test_an_account_with_a_hash_alone_gets_keys_by_its_first_plain_login(place: Place) -> None:
    """Not by a wrong one; and they are there after a restart."""

    async def scene() -> None:
        assert ("", "password") == why(await place.scram(BOB))
        assert ("", "password") == why(await place.plain(BOB, "wrong"))
        assert ("", "password") == why(await place.scram(BOB))
        assert (BOB, "") == why(await place.plain(BOB))
        assert (BOB, "") == why(await place.scram(BOB))
        place.role = place.restarted()
        assert (BOB, "") == why(await place.scram(BOB))

    run(scene())


def test_keys_that_are_lost_are_made_again_without_a_restart(place: Place) -> None:
    """The login that came when the loss was not seen yet does not count as the one that made them."""

    async def scene() -> None:
        assert (ALICE, "") == why(await place.plain(ALICE))
        with sqlite3.connect(place.folder / "vault.db") as file:
            file.execute("delete from scram")
            file.execute("update notes set value = value + 1 where name = 'changes'")
        await place.fakes.clock.sleep(1)
        assert ("", "password") == why(await place.scram(ALICE))
        assert (ALICE, "") == why(await place.plain(ALICE))
        assert (ALICE, "") == why(await place.scram(ALICE))

    run(scene())


def test_keys_that_could_not_be_kept_are_kept_later(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk was full at the first login. Not at each login meanwhile: keys cost a tenth of a second."""
    tried = []

    def full(self: Hashes, address: str, stored: str, keys: ScramKeys) -> None:
        tried.append(address)
        raise Unavailable("vault.db", "database or disk is full")

    async def scene() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Hashes, "keep", full)
            assert (BOB, "") == why(await place.plain(BOB))
            assert (BOB, "") == why(await place.plain(BOB))
        assert [BOB] == tried and ("", "password") == why(await place.scram(BOB))
        await place.fakes.clock.sleep(KEYS_AGAIN / 1_000_000)
        assert (BOB, "") == why(await place.plain(BOB))
        assert (BOB, "") == why(await place.scram(BOB))

    run(scene())


def test_a_vault_of_before_scram_is_good_for_it(place: Place) -> None:
    """A file without the table: nobody has keys, the first right password makes it; so does a new one."""
    with sqlite3.connect(place.folder / "vault.db") as old:
        old.execute("drop table scram")

    async def scene() -> None:
        place.role = place.restarted()
        assert ("", "password") == why(await place.scram(ALICE))
        assert (ALICE, "") == why(await place.plain(ALICE))
        assert (ALICE, "") == why(await place.scram(ALICE))
        place.accounts.set_password(BOB, Secret(b"another one"))
        await place.fakes.clock.sleep(1)
        assert (BOB, "") == why(await place.scram(BOB, "another one"))

    run(scene())


def test_a_new_password_ends_the_old_keys(place: Place) -> None:
    """Also when keys of the old one are just being made."""

    async def scene() -> None:
        place.accounts.set_password(ALICE, Secret(b"another one"))
        await place.fakes.clock.sleep(1)
        assert ("", "password") == why(await place.scram(ALICE))
        assert (ALICE, "") == why(await place.scram(ALICE, "another one"))
        place.vault.save(BOB, "another hash", 2)
        stale = make_keys(PASSWORD.encode(), b"s" * 16, 4096)
        Hashes.open(str(place.folder), place.fakes.clock).keep(BOB, make_hash(b"x" * 8, b"b" * 16), stale)
        await place.fakes.clock.sleep(1)
        assert ("", "password") == why(await place.scram(BOB))
        place.accounts.remove(ALICE)
        place.accounts.add(ALICE, None, "")
        await place.fakes.clock.sleep(1)
        assert ("", "password") == why(await place.scram(ALICE, "another one"))

    run(scene())


def test_salts_tell_nothing(place: Place) -> None:
    """An account with keys, one without, and none at all: each name has its own salt, always the same, also
    when keys are made or the server starts again.
    """

    async def scene() -> None:
        names = (ALICE, BOB, "nobody@example.com", "' or 1=1--", "x\0y@example.com")
        before = [await place.salted(name) for name in names]
        await place.plain(BOB)
        place.role = place.restarted()
        assert before == [await place.salted(name) for name in names]
        assert len(names) == len({salted.salt for salted in before})
        assert {(16, 4096)} == {(len(salted.salt), salted.rounds) for salted in before}

    run(scene())


@pytest.mark.parametrize("change", [{"locked_at": 5}, {"sends": False}, {"active": False}])
def test_who_may_not_log_in_is_denied_only_with_the_right_password(
    place: Place, change: dict[str, int]
) -> None:
    """As with PLAIN; and no signature shows that it was right."""
    place.house.save_account(replace(Account(ALICE), **change), CHANGE)

    async def scene() -> None:
        right = await place.scram(ALICE)
        assert ("", "denied", b"") == (*why(right), right.signature)
        assert ("", "password") == why(await place.scram(ALICE, "wrong"))
        assert ("", "unknown_user") == why(await place.scram("nobody@example.com"))

    run(scene())


def test_without_rounds_no_keys_are_made(tmp_path: Path) -> None:
    """`scram_rounds = 0`: a stolen file holds argon2id and nothing cheaper."""
    place = Place(tmp_path, config.Vault(scram_rounds=0))

    async def scene() -> None:
        assert (ALICE, "") == why(await place.plain(ALICE))
        with sqlite3.connect(tmp_path / "vault.db") as file:
            assert [] == file.execute("select * from scram").fetchall()

    run(scene())


# In a session.


class Vaulted(Stage):
    """The stage with the real vault behind it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "vault").mkdir()
        self.place = Place(folder / "vault")
        self.trouble: Exception | None = None

    async def _vault(self, request: Request) -> Struct | None:
        if self.trouble is not None:
            raise self.trouble
        return await self.place.role.handle(request)


async def sign_in(client: Client, user: str, password: str = PASSWORD) -> str:
    """The last reply."""
    scram = Scram(user, Secret(password.encode()), "client")
    said = await client.say(scram.opening())
    while said.startswith("334 "):
        answer = scram.answer(base64.b64decode(said[4:]))
        if isinstance(answer, Derive):
            answer = scram.final(answer.work())
        said = await client.say(base64.b64encode(answer).decode())
    assert scram.proven == said.startswith("235")
    return said


@covers("Q-04")
def test_a_session_is_signed_in_by_scram(tmp_path: Path) -> None:
    """235 after the proofs of both sides; the letter carries the account; the guard heard of the login."""

    async def scene(stage: Stage) -> None:
        client = await stage.encrypted()
        said = await sign_in(client, ALICE)
        assert said.startswith("235 2.7.0"), (said, stage.events)
        assert (await client.letter(ALICE, BOB)).startswith("250 2.6.0")
        assert ALICE == stage.spool.kept[0].draft.envelope.origin.account
        (event,) = stage.of(LoginTried)
        assert isinstance(event, LoginTried)
        assert (True, "SCRAM-SHA-256", ALICE) == (event.ok, event.mechanism, event.account)
        assert event in stage.judged

    play(Vaulted(tmp_path), scene)


def test_unknown_and_wrong_are_told_the_same(tmp_path: Path) -> None:
    """Text, code and number of steps; a second try in the session may succeed."""

    async def scene(stage: Stage) -> None:
        client = await stage.encrypted()
        said = [
            await sign_in(client, ALICE, "wrong"),
            await sign_in(client, "nobody@example.com"),
            await sign_in(client, BOB),
        ]
        assert {"535 5.7.8 Authentication credentials invalid"} == set(said)
        events = [event for event in stage.of(LoginTried) if isinstance(event, LoginTried)]
        assert ["password", "unknown_user", "password"] == [event.why for event in events]
        assert (await sign_in(client, ALICE)).startswith("235")

    play(Vaulted(tmp_path), scene)


def test_nobody_is_signed_in_before_the_last_step(tmp_path: Path) -> None:
    """Who proves its password and then cancels is a stranger; what was glued to a step ends the session."""

    async def scene(stage: Stage) -> None:
        client = await stage.encrypted()
        scram = Scram(ALICE, Secret(PASSWORD.encode()), "client")
        said = await client.say(scram.opening())
        derive = scram.answer(base64.b64decode(said[4:]))
        assert isinstance(derive, Derive)
        proof = base64.b64encode(scram.final(derive.work())).decode()
        assert (await client.say(proof)).startswith("334 ")
        assert (await client.say("*")).startswith("501")
        assert (await client.say(f"MAIL FROM:<{ALICE}>")).startswith("530")
        assert (await sign_in(client, ALICE)).startswith("235")
        other = await stage.encrypted()
        assert (await other.raw(f"{scram.opening()}\r\nNOOP\r\n".encode())).startswith("503 5.5.1")
        assert await other.closed()

    play(Vaulted(tmp_path), scene)


def test_the_guard_refuses_before_we_prove_ourselves(tmp_path: Path) -> None:
    """A suspended account: 535 with its text, no signature, nobody signed in."""

    async def scene(stage: Stage) -> None:
        stage.judge = lambda event: Standing(event.account, event.address, treatment="refuse")
        client = await stage.encrypted()
        assert (await sign_in(client, ALICE)).startswith("535 5.7.8")
        assert (await client.say(f"MAIL FROM:<{ALICE}>")).startswith("530")

    play(Vaulted(tmp_path), scene)


def test_acting_as_somebody_else_and_a_vault_that_is_gone(tmp_path: Path) -> None:
    """535 and 454; nothing hangs."""

    async def scene(stage: Stage) -> None:
        client = await stage.encrypted()
        first = base64.b64encode(f"n,a={BOB},n={ALICE},r=abc".encode()).decode()
        said = await client.say(f"AUTH SCRAM-SHA-256 {first}")
        nonce = base64.b64decode(said[4:]).decode().split(",")[0]
        header = base64.b64encode(f"n,a={BOB},".encode()).decode()
        final = base64.b64encode(f"c={header},{nonce},p={'A' * 43}=".encode()).decode()
        assert (await client.say(final)).startswith("535 5.7.8")
        assert isinstance(stage, Vaulted)
        stage.trouble = Unavailable("vault", "gone")
        assert (await client.say(f"AUTH SCRAM-SHA-256 {first}")).startswith("454 4.7.0")

    play(Vaulted(tmp_path), scene)


def test_guessing_by_scram_is_limited_as_guessing_is(tmp_path: Path) -> None:
    """Each proof counts as another wrong password; then not even a salt is given. Regulars go on."""
    stage = Vaulted(tmp_path)
    stage.config = replace(stage.config, vault=config.Vault(scram_rounds=4096, wrong_per_address=3))

    async def scene(stage: Stage) -> None:
        assert (await sign_in(await stage.encrypted(), ALICE)).startswith("235")
        client = await stage.encrypted()
        for _ in range(3):
            assert (await sign_in(client, BOB, "wrong")).startswith("535")
        scram = Scram(BOB, Secret(b"x"), "client")
        assert (await client.say(scram.opening())).startswith("535")
        assert (await sign_in(await stage.encrypted(), ALICE)).startswith("235")

    play(stage, scene)


def test_it_is_not_offered_where_it_is_off(tmp_path: Path) -> None:
    """`scram_rounds = 0`."""
    stage = Stage(tmp_path, vault=config.Vault(scram_rounds=0))

    async def scene(stage: Stage) -> None:
        client = await stage.greeted("submission")
        await client.start_tls()
        assert "SCRAM" not in await client.say("EHLO client.example")
        assert (await client.say("AUTH SCRAM-SHA-256")).startswith("504")

    play(stage, scene)
