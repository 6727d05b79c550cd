"""Real directory and vault behind a real front: who is taken or refused, and how soon a change counts."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec import Struct
from reception_stage import PASSWORD, Stage, play

from covers import covers
from sekisho.host import HostClock
from sekisho.model import config
from sekisho.model.account import Account, Alias, Domain
from sekisho.model.action import Performed
from sekisho.service.channel import ChannelServer, NotDone
from sekisho.service.control import control_path
from sekisho.service.founding import HIGH_PORTS, Plan, settings_text
from sekisho.service.messages import DropSessions, Request
from sekisho.service.vaulting import VaultRole
from sekisho.store.directory import Directory
from sekisho.store.hashes import Hashes
from sekisho.store.hashing import make_hash
from sekisho.store.house import Change, House
from sekisho.store.vault import Vault

PROGRAM = str(Path(sys.executable).parent / "sekisho")
CHANGE = Change(1, "operator test", "tested", "x")
ALICE = "alice@example.com"
ASKED_MOST = 50
"""The promise: a change is in force after a second, which is so many questions each 20 ms. A busy machine
takes longer for both."""


class Housed(Stage):
    """A stage whose people live in house.db and vault.db. The clock of its caches is the real one."""

    def __init__(self, folder: Path, limits: config.Limits) -> None:
        super().__init__(folder, limits=limits)
        self.house, self.vault = House.create(str(folder)), Vault.create(str(folder), b"k" * 32)
        self.house.save_domain(Domain("example.com"), CHANGE)
        self.house.save_account(Account(ALICE), CHANGE)
        self.house.save_account(Account("bob@example.com"), CHANGE)
        self.vault.save(ALICE, make_hash(PASSWORD.encode(), b"s" * 16), 1)
        self.path = folder / "sekisho.toml"
        plan = Plan(str(folder), "example.com", "mx.example.com", "127.0.0.1", HIGH_PORTS)
        self.path.write_text(settings_text(plan))
        clock = HostClock()
        self.directory = Directory.open(str(folder), clock)  # type: ignore[assignment]
        hashes = Hashes.open(str(folder), clock)
        self.role = VaultRole(self.world, config.Vault(), self.directory, hashes)  # type: ignore[arg-type]

    async def _vault(self, request: Request) -> Struct | None:
        return await self.role.handle(request)

    async def command(self, *words: str, typed: bytes = b"") -> str:
        """What `sekisho` says as another process, while this one serves."""
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            *words,
            "-c",
            str(self.path),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "LANGUAGE": "en"},
        )
        said, _ = await process.communicate(typed)
        assert 0 == process.returncode
        return said.decode()


@pytest.fixture
def stage(tmp_path: Path) -> Housed:
    return Housed(tmp_path, config.Limits())


async def soon(wanted: str, say: object) -> None:
    """The answer becomes the wanted one within the promised time."""
    for _ in range(ASKED_MOST):
        answer = await say()  # type: ignore[operator]
        if answer.startswith(wanted):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(answer)


@covers("Q-03")
def test_recipients_are_those_of_the_house(stage: Housed) -> None:
    """Users, extensions with + and -, aliases, the catch-all and its exceptions; after ten misses 421."""
    stage.house.save_alias(Alias("team@example.com", (ALICE, "bob@example.com")), CHANGE)
    stage.house.save_domain(Domain("all.example"), CHANGE)
    stage.house.save_alias(Alias("@all.example", (ALICE,)), CHANGE)
    stage.house.save_alias(Alias("gone@all.example", ()), CHANGE)

    async def scene(_: Stage) -> None:
        client = await stage.greeted()
        await client.say("MAIL FROM:<carol@remote.example>")
        taken = ("alice", "ALICE", "alice+news", "alice-news", "team", "team+x", "postmaster")
        for address in [f"{name}@Example.com" for name in taken] + ["any.thing@all.example"]:
            assert (await client.say(f"RCPT TO:<{address}>")).startswith("250"), address
        for address in (
            "alic@example.com",
            "alice.news@example.com",
            "gone@all.example",
            "gone+x@all.example",
        ):
            assert (await client.say(f"RCPT TO:<{address}>")).startswith("550 5.1.1 "), address
        for number in range(6):
            assert (await client.say(f"RCPT TO:<x{number}@example.com>")).startswith("550 5.1.1 ")
        assert (await client.say("RCPT TO:<x@example.com>")).startswith("421 ")
        assert await client.closed()
        user = await stage.logged_in()
        await user.say(f"MAIL FROM:<{ALICE}>")
        for number in range(15):
            assert (await user.say(f"RCPT TO:<x{number}@example.com>")).startswith("550 5.1.1 ")
        assert (await user.say("RCPT TO:<bob@example.com>")).startswith("250")

    play(stage, scene)


@covers("Q-03")
def test_a_user_added_while_the_server_runs_has_mail_within_a_second(tmp_path: Path) -> None:
    """Added by the command in another process, known as unknown here a moment before."""
    stage = Housed(tmp_path, config.Limits(bad_recipients=1000, errors=1000))

    async def scene(_: Stage) -> None:
        client = await stage.greeted()
        transaction = ("RSET", "MAIL FROM:<carol@remote.example>", "RCPT TO:<late@example.com>")
        assert (await client.say(*transaction)).startswith("550 5.1.1 ")
        await stage.command("account", "add", "late@example.com", "--no-password")
        await soon("250", lambda: client.say(*transaction))
        await stage.command("account", "remove", "late@example.com", "--yes")
        await soon("550 5.1.1 ", lambda: client.say(*transaction))

    play(stage, scene)


@covers("O-07")
def test_one_sends_under_ones_own_names(stage: Housed) -> None:
    """Another's address is 553 until it is delegated, which counts within a second."""

    async def scene(_: Stage) -> None:
        client = await stage.logged_in()
        for sender, code in (
            (ALICE, "250"),
            ("alice+list@example.com", "250"),
            ("bob@example.com", "553 5.7.1 "),
        ):
            assert (await client.say(f"MAIL FROM:<{sender}>")).startswith(code)
            await client.say("RSET")
        assert (await client.say("MAIL FROM:<x@remote.example>")).startswith("553 5.7.1 ")
        await stage.command("account", "set", ALICE, "--send-as", "bob@example.com")
        await soon("250", lambda: client.say("MAIL FROM:<bob@example.com>"))

    play(stage, scene)


def test_a_lock_and_a_new_password_count_within_a_second(stage: Housed) -> None:
    """Right passwords that are remembered do not outlive either; the reply is that of a wrong password."""

    async def attempt(password: str) -> str:
        client = await stage.encrypted()
        answer = await client.login(ALICE, password)
        client.close()
        return answer

    async def scene(_: Stage) -> None:
        assert (await attempt(PASSWORD)).startswith("235")
        await stage.command("account", "lock", ALICE)
        await soon("535 5.7.8 ", lambda: attempt(PASSWORD))
        assert await attempt(PASSWORD) == await attempt("wrong password")
        await stage.command("account", "unlock", ALICE)
        await soon("235", lambda: attempt(PASSWORD))
        await stage.command("account", "password", ALICE, typed=b"another horse\n")
        await soon("535 5.7.8 ", lambda: attempt(PASSWORD))
        assert (await attempt("another horse")).startswith("235")

    play(stage, scene)


def test_a_lock_ends_the_sessions_under_way(stage: Housed) -> None:
    """The command asks the running server to end them; if it will not, that is said."""
    asked: list[Request] = []

    async def control(request: Request) -> Struct | None:
        asked.append(request)
        if not isinstance(request, DropSessions) or len(asked) > 1:
            raise NotDone("not today")
        count = stage.reception.drop_sessions(request.account, request.spare)
        return Performed(request.action, "front-1", 1, tuple(str(number) for number in range(count)))

    async def scene(_: Stage) -> None:
        (stage.folder / "run").mkdir()
        server = ChannelServer(control_path(str(stage.folder)), control, stage._record_trouble)
        await server.start()
        client = await stage.logged_in()
        assert "1 session was ended." in await stage.command("account", "lock", ALICE)
        assert (await client.reply()).startswith("421 ")
        assert await client.closed()
        assert "not today" in await stage.command("account", "lock", ALICE)
        await server.stop()

    play(stage, scene)


def test_hostile_logins_and_recipients_are_nobody(stage: Housed) -> None:
    """security.md Q and R: injection, twins, controls; the same 535 and 550 as for any unknown name."""
    evil = (
        "' OR 1=1--",
        "*)(uid=*",
        "\uff41lice@example.com",
        "alice@example.com'--",
        "%@example.com",
        "x" * 200,
    )

    async def scene(_: Stage) -> None:
        client = await stage.encrypted()
        wrong = await client.login(ALICE, "wrong password")
        for name in evil:
            attacker = await stage.encrypted()
            assert wrong == await attacker.login(name, PASSWORD)
            attacker.close()
        stranger = await stage.greeted()
        await stranger.say("MAIL FROM:<carol@remote.example>")
        for recipient in (
            "'or'1'='1@example.com",
            "%@example.com",
            "a/../alice@example.com",
            "_____@example.com",
        ):
            assert (await stranger.say(f"RCPT TO:<{recipient}>"))[0] == "5", recipient

    play(stage, scene)
