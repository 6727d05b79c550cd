"""Letters whose lines end in LF alone, where they are borne: mended only where nothing can come of it."""

import re

import pytest
from clients import HELLO, MAIL, RCPT, codes, connected, say
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json
from test_body import LISTED, pieces, smuggled

from sekisho.wire import replies
from sekisho.wire.body import END
from sekisho.wire.lenient import LenientBody
from sekisho.wire.smtp_server import ServerSettings
from sekisho.wire.steps import BodyEnd
from shared import shared

SETTINGS = ServerSettings("mx.example.com", 10_000, starttls=False, auth=False, bare_lf=True)
LETTERS = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"\r\n.\r\n", b"a", b"..", b"\0", b"\n.\n"]), max_size=30
)


def read(parts: list[bytes]) -> tuple[LenientBody, bytes, bytes | None]:
    body, content, rest = LenientBody(100_000), b"", None
    for piece in parts:
        if rest is None:
            part, rest = body.feed(piece)
            content += part
        else:
            rest += piece
    return body, content, rest


def test_lf_becomes_cr_lf() -> None:
    """Mixed or throughout; counted; what had CR LF stays as it is."""
    body, content, rest = read([b"Subject: x\n\nHello.\nbye\r\n..\r\n\nx\r\n.\r\nQUIT\r\n"])
    assert (b"Subject: x\r\n\r\nHello.\r\nbye\r\n..\r\n\r\nx\r\n", b"QUIT\r\n") == (content, rest)
    assert (None, 4) == (body.flaw, body.bare_lf)
    body, content, _ = read([b"a\r\nb\r\n.\r\n"])
    assert (None, 0, b"a\r\nb\r\n") == (body.flaw, body.bare_lf, content)


@pytest.mark.parametrize(
    "data",
    [
        b"a\n.\r\n",
        b"a\n.\n",
        b"a\r\n.\n",
        b".\n",
        b"\n.x",
        b"\n..x",
        b"a\rb",
        b"a\r\r\nb",
        b"a\0b",
        b"\n\r",
        b"\n\0",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(data: bytes) -> None:
    """Dots beside such an LF, CR alone, NUL; and nothing of it is handed on once it has shown."""
    for cut in range(len(data) + 1):
        body, _, rest = read([data[:cut], data[cut:], b"\r\nrest\r\n.\r\n"])
        assert (replies.BARE_NEWLINE, 0, b"") == (body.flaw, body.bare_lf, rest)


@given(LETTERS.map(b"".join), st.lists(st.integers(0, 1000), max_size=6))
def test_what_is_handed_on_is_strict(data: bytes, cuts: list[int]) -> None:
    """However it came and was cut: one verdict; only CR LF pairs, no end of data, the same words."""
    body, content, rest = read([data])
    for way in (pieces(data, cuts), [data[n : n + 1] for n in range(len(data))]):
        other, other_content, other_rest = read(way)
        assert (body.flaw, body.bare_lf, rest) == (other.flaw, other.bare_lf, other_rest)
        if body.flaw is None:
            assert content == other_content
    if body.flaw is None:
        assert re.search(rb"\r(?!\n)|(?<!\r)\n|\0", content) is None
        assert END not in b"\r\n" + content
        taken = data[: len(data) - len(rest) - 3] if rest is not None else data
        assert taken.replace(b"\r", b"").startswith(content.replace(b"\r", b""))


def sessions(end: bytes) -> tuple[list[str], list[str]]:
    client = connected(SETTINGS)
    say(client, HELLO)
    say(client, MAIL, RCPT, b"DATA\r\n")
    say(client, smuggled(end))
    return [letter.sender for letter in client.postmaster.letters], [
        step.flaw.status for step in client.postmaster.steps if isinstance(step, BodyEnd) and step.flaw
    ]


@pytest.mark.parametrize("end", LISTED, ids=repr)
def test_no_listed_end_of_data_smuggles_where_lf_is_borne(end: str) -> None:
    """The thirteen: none makes a second letter, and none is taken."""
    senders, flaws = sessions(end.encode("ascii"))
    assert senders == [] or (senders == ["carol@remote.example"] and end == "\r\n. \r\n")
    assert flaws == ["5.6.11"] or end == "\r\n. \r\n"


def test_no_end_of_data_of_the_corpus_smuggles_where_lf_is_borne() -> None:
    """The public collection: 0 unsafe."""
    for case in json.decode(shared("corpora/smuggling_eod.json").read_bytes()):
        assert ([], ["5.6.11"]) == sessions(case["seq"].encode("ascii")), case["name"]


def test_commands_are_as_strict_as_before() -> None:
    """Only letters are borne; a chunk of BDAT is not."""
    client = connected(SETTINGS)
    assert [500] == codes(say(client, b"NOOP\nNOOP\r\n"))
    client = connected(SETTINGS)
    say(client, HELLO)
    assert [250, 250, 550] == codes(say(client, MAIL, RCPT, b"BDAT 4 LAST\r\na\nb\n"))[-3:]
