"""The wforce booth on a real socket: reports are events, questions are none, lists come first."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace
from reception_stage import LISTEN, UNAVAILABLE, Client, Stage, play

from sekisho.checks.ask import LOCKED
from sekisho.model.config import Guard, Listen, Vault
from sekisho.model.event import LoginTried
from sekisho.model.incident import Grade, Standing
from sekisho.service.messages import Consult, Request

WFORCE = Listen(address="127.0.0.1:0", protocol="wforce", password_file="word")
HELP = "https://help.example/locked"
LOGIN = {"login": "Alice@example.com", "remote": "93.84.1.1", "pwhash": "09b7", "protocol": "imap"}


class Beside(Stage):
    """Its guard answers questions that are no events too, by `consulted`."""

    treatment = "pass"
    consulted = 0

    async def _watch(self, request: Request) -> Struct | None:
        if not isinstance(request, Consult):
            return await super()._watch(request)
        self.consulted += 1
        if self.treatment == "dead":
            raise UNAVAILABLE
        return Standing(request.account, request.address, Grade.CONTAIN, "unfamiliar", self.treatment)  # type: ignore[arg-type]


def stage_of(folder: Path, booth: Listen = WFORCE, **settings: object) -> Beside:
    (folder / "word").write_text("se:cret\n")
    return Beside(folder, listen={**LISTEN, "wforce": booth}, **settings)


async def asked(client: Client, name: str, word: str = "se:cret", **said: object) -> tuple[int, Any]:
    basic = base64.b64encode(f"x:{word}".encode()).decode()
    body = json.dumps(said)
    head = f"POST /command/{name} HTTP/1.1\r\nAuthorization: Basic {basic}\r\n"
    client.writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    lines = (await client.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    length = next(int(line.partition(": ")[2]) for line in lines if line.startswith("Content-Length"))
    content = (await client.reader.readexactly(length)).decode()
    return int(lines[0].split()[1]), json.loads(content) if content.startswith("{") else content


def test_a_report_is_an_event_and_a_question_none(tmp_path: Path) -> None:
    """Right and wrong passwords, what the server itself refused; a wrong name without domain is not kept."""

    async def scene(stage: Beside) -> None:
        client = await stage.client("wforce")
        assert (200, {"status": 0, "msg": "", "r_attrs": {}}) == await asked(client, "allow", **LOGIN)
        assert 1 == stage.consulted and not stage.events and not stage.judged
        for more in ({"success": True}, {"success": False}, {"success": False, "policy_reject": True}):
            assert (200, {"status": "ok"}) == await asked(client, "report", **LOGIN, **more)
        assert (200, {"status": "ok"}) == await asked(client, "report", **{**LOGIN, "login": "pass word"})
        told = [(event.account, event.ok, event.why, event.digest) for event in stage.of(LoginTried)]
        assert [
            ("alice@example.com", True, "", "09b7"),
            ("alice@example.com", False, "password", "09b7"),
            ("alice@example.com", False, "guard", "09b7"),
            ("", False, "password", "09b7"),
        ] == told
        assert {("imap", "93.84.1.1", "booth:wforce")} == {
            (event.service, event.address, event.source) for event in stage.of(LoginTried)
        }
        assert [True] == [event.ok for event in stage.judged if isinstance(event, LoginTried)]

    play(stage_of(tmp_path), scene)


@pytest.mark.parametrize(
    ("treatment", "status", "text"),
    [("refuse", -1, f"{LOCKED} {HELP}"), ("delay", 2, ""), ("hold", 0, ""), ("pass", 0, "")],
)
def test_what_the_guard_says_becomes_a_status(tmp_path: Path, treatment: str, status: int, text: str) -> None:
    """Refused with a link to help, slowed down, let in."""

    async def scene(stage: Beside) -> None:
        stage.treatment = treatment
        code, said = await asked(await stage.client("wforce"), "allow", **LOGIN)
        assert (200, status, text) == (code, said["status"], said["msg"])

    play(stage_of(tmp_path, guard=Guard(help_url=HELP)), scene)


def test_the_first_question_of_two_tells_nothing(tmp_path: Path) -> None:
    """With asked_twice: paired by session, else by login, address and hash; after half a minute it is a
    first one again.
    """

    async def scene(stage: Beside) -> None:
        stage.treatment = "refuse"
        client = await stage.client("wforce")

        async def status(**more: str) -> int:
            return int((await asked(client, "allow", **{**LOGIN, **more}))[1]["status"])

        assert [0, -1, 0, -1] == [await status() for _ in range(4)]
        assert [0, 0, -1] == [await status(session_id=session) for session in "aba"]
        assert 0 == await status(pwhash="0001")
        await stage.clock.sleep(31)
        assert [0, -1] == [await status(pwhash="0001"), await status(pwhash="0001")]

    play(stage_of(tmp_path, replace(WFORCE, asked_twice=True)), scene)


@pytest.mark.parametrize(("silent", "code"), [("open", 200), ("closed", 500)])
def test_a_dead_guard(tmp_path: Path, silent: str, code: int) -> None:
    """Open: yes. Closed: an error, with which Dovecot does as auth_policy_reject_on_fail says."""

    async def scene(stage: Beside) -> None:
        stage.treatment = "dead"
        assert code == (await asked(await stage.client("wforce"), "allow", **LOGIN))[0]

    play(stage_of(tmp_path, replace(WFORCE, silent=silent)), scene)


def test_a_spent_address_is_refused(tmp_path: Path) -> None:
    """Different wrong passwords; one that a telephone repeats counts once."""

    async def scene(stage: Beside) -> None:
        client = await stage.client("wforce")
        for mark in ("0001", "0001", "0001", "0002"):
            await asked(client, "report", **{**LOGIN, "pwhash": mark}, success=False)
            assert 0 == (await asked(client, "allow", **LOGIN))[1]["status"]
        await asked(client, "report", **{**LOGIN, "pwhash": "0003"}, success=False)
        assert (200, {"status": -1, "msg": "", "r_attrs": {}}) == await asked(client, "allow", **LOGIN)

    play(stage_of(tmp_path, vault=Vault(wrong_per_address=3)), scene)


def test_black_and_white_lists(tmp_path: Path) -> None:
    """By network and login, for a time; the white one wins; `reset` takes off the black one only."""

    async def scene(stage: Beside) -> None:
        client = await stage.client("wforce")
        black = {"netmask": "93.84.0.0/16", "reason": "botnet", "expire_secs": 60}
        assert 200 == (await asked(client, "addBLEntry", **black))[0]
        _, said = await asked(client, "allow", **LOGIN)
        assert (-1, "botnet", "1", "ip") == (
            said["status"], said["msg"], said["r_attrs"]["blacklisted"], said["r_attrs"]["key"],
        )  # fmt: skip
        assert not stage.consulted
        white = {"login": "alice@example.com", "reason": "ours", "expire_secs": 60}
        assert 200 == (await asked(client, "addWLEntry", **white))[0]
        _, said = await asked(client, "allow", **LOGIN)
        assert (0, "1") == (said["status"], said["r_attrs"]["whitelisted"])
        assert 200 == (await asked(client, "delWLEntry", login="alice@example.com"))[0]
        assert ["93.84.0.0/16"] == [entry["key"] for entry in (await asked(client, "getBL"))[1]["bl_entries"]]
        assert -1 == (await asked(client, "allow", **LOGIN))[1]["status"]
        await stage.clock.sleep(61)
        assert 0 == (await asked(client, "allow", **LOGIN))[1]["status"]
        both = {"ip": "93.84.1.1", "login": "alice@example.com"}
        await asked(client, "addBLEntry", **both, reason="x", expire_secs=60)
        assert (await asked(client, "getDBStats", **both))[1]["blacklisted"]
        assert 200 == (await asked(client, "reset", **both))[0]
        assert 0 == (await asked(client, "allow", **LOGIN))[1]["status"]
        for wrong in ({}, {"ip": "x", "reason": "r", "expire_secs": 1}, {"ip": "1.2.3.4", "expire_secs": 1}):
            assert 400 == (await asked(client, "addBLEntry", **wrong))[0]
        assert 400 == (await asked(client, "reset"))[0]

    play(stage_of(tmp_path), scene)


def test_who_has_not_the_password_learns_nothing(tmp_path: Path) -> None:
    """Another one, none, a file that is empty; only readyz and livez are open to all."""

    async def scene(stage: Beside) -> None:
        client = await stage.client("wforce")
        for word in ("wrong", "", "se"):
            refusal = {"status": "failure", "reason": "Unauthorized"}
            assert (401, refusal) == await asked(client, "allow", word)
        assert 200 == (await asked(client, "ping"))[0] and 200 == (await asked(client, "readyz", "no"))[0]
        assert 404 == (await asked(client, "nothing"))[0]
        assert 400 == (await asked(client, "allow", login=7))[0]
        assert 500 == (await asked(client, "allow", login="a", remote="somewhere"))[0]
        assert 'sekisho_wforce_commands_total{cmd="allow"} 0' in (await asked(client, "metrics"))[1]
        (tmp_path / "word").write_text("\n")
        stage.reception.reload(stage.config)
        assert 401 == (await asked(client, "ping", ""))[0]
        client.writer.write(b"GET /ping HTTP/1.1\r\n\r\n")
        assert (await asyncio.wait_for(client.reader.readline(), 60)).startswith(b"HTTP/1.1 401")

    play(stage_of(tmp_path), scene)
