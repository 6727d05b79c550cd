"""What the extensions of SMTP come to in the spool: DSN, SMTPUTF8, REQUIRETLS, CHUNKING, LMTP, PIPELINING."""

import asyncio
from pathlib import Path

import pytest
from reception_stage import Stage, play, play_patiently

from covers import covers
from sekisho.model.config import Listen
from sekisho.model.envelope import Wish
from sekisho.model.event import Refused
from sekisho.model.letter import Draft


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def sent(stage: Stage, *commands: str, text: str = "x: y\r\n\r\nz\r\n", listener: str = "mx") -> str:
    """The reply to the final dot."""
    client = await stage.greeted(listener)
    for command in (*commands, "DATA"):
        answer = await client.say(command)
        assert answer[0] in "23", answer
    return await client.raw(text.encode() + b".\r\n")


def last(stage: Stage) -> Draft:
    return stage.spool.kept[-1].draft


def test_what_is_to_be_reported_stands_with_each_final_address(stage: Stage) -> None:
    """RFC 3461: RET and ENVID on the envelope; NOTIFY and ORCPT of an alias with all that it leads to."""

    async def scene(stage: Stage) -> None:
        await sent(
            stage,
            "MAIL FROM:<carol@remote.example> RET=hdrs ENVID=QQ+2B1 SIZE=100",
            "RCPT TO:<team@example.com> NOTIFY=success,delay ORCPT=rfc822;team@example.com",
            "RCPT TO:<postmaster@example.com>",
        )
        envelope = last(stage).envelope
        assert {"RET": "HDRS", "ENVID": "QQ+2B1"} == envelope.options
        wish = Wish("SUCCESS,DELAY", "rfc822;team@example.com")
        assert wish == envelope.wish("alice@example.com") == envelope.wish("bob@example.com")
        assert Wish() == envelope.wish("postmaster@example.com")

    play(stage, scene)


@pytest.mark.parametrize(
    ("sender", "text", "needed"),
    [
        ("carol@remote.example", "From: carol@remote.example\r\n\r\nz\r\n", False),
        ("carol@remote.example", "From: carol@remote.example\r\n\r\n\u00e9\r\n", False),
        ("carol@remote.example", "From: \u00e9va@remote.example\r\n\r\nz\r\n", True),
        ("\u00e9va@remote.example", "From: carol@remote.example\r\n\r\nz\r\n", True),
        ("carol@b\u00fccher.example", "From: carol@remote.example\r\n\r\nz\r\n", False),
    ],
)
def test_smtputf8_goes_with_a_letter_that_needs_it(
    stage: Stage, sender: str, text: str, needed: bool
) -> None:
    """Sender or header beyond ASCII; a domain has its ASCII form, and the text is BODY's affair."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        client.writer.write(f"MAIL FROM:<{sender}> SMTPUTF8 BODY=8BITMIME\r\n".encode())
        assert (await client.reply()).startswith("250 2.1.0")
        await client.say("RCPT TO:<bob@example.com>")
        await client.say("DATA")
        assert (await client.raw(text.encode() + b".\r\n")).startswith("250 2.6.0")
        draft = last(stage)
        assert needed == ("SMTPUTF8" in draft.envelope.options)
        assert "8BITMIME" == draft.envelope.options["BODY"]
        assert draft.envelope.sender == sender.replace("b\u00fccher", "xn--bcher-kva")
        assert b"with UTF8SMTP id" in draft.head

    play(stage, scene)


def test_a_header_that_is_no_text_is_refused_where_text_was_promised(stage: Stage) -> None:
    """RFC 6532 3; without SMTPUTF8 it passes, as it always did."""

    async def scene(stage: Stage) -> None:
        for parameter, code in ((" SMTPUTF8", "550 5.6.0"), ("", "250 2.6.0")):
            client = await stage.greeted()
            await client.say(f"MAIL FROM:<carol@remote.example>{parameter}", "RCPT TO:<bob@example.com>")
            await client.say("DATA")
            assert (await client.raw(b"Subject: caf\xe9\r\n\r\nx\r\n.\r\n")).startswith(code)
        (refused,) = stage.of(Refused)
        assert isinstance(refused, Refused) and ("body", "header") == (refused.stage, refused.by)

    play(stage, scene)


def test_requiretls_is_recorded(stage: Stage) -> None:
    """RFC 8689: asked for under TLS, it stands on the envelope."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        await client.start_tls()
        assert "REQUIRETLS" in await client.say("EHLO client.example")
        await client.say("MAIL FROM:<carol@remote.example> REQUIRETLS", "RCPT TO:<bob@example.com>", "DATA")
        assert (await client.raw(b"x: y\r\n.\r\n")).startswith("250")
        assert {"REQUIRETLS": ""} == last(stage).envelope.options

    play(stage, scene)


def test_a_large_letter_comes_in_chunks(stage: Stage) -> None:
    """Over 256 KB, in chunks of any size, through a file: byte for byte, dots doubled."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted()
        await client.say("MAIL FROM:<carol@remote.example>", "RCPT TO:<bob@example.com>")
        content = b"Subject: x\r\n\r\n" + b".line\r\n" * 60_000
        for start in range(0, len(content), 70_001):
            part = content[start : start + 70_001]
            end = b" LAST" if start + 70_001 >= len(content) else b""
            assert (await client.raw(b"BDAT %d%s\r\n" % (len(part), end) + part)).startswith("250 2.")
        assert content.replace(b"\r\n.", b"\r\n..") == stage.spool.kept[0].content
        assert len(stage.spool.kept[0].content) == last(stage).message.size

    play(stage, scene)


def test_a_chunked_letter_that_is_given_up_leaves_nothing(stage: Stage) -> None:
    """RSET, EHLO or the end of the connection between two chunks: no letter, no memory held."""

    async def scene(stage: Stage) -> None:
        for way in ("RSET", "EHLO client.example", "QUIT"):
            client = await stage.greeted()
            await client.say("MAIL FROM:<carol@remote.example>", "RCPT TO:<bob@example.com>")
            await client.raw(b"BDAT 300000\r\n" + b"x" * 30_000 + b"\r\n" * 135_000)
            assert (await client.say(way))[0] == "2"
        async with asyncio.timeout(10):  # what is just being written to a file is let go a moment later
            while stage.reception._front.arriving_bytes or list(stage.folder.glob("*.body*")):
                await asyncio.sleep(0.01)
        assert not stage.spool.kept

    play(stage, scene)


def test_lmtp_answers_for_each_recipient(stage: Stage) -> None:
    """RFC 2033: what comes by LMTP is for our own domains, and its trace field says so."""

    async def scene(stage: Stage) -> None:
        client = await stage.client("lmtp")
        await client.reply()
        assert "AUTH" not in await client.say("LHLO front.example.com")
        await client.say("MAIL FROM:<>", "RCPT TO:<bob@example.com>", "RCPT TO:<alice@example.com>", "DATA")
        client.writer.write(b"x: y\r\n.\r\n")
        first, second = await client.reply(), await client.reply()
        assert first == second == f"250 2.6.0 queued as {last(stage).message.id}"
        assert b"with LMTP id" in last(stage).head
        await client.say("MAIL FROM:<a@remote.example>")
        assert (await client.say("RCPT TO:<victim@evil.example>")).startswith("550 5.7.1")

    play(stage, scene)


@covers("Q-40", partly="scoring instead of refusing")
def test_what_was_said_ahead_of_a_late_answer_is_heard_after_it(stage: Stage) -> None:
    """RFC 2920 3.1: behind the final dot a client may go on. The disk takes its time, nothing else comes."""

    async def scene(stage: Stage) -> None:
        stage.spool.gate = asyncio.Event()
        client = await stage.greeted()
        for command in ("MAIL FROM:<carol@remote.example>", "RCPT TO:<bob@example.com>", "DATA"):
            await client.say(command)
        client.writer.write(b"x: y\r\n\r\nz\r\n.\r\nNOOP\r\nQUIT\r\n")
        waiting = asyncio.ensure_future(client.reply())
        assert not (await asyncio.wait((waiting,), timeout=0.2))[0]
        stage.spool.gate.set()
        assert (await waiting).startswith("250 2.6.0 ")
        assert ["250 2.0.0 OK", "221 2.0.0 Bye"] == [await client.reply() for _ in range(2)]
        assert await client.closed()

    play(stage, scene)


def test_who_speaks_before_the_greeting_is_sent_away(tmp_path: Path) -> None:
    """Within `greeting_wait_s`: 554 and the end, at once; who waits has waited so long, and is served."""

    async def scene(stage: Stage) -> None:
        loop = asyncio.get_running_loop()
        hasty = await stage.client()
        begun = loop.time()
        assert (await hasty.raw(b"EHLO client.example\r\n")).startswith("554 5.5.1")
        assert loop.time() - begun < 1 and await hasty.closed()
        patient = await stage.client()
        patient.patience_s = 60
        begun = loop.time()
        assert (await patient.reply()).startswith("220 ")
        assert loop.time() - begun >= 5
        assert (await patient.say("EHLO client.example")).startswith("250")
        assert (await patient.letter("carol@remote.example", "bob@example.com")).startswith("250")

    listen = {"mx": Listen(address="127.0.0.1:0", protocol="smtp", greeting_wait_s=5)}
    play_patiently(Stage(tmp_path, listen=listen), scene)
