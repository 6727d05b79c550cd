"""XCLIENT on a live listener: whom it makes of the client, and who may not say it."""

from pathlib import Path

from msgspec.structs import replace
from reception_stage import LISTEN, Client, Stage, play

from sekisho.model.config import Limits, Listen
from sekisho.model.event import Connected, LoginTried

NAMED = Listen(address="127.0.0.1:0", protocol="smtp", requires_xclient=True, xclient_from=("127.0.0.0/8",))
OTHERS = replace(NAMED, xclient_from=("192.0.2.0/24", "unix"))


def stage_with(folder: Path, listen: Listen = NAMED, **settings: object) -> Stage:
    return Stage(folder, listen={**LISTEN, "door": listen}, **settings)


async def named(stage: Stage, address: str) -> Client:
    client = await stage.greeted("door")
    assert (await client.say(f"XCLIENT ADDR={address}")).startswith("220 mx.example.com")
    assert (await client.say("EHLO client.example")).startswith("250")
    return client


def test_the_named_client_is_the_client(tmp_path: Path) -> None:
    """In the letter's origin and its Received field; the peer stands beside it in the events."""

    async def scene(stage: Stage) -> None:
        client = await named(stage, "IPV6:2001:db8::7")
        assert (await client.letter("a@far.example", "alice@example.com")).startswith("250")
        (kept,) = stage.spool.kept
        assert "2001:db8::7" == kept.draft.envelope.origin.address
        connected = [event for event in stage.of(Connected) if isinstance(event, Connected)]
        assert [("127.0.0.1", ""), ("2001:db8::7", "127.0.0.1")] == [(e.address, e.via) for e in connected]

    play(stage_with(tmp_path), scene)


def test_trust_is_the_clients_not_the_peers(tmp_path: Path) -> None:
    """A peer in a trusted network opens no relay: its client may relay if the client's own address may."""

    async def scene(stage: Stage) -> None:
        for address, code in (("192.0.2.1", "550"), ("[UNAVAILABLE]", "550"), ("10.1.2.3", "250")):
            client = await named(stage, address)
            assert (await client.say("MAIL FROM:<a@far.example>")).startswith("250")
            assert (await client.say("RCPT TO:<b@far.example>")).startswith(code), address
        client = await stage.greeted("door")
        assert (await client.say("MAIL FROM:<a@far.example>")).startswith("503")

    play(stage_with(tmp_path, trusted=("127.0.0.0/8", "10.0.0.0/8")), scene)


def test_only_named_peers_are_heard(tmp_path: Path) -> None:
    """Others are sent away with 554 whatever they say; on other listeners there is no XCLIENT at all."""

    async def scene(stage: Stage) -> None:
        client = await stage.client("door")
        assert (await client.reply()).startswith("554 5.7.1")
        assert await client.closed()
        other = await stage.greeted("mx")
        assert (await other.say("XCLIENT ADDR=10.1.2.3")).startswith("502")
        known = await stage.logged_in()
        assert (await known.say("XCLIENT ADDR=10.1.2.3")).startswith("502")

    play(stage_with(tmp_path, OTHERS, trusted=("10.0.0.0/8",)), scene)


def test_a_login_of_before_is_forgotten_and_failures_count_for_the_client(tmp_path: Path) -> None:
    """One session used for two clients; the guard hears each at its own address."""
    door = replace(NAMED, protocol="submission")

    async def scene(stage: Stage) -> None:
        client = await stage.greeted("door")
        await client.start_tls()
        await client.say("EHLO peer")
        assert (await client.login()).startswith("503 5.5.1 XCLIENT first")
        for address, password, code in (("192.0.2.1", "correct horse", "235"), ("192.0.2.2", "wrong", "535")):
            assert (await client.say(f"XCLIENT ADDR={address}")).startswith("220")
            await client.say("EHLO client.example")
            assert (await client.login(password=password)).startswith(code)
        assert (await client.say("MAIL FROM:<alice@example.com>")).startswith("530")
        logins = [event for event in stage.of(LoginTried) if isinstance(event, LoginTried)]
        assert [("192.0.2.1", True), ("192.0.2.2", False)] == [(login.address, login.ok) for login in logins]

    play(stage_with(tmp_path, door), scene)


def test_sessions_are_counted_at_the_clients_address(tmp_path: Path) -> None:
    """The peer holds many; a client that has too many is sent away; all are forgotten when they leave."""
    limits = replace(Limits(), sessions_per_address=2)

    async def scene(stage: Stage) -> None:
        clients = [await named(stage, f"192.0.2.{n}") for n in range(5)]
        again = await named(stage, "192.0.2.1")
        third = await stage.greeted("door")
        assert (await third.say("XCLIENT ADDR=192.0.2.1")).startswith("421 4.7.0")
        assert await third.closed()
        for client in (*clients, again):
            assert (await client.say("QUIT")).startswith("221")
            await client.closed()
        for _ in range(3):
            last = await named(stage, "192.0.2.1")
            assert (await last.say("QUIT")).startswith("221")
            await last.closed()

    play(stage_with(tmp_path, limits=limits), scene)


def test_the_peer_that_goes_away_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    """A transaction of the first client is not the second's."""

    async def scene(stage: Stage) -> None:
        client = await named(stage, "192.0.2.1")
        assert (await client.say("MAIL FROM:<a@far.example>")).startswith("250")
        assert (await client.say("XCLIENT ADDR=192.0.2.2")).startswith("503")
        assert (await client.say("RSET")).startswith("250")
        assert (await client.say("XCLIENT ADDR=192.0.2.2")).startswith("220")
        assert (await client.say("RCPT TO:<alice@example.com>")).startswith("503")
        client.close()

    play(stage_with(tmp_path), scene)
