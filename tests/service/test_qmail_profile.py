"""The profile "qmail": the script of twelve dialogues, each with the codes of netqmail-1.06 at its places."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace
from reception_stage import UNAVAILABLE, Stage, play

from covers import covers
from sekisho.model.config import Limits
from sekisho.testing.dialogue import Dialogue, read_dialogue
from sekisho.testing.dialogue import play as play_dialogue
from sekisho.testing.stage import OnServer

LIMITS = replace(Limits(), message_bytes=2000, command_s=2)

SCRIPT = {
    "greeting, HELO, QUIT": """
S: 220 mx.example.com ESMTP
C: HELO client.example
S: 250 mx.example.com
C: QUIT
S: 221 ...
-- closed""",
    "EHLO": """
S: 220 ...
C: EHLO client.example
S: 250-mx.example.com
S: 250-PIPELINING
S: 250-8BITMIME
S: 250 STARTTLS
C: EHLO
S: 250*""",
    "a sender who is refused is told so at RCPT": """
S: 220 ...
C: HELO client.example
S: 250 ...
C: MAIL FROM:<nobody@example.com>
S: 250 ok
C: RCPT TO:<alice@example.com>
S: 553 sorry, your envelope sender has been denied (#5.7.1)
C: DATA
S: 503 RCPT first (#5.5.1)
C: MAIL FROM:<a@far.example>
S: 250 ok
C: RCPT TO:<alice@example.com>
S: 250 ok""",
    "a recipient elsewhere": """
S: 220 ...
C: HELO client.example
S: 250 ...
C: MAIL FROM:<a@far.example>
S: 250 ok
C: RCPT TO:<b@far.example>
S: 553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)
C: RCPT TO:<a%far.example@far.example>
S: 553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)
C: RCPT TO:<nobody@example.com>
S: 550 sorry, no mailbox here by that name. (#5.1.1)""",
    "syntax": """
S: 220 ...
C: MAIL
S: 555 syntax error (#5.5.4)
C: MAIL FROM:<{901 x a}@far.example>
S: 555 syntax error (#5.5.4)
C: MAIL FROM:<a@far.example>
S: 250 ok
C: RCPT TO:
S: 555 syntax error (#5.5.4)
C: RCPT TO:<{901 x a}@example.com>
S: 555 syntax error (#5.5.4)""",
    "order": """
S: 220 ...
C: RCPT TO:<alice@example.com>
S: 503 MAIL first (#5.5.1)
C: DATA
S: 503 MAIL first (#5.5.1)
C: MAIL FROM:<a@far.example>
S: 250 ok
C: DATA
S: 503 RCPT first (#5.5.1)
C: RCPT TO:<alice@example.com>
S: 250 ok
C: MAIL FROM:<b@far.example>
S: 250 ok
C: DATA
S: 503 RCPT first (#5.5.1)
C: HELO client.example
S: 250 ...
C: RCPT TO:<alice@example.com>
S: 503 MAIL first (#5.5.1)""",
    "small verbs": """
S: 220 ...
C: VRFY alice
S: 252 send some mail, i'll try my best
C: EXPN list
S: 502 unimplemented (#5.5.1)
C: FNORD
S: 502 unimplemented (#5.5.1)
C: BDAT 3 LAST
S: 502 unimplemented (#5.5.1)
C: NOOP
S: 250 ok
C: RSET
S: 250 flushed
C: HELP
S: 214 ...""",
    "a letter": """
S: 220 ...
C: HELO client.example
S: 250 ...
C: MAIL FROM:<a@far.example>
S: 250 ok
C: RCPT TO:<alice@example.com>
S: 250 ok
C: RCPT TO:<bob@example.com>
S: 250 ok
C: DATA
S: 354 go ahead
C: Subject: one
C:
C: ..dots
C: .
S: 250 ok ... qp ...
C: RCPT TO:<alice@example.com>
S: 503 MAIL first (#5.5.1)""",
    "a stray newline": """
S: 220 ...
C: MAIL FROM:<>
S: 250 ok
C: RCPT TO:<alice@example.com>
S: 250 ok
C: DATA
S: 354 go ahead
B: Subject: one\\n\\r\\n.\\r\\n
S: 451 See http://pobox.com/~djb/docs/smtplf.html.
-- closed""",
    "silence": """
S: 220 ...
S: 451 timeout (#4.4.2)
-- closed""",
    "too big": """
S: 220 ...
C: MAIL FROM:<>
S: 250 ok
C: RCPT TO:<alice@example.com>
S: 250 ok
C: DATA
S: 354 go ahead
C: {3000 x a}
C: .
S: 552 sorry, that message size exceeds my databytes limit (#5.3.4)
C: NOOP
S: 250 ok""",
    "too many hops": """
S: 220 ...
C: MAIL FROM:<>
S: 250 ok
C: RCPT TO:<alice@example.com>
S: 250 ok
C: DATA
S: 354 go ahead
B: {100 x Received: x\r\n}\r\n.\r\n
S: 554 too many hops, this message is looping (#5.4.6)""",
}


def against(stage: Stage, script: str, name: str = "qmail") -> None:
    async def scene(stage: Stage) -> None:
        host, _, port = stage.bound["qmail"].rpartition(":")
        dialogue = read_dialogue("-- listener qmail\n" + script.replace("\r\n", "\\r\\n"), name)
        await asyncio.to_thread(patiently, dialogue, host, int(port))

    play(stage, scene)


def patiently(dialogue: Dialogue, host: str, port: int) -> None:
    """The server looks for silent clients every ten seconds."""
    with OnServer(host, port, dialogue, timeout_s=25) as peer:
        play_dialogue(dialogue, peer)


@covers("P-02")
@pytest.mark.parametrize("name", SCRIPT)
def test_the_script_of_twelve_dialogues(name: str, tmp_path: Path) -> None:
    """Catalogue 3.5: the same codes at the same places; `250 ok` with time and queue id."""
    stage = Stage(tmp_path, limits=LIMITS)
    against(stage, SCRIPT[name], name)
    letters = [(kept.draft.envelope.sender, kept.content[-6:]) for kept in stage.spool.kept]
    assert letters == ([("a@far.example", b"dots\r\n")] if name == "a letter" else [])


def test_there_are_twelve() -> None:
    """As the catalogue's row says."""
    assert 12 == len(SCRIPT)


def test_trouble_of_ours_is_qqt_failure(tmp_path: Path) -> None:
    """451 in qmail's words; nothing is kept."""
    stage = Stage(tmp_path)
    stage.spool.trouble = UNAVAILABLE
    against(stage, SCRIPT["a letter"].split("S: 250 ok ...")[0] + "S: 451 qqt failure (#4.3.0)")
    assert [] == stage.spool.kept


def test_where_netqmail_repairs_we_refuse(tmp_path: Path) -> None:
    """A bare newline between commands, a path without brackets, parameters that nobody knows."""
    against(Stage(tmp_path), "S: 220 ...\nB: NOOP\\nNOOP\\r\\n\nS: 500 ...\n-- closed")
    against(Stage(tmp_path), "S: 220 ...\nC: MAIL FROM:a@far.example\nS: 555 ...")
    against(Stage(tmp_path), "S: 220 ...\nC: MAIL FROM:<a@far.example> FOO=bar\nS: 555 ...")


def test_a_refused_sender_does_not_go_on_for_ever(tmp_path: Path) -> None:
    """Each 553 counts as an error: after `limits.errors` of them 421, and closed."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted("qmail")
        assert (await client.say("MAIL FROM:<nobody@example.com>")).startswith("250")
        for _ in range(3):
            assert (await client.say("RCPT TO:<alice@example.com>")).startswith("553")
        assert (await client.say("RCPT TO:<alice@example.com>")).startswith("421")
        assert await client.closed()

    play(Stage(tmp_path, limits=replace(LIMITS, errors=3)), scene)


def test_other_listeners_speak_as_before(tmp_path: Path) -> None:
    """The setting is one listener's."""

    async def scene(stage: Stage) -> None:
        client = await stage.greeted("mx")
        assert (await client.letter("a@far.example", "alice@example.com")).startswith("250 2.6.0 queued as ")
        assert "503 5.5.1 MAIL first" == await client.say("DATA")

    play(Stage(tmp_path), scene)
