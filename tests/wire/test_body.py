"""The end of data, bare newlines, size and line length: the same verdict however the bytes are cut."""

import itertools
import re

import pytest
from clients import ENCRYPTED, HELLO, MAIL, RCPT, codes, connected, say
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import json

from covers import covers
from sekisho.model.verdict import Reply
from sekisho.wire import replies
from sekisho.wire.body import END, LINE_OCTETS, Body, newlines_are_pairs
from shared import shared

LIMIT = 100_000
BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n|\0")

LETTERS = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"\r\n.\r\n", b"a", b"..", b"\0"]), max_size=30
)
TEXT = st.one_of(LETTERS.map(b"".join), st.binary(max_size=60))


def read(pieces: list[bytes]) -> tuple[Body, bytes, bytes | None]:
    """The body, what it handed on, and what followed its end (None if it did not end)."""
    body, content, rest = Body(LIMIT), b"", None
    for piece in pieces:
        if rest is not None:
            rest += piece
            continue
        part, rest = body.feed(piece)
        content += part
    return body, content, rest


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(places)]


@given(TEXT)
@example(b"\rx\n")
@example(b"\n\r")
@example(b"\r\r\n\n")
@example(b"\r\nx\ry\n\r\n")
def test_pairs_are_told_from_halves(part: bytes) -> None:
    """The three fast passes agree with a slow and obvious expression."""
    assert newlines_are_pairs(part) == (BARE.search(part) is None)


@given(TEXT)
def test_only_one_sequence_ends_a_message(data: bytes) -> None:
    """A dot alone on a line, with CR LF on both sides; the line of DATA counts as the one before."""
    _, content, rest = read([data])
    before, end, after = (b"\r\n" + data).partition(END)
    assert rest == (after if end else None)
    if end and BARE.search(before) is None:
        assert content == (before + b"\r\n")[2:]


@given(TEXT, st.lists(st.integers(0, 1000), max_size=6))
def test_cutting_never_matters(data: bytes, cuts: list[int]) -> None:
    """Whole, cut anywhere or byte by byte: same content, same size, same flaw, same rest."""
    whole, content, rest = read([data])
    for way in (pieces(data, cuts), [data[place : place + 1] for place in range(len(data))]):
        body, other, other_rest = read(way)
        assert (whole.size, whole.flaw, whole.bare, rest) == (body.size, body.flaw, body.bare, other_rest)
        if whole.flaw is None:
            assert content == other


@given(
    st.integers(LINE_OCTETS - 3, LINE_OCTETS + 3),
    st.integers(0, 5),
    st.lists(st.integers(0, 99_999), max_size=4),
)
def test_a_line_has_a_limit_wherever_it_stands(octets: int, lines: int, cuts: list[int]) -> None:
    """A line of the limit with its CR LF passes, one octet more does not, however it is cut."""
    data = b"short\r\n" * lines + b"x" * (octets - 2) + b"\r\n" + b"short\r\n" * lines + b".\r\n"
    expected = replies.LINE_TOO_LONG if octets > LINE_OCTETS else None
    assert expected == read(pieces(data, cuts))[0].flaw


def test_size_counts_wire_form() -> None:
    """Dots that were doubled count as sent; the final dot does not."""
    body, content, rest = read([b"..\r\nab\r\n.\r\nQUIT\r\n"])
    assert (8, b"..\r\nab\r\n", b"QUIT\r\n") == (body.size, content, rest)


@pytest.mark.parametrize("excess", [0, 1])
def test_too_big_is_read_to_its_end(excess: int) -> None:
    """One octet over the limit is refused, the limit itself is not, and what follows is found."""
    line = b"x" * 98 + b"\r\n"
    data = line * (LIMIT // len(line) - 1) + b"x" * (98 + excess) + b"\r\n"
    body, _, rest = read([data + b".\r\nNOOP\r\n"])
    assert (body.flaw, rest) == (replies.TOO_BIG if excess else None, b"NOOP\r\n")


def test_a_message_that_is_refused_is_not_handed_on() -> None:
    """After the flaw has shown, nothing more of it comes out."""
    body = Body(1000)
    assert (b"good\r\n"[:4], None) == body.feed(b"good\r\n")
    assert (b"", None) == body.feed(b"bad\n" * 300)
    assert (b"", b"") == body.feed(b"\r\n.\r\n")
    assert replies.BARE_NEWLINE == body.flaw


@pytest.mark.parametrize(
    ("data", "flaw"),
    [
        (b"\n" + b"x" * LIMIT + b"\r\n.\r\n", replies.BARE_NEWLINE),
        (b"x" * LIMIT + b"\r\n\0\r\n.\r\n", replies.BARE_NEWLINE),
        (b"x" * LIMIT + b"\r\n.\r\n", replies.TOO_BIG),
    ],
)
def test_the_gravest_flaw_is_told(data: bytes, flaw: Reply) -> None:
    """Bare newlines before size, size before line length, in whatever order they come."""
    assert flaw == read([data])[0].flaw
    assert flaw == read([data[place : place + 997] for place in range(0, len(data), 997)])[0].flaw


def held(body: Body) -> int:
    return sum(len(value) for slot in Body.__slots__ if isinstance(value := getattr(body, slot), bytes))


def test_nothing_is_kept_of_what_has_passed() -> None:
    """A body of any length costs four octets of memory."""
    body = Body(10**9)
    for _ in range(1000):
        body.feed(b"x" * 1000 + b"\r\n.\r")
        assert held(body) <= len(END) - 1


# SMTP smuggling.

LISTED = [
    "\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\r.\n", "\n.\r",
    "\r\r\n.\r\r\n", "\r\n.\r\r\n", "\r\n\0.\r\n", "\r\n.\0\r\n", "\r\n. \r\n",
]  # fmt: skip


def smuggled(end: bytes) -> bytes:
    """A message that some servers take for two."""
    inner = b"MAIL FROM:<alice@example.com>\r\n" + RCPT + b"DATA\r\nSubject: s\r\n\r\ny\r\n.\r\n"
    return b"Subject: a\r\n\r\nx" + end + inner


def assert_not_smuggled(end: bytes) -> None:
    """One message at most, and if it was taken it contains the inner one as text."""
    for piece in (0, 1):
        client = connected(ENCRYPTED)
        say(client, HELLO)
        say(client, MAIL, RCPT, b"DATA\r\n")
        client.piece = piece
        lines = say(client, smuggled(end))
        letters = client.postmaster.letters
        if end == b"\r\n. \r\n":  # a dot and a space are text for everybody
            assert ([250], 1) == (codes(lines), len(letters))
            assert b"MAIL FROM:<alice@example.com>" in letters[0].content
        else:
            assert [b"550 5.6.11 bare CR, bare LF or NUL in the message"] == lines
            assert client.machine.closed and not letters


@covers("Q-32")
@pytest.mark.parametrize("end", LISTED, ids=repr)
def test_no_listed_end_of_data_smuggles(end: str) -> None:
    """None of the thirteen that were measured against other servers: 0 unsafe."""
    assert_not_smuggled(end.encode("ascii"))


def test_no_end_of_data_of_the_corpus_smuggles() -> None:
    """All of the public collection: 0 unsafe."""
    cases = json.decode(shared("corpora/smuggling_eod.json").read_bytes())
    assert len(cases) >= 12
    for case in cases:
        assert_not_smuggled(case["seq"].encode("ascii"))


@given(st.lists(st.sampled_from("\r\n. \0\t"), min_size=1, max_size=8).map("".join))
def test_no_other_end_of_data_smuggles(end: str) -> None:
    """Whatever stands there: it is the true end, or not an end at all."""
    raw = end.encode("ascii")
    if END in b"x" + raw + b"M":
        return
    client = connected(ENCRYPTED)
    say(client, HELLO)
    say(client, MAIL, RCPT, b"DATA\r\n")
    say(client, smuggled(raw))
    assert len(client.postmaster.letters) <= 1
    assert all(letter.sender == "carol@remote.example" for letter in client.postmaster.letters)
