"""The SASL booth on a real socket: passwords by the vault, people by the guard, nothing to strangers."""

import asyncio
import base64
import sys
from pathlib import Path

import pytest
from msgspec import Struct
from msgspec.json import encode
from msgspec.structs import replace
from reception_stage import CANARY, LISTEN, PASSWORD, UNAVAILABLE, Client, Stage, play, play_patiently

from sekisho.checks.ask import LOCKED
from sekisho.model.config import Guard, Listen, Vault
from sekisho.model.event import Event, LoginTried
from sekisho.model.incident import Grade, Standing
from sekisho.service.messages import Request, Verified, VerifyPassword

SASL = Listen(address="127.0.0.1:0", protocol="sasl", tarpit_s=0)
HELP = "https://help.example/locked"


def stage_of(folder: Path, booth: Listen = SASL, **settings: object) -> Stage:
    return Stage(folder, listen={**LISTEN, "sasl": booth}, **settings)


async def greeted(stage: Stage) -> Client:
    client = await stage.client("sasl")
    while await client.reader.readline() != b"DONE\n":
        pass
    client.writer.write(b"VERSION\t1\t0\nCPID\t1\n")
    return client


async def tried(
    client: Client, name: str = "alice@example.com", word: str = PASSWORD, rip: str = "8.8.8.8"
) -> str:
    """The answer; "" when the server has hung up."""
    secret = base64.b64encode(f"\0{name}\0{word}".encode()).decode()
    client.writer.write(f"AUTH\t1\tPLAIN\tservice=smtp\trip={rip}\tresp={secret}\n".encode())
    return (await client.reader.readline()).decode().rstrip("\n")


def test_a_right_password_is_judged(tmp_path: Path) -> None:
    """The account's own spelling goes back; the guard hears of it before the answer."""

    async def scene(stage: Stage) -> None:
        client = await greeted(stage)
        assert "OK\t1\tuser=alice@example.com" == await tried(client, "alice@example.com")
        (login,) = stage.judged
        assert stage.judged == stage.events and isinstance(login, LoginTried)
        assert ("alice@example.com", "8.8.8.8", "smtp", "PLAIN", True) == (
            login.account, login.address, login.service, login.mechanism, login.ok,
        )  # fmt: skip

    play(stage_of(tmp_path), scene)


def test_all_that_is_wrong_sounds_the_same(tmp_path: Path) -> None:
    """Wrong password, unknown user, to act as another; none is told to the guard as a login."""

    async def scene(stage: Stage) -> None:
        client = await greeted(stage)
        said = [await tried(client, word="wrong"), await tried(client, "nobody@example.com")]
        other = base64.b64encode(f"bob@example.com\0alice@example.com\0{PASSWORD}".encode()).decode()
        client.writer.write(f"AUTH\t1\tPLAIN\trip=8.8.8.8\tresp={other}\n".encode())
        said.append((await client.reader.readline()).decode().rstrip())
        assert {"FAIL\t1"} == set(said)
        assert ["password", "unknown_user", "denied"] == [event.why for event in stage.of(LoginTried)]
        assert not stage.judged

    play(stage_of(tmp_path), scene)


def test_a_locked_account_is_told_where_help_is(tmp_path: Path) -> None:
    """To whoever has the password; a wrong one still hears nothing."""

    async def scene(stage: Stage) -> None:
        client = await greeted(stage)
        assert f"FAIL\t1\treason={LOCKED} {HELP}" == await tried(client)
        assert "FAIL\t1" == await tried(client, word="wrong")

    def judge(event: Event) -> Standing:
        return Standing(event.account, event.address, Grade.CONTAIN, "unfamiliar", "refuse")

    stage = stage_of(tmp_path, guard=Guard(help_url=HELP))
    stage.judge = judge
    play(stage, scene)


@pytest.mark.parametrize("busy", [True, False])
def test_a_vault_that_does_not_answer_is_hung_up_for(tmp_path: Path, busy: bool) -> None:
    """code=temp_fail would be 535 to Postfix's client: only a closed connection is 454."""

    def verify(request: VerifyPassword) -> Verified:
        if busy:
            return Verified("", "busy")
        raise UNAVAILABLE

    async def scene(stage: Stage) -> None:
        assert "" == await tried(await greeted(stage))
        assert not stage.events

    stage = stage_of(tmp_path)
    stage.verify = verify
    play(stage, scene)


def test_a_spent_address_is_refused_before_the_hash(tmp_path: Path) -> None:
    """Rule 10: different wrong passwords from one address; another address goes on."""

    async def scene(stage: Stage) -> None:
        client = await greeted(stage)
        for number in range(3):
            assert "FAIL\t1" == await tried(client, word=f"wrong {number}")
        assert "FAIL\t1" == await tried(client)
        assert "budget" == stage.of(LoginTried)[-1].why
        assert (await tried(client, rip="9.9.9.9")).startswith("OK")

    def verify(request: VerifyPassword) -> Verified:
        word = request.password.reveal().decode()
        return Verified(request.login) if word == PASSWORD else Verified("", "password", word)

    stage = stage_of(tmp_path, vault=Vault(wrong_per_address=3))
    stage.verify = verify
    play(stage, scene)


def test_a_wrong_password_waits(tmp_path: Path) -> None:
    """A right one does not."""

    async def scene(stage: Stage) -> None:
        client, before = await greeted(stage), stage.clock.ticks()
        assert (await tried(client)).startswith("OK") and before == stage.clock.ticks()
        assert "FAIL\t1" == await tried(client, word="wrong")
        assert 2_000_000 <= stage.clock.ticks() - before

    play(stage_of(tmp_path, replace(SASL, tarpit_s=2)), scene)


def test_a_domain_for_names_without(tmp_path: Path) -> None:
    """As an old client says them."""

    async def scene(stage: Stage) -> None:
        assert "OK\t1\tuser=alice@example.com" == await tried(await greeted(stage), "Alice")

    play(stage_of(tmp_path, replace(SASL, domain="example.com")), scene)


def test_a_password_is_nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Not in an event, not on the terminal; typed as a name it is not kept either."""

    async def scene(stage: Stage) -> None:
        client = await greeted(stage)
        await tried(client, word=CANARY)
        await tried(client, CANARY, CANARY)
        assert 2 == len(stage.of(LoginTried))
        assert CANARY.encode() not in encode(stage.events)
        sys.stdout.flush()
        assert CANARY not in "".join(capfd.readouterr())

    play(stage_of(tmp_path), scene)


def test_a_vault_that_hangs_is_hung_up_for(tmp_path: Path) -> None:
    """Before Postfix gives up, so that its process is free again."""

    async def scene(stage: Stage) -> None:
        client, before = await greeted(stage), asyncio.get_running_loop().time()
        assert "" == await tried(client)
        assert 8 <= asyncio.get_running_loop().time() - before < 10
        assert not stage.events

    class Hanging(Stage):
        async def _vault(self, request: Request) -> Struct | None:
            await asyncio.sleep(3600)
            return None

    play_patiently(Hanging(tmp_path, listen={**LISTEN, "sasl": SASL}), scene)


def test_a_password_typed_for_a_name_is_kept_nowhere(tmp_path: Path) -> None:
    """The booth's own domain makes an address of any word: only who is known by it is named."""

    async def scene(stage: Stage) -> None:
        client = await greeted(stage)
        assert "FAIL\t1" == await tried(client, "MySecretPassw0rd", "whatever")
        assert "FAIL\t1" == await tried(client, "alice", "wrong")
        assert ["", "alice@example.com"] == [event.account for event in stage.of(LoginTried)]

    play(stage_of(tmp_path, replace(SASL, domain="example.com")), scene)
