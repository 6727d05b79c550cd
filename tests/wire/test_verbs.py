"""The order of commands: the machine keeps to its table, and the document shows the same table."""

import re
from pathlib import Path

import pytest
from clients import ENCRYPTED, HELLO, MAIL, NO, PLAIN_TEXT, RCPT, WAYS, Way, arrived, codes, connected, say
from msgspec.structs import replace

from sekisho.model.verdict import Reply
from sekisho.testing.stage import OnMachine
from sekisho.wire import verbs
from sekisho.wire.steps import Refused
from sekisho.wire.verbs import COMMAND_STATES, ORDER, State

DOCUMENT = Path(__file__).parents[2] / "docs" / "wire.md"

COMMANDS = {
    "HELO": b"HELO client.example\r\n",
    "EHLO": HELLO,
    "LHLO": b"LHLO client.example\r\n",
    "STARTTLS": b"STARTTLS\r\n",
    "XCLIENT": b"XCLIENT ADDR=192.0.2.1\r\n",
    "AUTH": b"AUTH LOGIN\r\n",
    "MAIL": MAIL,
    "RCPT": RCPT,
    "DATA": b"DATA\r\n",
    "BDAT": b"BDAT 3\r\nabc",
    "RSET": b"RSET\r\n",
    "NOOP": b"NOOP\r\n",
    "VRFY": b"VRFY bob\r\n",
    "HELP": b"HELP\r\n",
    "QUIT": b"QUIT\r\n",
}
EVERYTHING = [(state, verb) for state in COMMAND_STATES for verb in ORDER]


def client_in(state: State, verb: str) -> OnMachine:
    """AUTH is on offer under TLS only, STARTTLS without it, and LHLO in place of EHLO."""
    way = next(way for way in WAYS.values() if way.state is state)
    settings = ENCRYPTED if verb == "AUTH" else PLAIN_TEXT
    if verb == "XCLIENT":
        writes = (COMMANDS[verb], *way.writes)
        return arrived(Way(replace(settings, xclient=True), writes, state))
    if verb != "LHLO":
        return arrived(Way(settings, way.writes, state))
    writes = tuple(write.replace(b"EHLO", b"LHLO") for write in way.writes)
    return arrived(Way(replace(settings, lmtp=True), writes, state))


def test_the_table_is_complete() -> None:
    """Every verb has an entry for every state, and every entry is a state or a refusal."""
    for row in ORDER.values():
        assert tuple(row) == COMMAND_STATES
        assert all(isinstance(entry, State) or entry.code == 503 for entry in row.values())
    assert COMMANDS.keys() == ORDER.keys()


@pytest.mark.parametrize(("state", "verb"), EVERYTHING)
def test_a_positive_reply_moves_as_the_table_says(state: State, verb: str) -> None:
    """In order: the state of the table. Out of order: the refusal of the table, and nothing has changed."""
    client = client_in(state, verb)
    lines = say(client, COMMANDS[verb])
    goal = ORDER[verb][state]
    if isinstance(goal, Reply):
        assert [str(goal).encode()] == lines
        assert client.postmaster.steps[-1] == Refused(goal, verb)
        assert client.machine.state is state
    else:
        assert codes(lines)[-1] < 400
        assert client.machine.state is goal


@pytest.mark.parametrize(("state", "verb"), EVERYTHING)
def test_a_negative_reply_changes_nothing(state: State, verb: str) -> None:
    """Except that QUIT and XCLIENT close, and that AUTH's exchange and a second chunk nobody refuses."""
    goal = ORDER[verb][state]
    if isinstance(goal, Reply) or verb == "AUTH" or (verb, state) == ("BDAT", State.CHUNKS):
        return
    client = client_in(state, verb)
    answer = client.postmaster.answer
    client.postmaster.answer = lambda step: NO if answer(step) else None  # type: ignore[method-assign]
    assert [b"452 4.3.1 not now"] == say(client, COMMANDS[verb])
    assert client.machine.state is (State.CLOSED if verb in ("QUIT", "XCLIENT") else state)


@pytest.mark.parametrize(("state", "verb"), EVERYTHING)
def test_421_closes_from_everywhere(state: State, verb: str) -> None:
    """RFC 5321 3.8: whoever says it means it."""
    goal = ORDER[verb][state]
    if isinstance(goal, Reply) or verb == "AUTH" or (verb, state) == ("BDAT", State.CHUNKS):
        return
    client = client_in(state, verb)
    away = Reply(421, "4.3.2", "shutting down")
    client.postmaster.answer = lambda step: away  # type: ignore[method-assign]
    assert [b"421 4.3.2 shutting down"] == say(client, COMMANDS[verb], b"")
    assert client.machine.closed


@pytest.mark.parametrize("state", COMMAND_STATES)
@pytest.mark.parametrize("word", sorted(verbs.ELSEWHERE | {b"XYZZY", b"", b"MAIL\xff", b"EHLO\x00"}))
def test_unknown_words_change_nothing(state: State, word: bytes) -> None:
    """500 for what is unknown, 502 for what others offer, from every state."""
    client = client_in(state, "")
    assert codes(say(client, word + b" argument\r\n")) == [502 if word in verbs.ELSEWHERE else 500]
    assert client.machine.state is state


@pytest.mark.parametrize("state", COMMAND_STATES)
@pytest.mark.parametrize("word", [*sorted(verbs.HTTP), b"PROXY", b"BDAT"])
def test_what_would_be_read_in_two_ways_closes(state: State, word: bytes) -> None:
    """HTTP, PROXY and BDAT, in capitals or not, from every state; what follows is not read."""
    for spelled in (word, word.lower()):
        client = client_in(state, "")
        assert 1 == len(say(client, spelled + b" /\r\n", MAIL))
        assert client.machine.closed


def test_every_command_has_its_own_longest_line() -> None:
    """AUTH carries tickets, MAIL and RCPT parameters; nothing else needs more than 2 KB."""
    assert 12_288 == verbs.longest_line(b"auth PLAIN")
    assert 4096 == verbs.longest_line(b"MAIL FROM:") == verbs.longest_line(b"rcpt to:")
    assert 2048 == verbs.longest_line(b"NOOP") == verbs.longest_line(b"AUTHX") == verbs.longest_line(b"")


def test_no_service_until_hello_after_tls() -> None:
    """STARTTLS leads back to the first column."""
    client = connected(PLAIN_TEXT)
    say(client, HELLO)
    say(client, b"STARTTLS\r\n")
    client.start_tls()
    assert client.machine.state is State.FRESH


# The document.


def rows() -> dict[str, list[str]]:
    """The table of docs/wire.md by its first column."""
    lines = DOCUMENT.read_text().partition("## States and verbs")[2].partition("\n## ")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return {row[0].strip("`"): row[1:] for row in cells if re.fullmatch(r"`[A-Z]+`", row[0])}


def shown(entry: State | Reply) -> str:
    return f"{entry.code} {entry.text}" if isinstance(entry, Reply) else f"→ {entry.value}"


def test_the_document_has_the_table_of_the_code() -> None:
    """Every verb, every state, every reply, and no others."""
    assert rows() == {verb: [shown(row[state]) for state in COMMAND_STATES] for verb, row in ORDER.items()}
