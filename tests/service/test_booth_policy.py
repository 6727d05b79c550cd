"""The policy booth on a real socket: what the guard is told, what Postfix is told."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from reception_stage import LISTEN, UNAVAILABLE, Client, Stage, play, until

from sekisho.checks.ask import LOCKED
from sekisho.model.config import Guard, Listen
from sekisho.model.event import Accepted, Event, LoginTried, RecipientGiven
from sekisho.model.incident import Grade, Standing
from sekisho.service import booth

POLICY = Listen(address="127.0.0.1:0", protocol="policy")
HELP = "https://help.example/locked"


def stage_of(folder: Path, booth: Listen = POLICY, **settings: object) -> Stage:
    return Stage(folder, listen={**LISTEN, "policy": booth}, **settings)


async def asked(client: Client, state: str = "RCPT", **changes: str) -> str:
    """One request; the action, or "" when the server has hung up."""
    attributes = {
        "request": "smtpd_access_policy",
        "protocol_state": state,
        "client_address": "93.84.1.1",
        "client_port": "40000",
        "server_port": "587",
        "sender": "alice@example.com",
        "recipient": "x@far.example",
        "recipient_count": "0",
        "size": "0",
        "queue_id": "",
        "instance": "1.2.3.0",
        "sasl_method": "PLAIN",
        "sasl_username": "Alice@example.com",
        **changes,
    }
    client.writer.write("".join(f"{name}={value}\n" for name, value in attributes.items()).encode() + b"\n")
    line = (await client.reader.readline()).decode().strip()
    assert not line or await client.reader.readline() == b"\n"
    return line.removeprefix("action=")


def saying(treatment: str, when: type[Event] = Event) -> object:  # type: ignore[valid-type]
    def judge(event: Event) -> Standing:
        said = treatment if isinstance(event, when) else "pass"
        return Standing(event.account, event.address, Grade.CONTAIN, "unfamiliar", said, incident="case7")  # type: ignore[arg-type]

    return judge


def test_one_letter_is_joined_by_its_instance(tmp_path: Path) -> None:
    """A login once, each recipient, the letter with all of them; two letters of one connection are two."""

    async def scene(stage: Stage) -> None:
        client = await stage.client("policy")
        end = {"recipient": "", "recipient_count": "2", "size": "999", "queue_id": "4F00D"}
        for number, instance in enumerate(("1.2.3.0", "1.2.3.1")):
            assert "DUNNO" == await asked(client, recipient="a@far.example", instance=instance)
            assert "DUNNO" == await asked(client, recipient="b@far.example", instance=instance)
            assert "DUNNO" == await asked(client, "END-OF-MESSAGE", instance=instance, **end)
            letter = stage.of(Accepted)[number]
            assert ("a@far.example", "b@far.example") == letter.recipients
            assert (2, 999, "4F00D", instance) == (
                letter.recipient_count, letter.size, letter.message, letter.session,
            )  # fmt: skip
        (login,) = stage.of(LoginTried)
        assert ("alice@example.com", "93.84.1.1", "submission", "PLAIN", "booth:policy") == (
            login.account, login.address, login.service, login.mechanism, login.source,
        )  # fmt: skip
        assert {login.id} == {letter.login for letter in stage.of(Accepted)}
        assert stage.judged == stage.events

    play(stage_of(tmp_path), scene)


def test_who_has_not_logged_in_is_none_of_our_business(tmp_path: Path) -> None:
    """Mail from strangers, an address that is none, another stage: nothing is told to the guard."""

    async def scene(stage: Stage) -> None:
        client = await stage.client("policy")
        assert "DUNNO" == await asked(client, sasl_username="")
        assert "DUNNO" == await asked(client, client_address="unknown")
        assert not stage.judged
        assert "DUNNO" == await asked(client, "MAIL", sasl_username="bob", client_address="::ffff:93.84.1.1")
        (login,) = stage.judged
        assert ("bob@mx.example.com", "93.84.1.1") == (login.account, login.address)

    stage = stage_of(tmp_path)
    stage.judge = saying("hold")  # type: ignore[assignment]
    play(stage, scene)


@pytest.mark.parametrize(
    ("treatment", "contained", "action"),
    [
        ("hold", "hold", "HOLD sekisho: case7"),
        ("hold", "refuse", f"550 5.7.1 {LOCKED} {HELP}"),
        ("hold", "defer", f"450 4.7.1 {LOCKED} {HELP}"),
        ("refuse", "hold", f"550 5.7.1 {LOCKED} {HELP}"),
        ("delay", "hold", "DUNNO"),
    ],
)
def test_what_the_guard_says_becomes_an_action(
    tmp_path: Path, treatment: str, contained: str, action: str
) -> None:
    """At the recipient and at the end of the letter alike."""

    async def scene(stage: Stage) -> None:
        client = await stage.client("policy")
        assert action == await asked(client)
        assert action == await asked(client, "END-OF-MESSAGE", recipient_count="1")
        held = "case7" if action.startswith("HOLD") else ""
        assert held == stage.of(Accepted)[0].held_by

    booth = replace(POLICY, contained=contained)
    stage = stage_of(tmp_path, booth, guard=Guard(help_url=HELP))
    stage.judge = saying(treatment)  # type: ignore[assignment]
    play(stage, scene)


@pytest.mark.parametrize(("silent", "action"), [("open", "DUNNO"), ("closed", "450 4.3.0 ")])
def test_a_dead_guard(tmp_path: Path, silent: str, action: str) -> None:
    """Fails open or closed as configured; whom it had contained stays so; what comes back is asked again."""

    async def scene(stage: Stage) -> None:
        client = await stage.client("policy")
        assert "DUNNO" == await asked(client)
        stage.judge = saying("hold")  # type: ignore[assignment]
        assert (await asked(client, sasl_username="bob@example.com")).startswith("HOLD ")
        stage.judge = dead
        assert (await asked(client)).startswith(action)
        assert (await asked(client, "END-OF-MESSAGE")).startswith(action)
        assert (await asked(client, sasl_username="bob@example.com", client_address="8.8.8.8")) == (
            "HOLD sekisho: case7"
        )
        stage.judge = saying("pass")  # type: ignore[assignment]
        assert "DUNNO" == await asked(client)

    def dead(event: Event) -> Standing:
        raise UNAVAILABLE

    play(stage_of(tmp_path, replace(POLICY, silent=silent)), scene)


def test_only_named_servers_may_ask(tmp_path: Path) -> None:
    """Others are hung up on before they are read; so is who says what is no request. Others go on."""

    async def scene(stage: Stage) -> None:
        for name in ("policy", "closed"):
            client = await stage.client(name)
            if name == "policy":
                client.writer.write(b"GET / HTTP/1.1\r\n\r\n\n\n")
            assert b"" == await client.reader.read()
        client = await stage.client("policy")
        assert "DUNNO" == await asked(client)

    closed = replace(POLICY, peers=("192.0.2.0/24", "unix"))
    play(Stage(tmp_path, listen={**LISTEN, "policy": POLICY, "closed": closed}), scene)


def test_a_unix_socket_for_our_group(tmp_path: Path) -> None:
    """Postfix's user, put in our group, may connect; nobody else."""

    async def scene(stage: Stage) -> None:
        assert 0o660 == (tmp_path / "policy.sock").stat().st_mode & 0o777
        client = await stage.client("policy")
        assert "DUNNO" == await asked(client)
        (login,) = stage.of(LoginTried)
        assert login.ok
        client.close()
        await until(lambda: True)

    play(stage_of(tmp_path, replace(POLICY, address="unix:policy.sock")), scene)


def test_a_bug_ends_one_connection(tmp_path: Path) -> None:
    """Told as trouble; the next question is answered."""

    async def scene(stage: Stage) -> None:
        record, stage.reception._front.record = stage.reception._front.record, broken  # type: ignore[method-assign]
        client = await stage.client("policy")
        assert "" == await asked(client)
        stage.reception._front.record = record  # type: ignore[method-assign]
        assert ["booth"] == [what for what, _ in troubles]
        client = await stage.client("policy")
        assert "DUNNO" == await asked(client)

    troubles: list[tuple[str, str]] = []

    def broken(event: Event) -> None:
        if isinstance(event, LoginTried | RecipientGiven):
            raise ZeroDivisionError
        troubles.append((event.what, event.trace))  # type: ignore[union-attr]

    play(stage_of(tmp_path), scene)


def test_rule_10_no_more_is_held_than_we_would_hold(tmp_path: Path) -> None:
    """By letters and by octets, for each case; then 452, at the recipient already."""

    async def scene(stage: Stage) -> None:
        client = await stage.client("policy")
        for number in range(2):
            assert (await asked(client, "END-OF-MESSAGE", instance=f"i{number}")).startswith("HOLD")
        assert (await asked(client, "RCPT", instance="i3")).startswith("452 4.7.0 ")
        assert (await asked(client, "END-OF-MESSAGE", instance="i3")).startswith("452 4.7.0 ")
        assert ["case7", "case7", ""] == [letter.held_by for letter in stage.of(Accepted)]
        bob = {"sasl_username": "bob@example.com", "size": "1001"}
        assert (await asked(client, "END-OF-MESSAGE", **bob)).startswith("452 4.7.0 ")
        assert (await asked(client, "END-OF-MESSAGE", **{**bob, "size": "1000"})).startswith("HOLD")

    stage = stage_of(tmp_path, guard=Guard(held_messages=2, held_bytes=1000))
    stage.judge = saying("hold")  # type: ignore[assignment]
    play(stage, scene)


def test_a_port_is_used_again(tmp_path: Path) -> None:
    """After ten minutes the same port is another login."""

    async def scene(stage: Stage) -> None:
        client = await stage.client("policy")
        for wait in (0, 300, 301):
            await stage.clock.sleep(wait)
            await asked(client)
        assert 2 == len(stage.of(LoginTried))

    play(stage_of(tmp_path), scene)


def test_who_comes_and_says_nothing_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full booth sends the oldest silent connection away, never one that has asked."""
    monkeypatch.setattr(booth, "CONNECTIONS_MOST", 5)

    async def scene(stage: Stage) -> None:
        first = await stage.client("policy")
        assert "DUNNO" == await asked(first)
        silent = [await stage.client("policy") for _ in range(7)]
        last = await stage.client("policy")
        assert "DUNNO" == await asked(last)
        assert "DUNNO" == await asked(first)
        assert b"" == await silent[0].reader.read()

    play(stage_of(tmp_path), scene)


def test_a_name_is_escaped_once(tmp_path: Path) -> None:
    """What cannot be printed is shown by its number, in the event as in the answer."""

    async def scene(stage: Stage) -> None:
        await asked(await stage.client("policy"), sasl_username="hello@example.com\x01x")
        assert stage.of(LoginTried)[0].account == "hello@example.com\\x01x"

    play(stage_of(tmp_path), scene)
