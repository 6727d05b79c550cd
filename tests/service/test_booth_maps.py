"""Lookup tables for Postfix: who is locked, and to whom an address belongs."""

from pathlib import Path

import pytest
from msgspec import Struct
from msgspec.structs import replace
from reception_stage import LISTEN, UNAVAILABLE, Client, FewPeople, Stage, play

from sekisho.checks.ask import LOCKED
from sekisho.model.config import Guard, Listen
from sekisho.model.incident import Grade, Standing
from sekisho.service.messages import Consult, Request

MAPS = Listen(address="127.0.0.1:0", protocol="socketmap")
LINES = Listen(address="127.0.0.1:0", protocol="tcp_table", table="senders")


class Owned(FewPeople):
    def senders_of(self, address: str) -> tuple[str, ...]:
        return ("bob@example.com",) if address == "@example.com" else self.resolve(address) or ()


class Beside(Stage):
    treatment = "pass"

    async def _watch(self, request: Request) -> Struct | None:
        assert isinstance(request, Consult) and not request.address
        if self.treatment == "dead":
            raise UNAVAILABLE
        self.account = request.account
        return Standing(request.account, "", Grade.LOCK, "nowhere", self.treatment, incident="case7")  # type: ignore[arg-type]


def stage_of(folder: Path, booth: Listen = MAPS) -> Beside:
    listeners = {**LISTEN, "maps": booth, "lines": LINES}
    stage = Beside(folder, listen=listeners, guard=Guard(help_url="https://help.example"))
    stage.directory = Owned()
    return stage


async def asked(client: Client, table: str, key: str) -> str:
    question = f"{table} {key}".encode()
    client.writer.write(b"%d:%b," % (len(question), question))
    length = int((await client.reader.readuntil(b":"))[:-1])
    return (await client.reader.readexactly(length + 1))[:-1].decode()


def test_to_whom_an_address_belongs(tmp_path: Path) -> None:
    """All of its accounts; "@domain" and the empty sender are nobody's; a directory that fails is TEMP."""

    async def scene(stage: Beside) -> None:
        client = await stage.client("maps")
        assert "OK alice@example.com, bob@example.com" == await asked(client, "senders", "Team@example.com")
        for nobodys in ("x@example.com", "@example.com", "", "alice"):
            assert "NOTFOUND " == await asked(client, "senders", nobodys)
        assert "TEMP there is no table other" == await asked(client, "other", "x")
        stage.directory.trouble = UNAVAILABLE
        assert "TEMP disk full" == await asked(client, "senders", "alice@example.com")
        stage.directory.trouble = None
        lines = await stage.client("lines")
        lines.writer.write(b"get alice@example.com\nget nobody@example.com\n")
        assert b"200 alice@example.com\n" == await lines.reader.readline()
        assert b"500 not%20found\n" == await lines.reader.readline()

    play(stage_of(tmp_path), scene)


@pytest.mark.parametrize(
    ("treatment", "answer"),
    [
        ("refuse", f"OK 550 5.7.1 {LOCKED} https://help.example"),
        ("hold", "OK HOLD sekisho: case7"),
        ("pass", "NOTFOUND "),
    ],
)
def test_who_is_locked(tmp_path: Path, treatment: str, answer: str) -> None:
    """By login, with or without a domain; an empty one is nobody."""

    async def scene(stage: Beside) -> None:
        stage.treatment = treatment
        client = await stage.client("maps")
        assert answer == await asked(client, "locked", "alice@example.com")
        assert answer == await asked(client, "locked", "Bob") and "bob@mx.example.com" == stage.account
        assert "NOTFOUND " == await asked(client, "locked", "")

    play(stage_of(tmp_path), scene)


@pytest.mark.parametrize(
    ("silent", "answer"), [("open", "NOTFOUND "), ("closed", "TEMP the guard does not answer")]
)
def test_a_dead_guard(tmp_path: Path, silent: str, answer: str) -> None:
    """As the settings say."""

    async def scene(stage: Beside) -> None:
        stage.treatment = "dead"
        assert answer == await asked(await stage.client("maps"), "locked", "alice@example.com")

    play(stage_of(tmp_path, replace(MAPS, silent=silent)), scene)
