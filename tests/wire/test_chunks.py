"""BDAT: chunks of announced length become the content that DATA would have brought, however they are cut."""

import itertools

import pytest
from clients import HELLO, MAIL, PLAIN_TEXT, RCPT, codes, connected, say
from hypothesis import example, given
from hypothesis import strategies as st

from covers import covers
from sekisho.model.verdict import Reply
from sekisho.testing.stage import OnMachine
from sekisho.wire import replies
from sekisho.wire.body import LINE_OCTETS, Body
from sekisho.wire.chunks import CHUNK_OCTETS, Chunks, Discard, parse_chunk

LIMIT = 100_000
TEXT = st.lists(st.sampled_from([b"\r\n", b".", b"..", b"a", b"\r", b"\n", b"\0"]), max_size=20).map(b"".join)
CLEAN = st.lists(st.sampled_from([b"\r\n", b".", b"..", b"a", b"\r\n.\r\n"]), max_size=20).map(b"".join)


def chunked(content: bytes, cuts: list[int], piece: int = 1000) -> tuple[Chunks, bytes]:
    """Each part a chunk, each chunk fed in pieces."""
    chunks, out = Chunks(LIMIT), b""
    places = [0, *sorted(cut % (len(content) + 1) for cut in cuts), len(content)]
    for number, (start, end) in enumerate(itertools.pairwise(places)):
        chunks.begin(end - start, last=number == len(cuts))
        fed = [content[at : min(at + piece, end)] for at in range(start, end, piece)] or [b""]
        for part in fed:
            got, rest = chunks.feed(part)
            out += got
        assert rest == b""
    return chunks, out


@given(CLEAN, st.lists(st.integers(0, 1000), max_size=5), st.integers(1, 5))
@example(b".\r\n.", [1], 1)
@example(b"a\r\n", [2], 1)
def test_what_comes_out_is_what_data_would_have_brought(content: bytes, cuts: list[int], piece: int) -> None:
    """Dots doubled, the last line ended; so DATA's reader finds one message in it, and the same text."""
    chunks, out = chunked(content, cuts, piece)
    assert chunks.flaw is None and chunks.size == len(out)
    text = content if content.endswith(b"\r\n") or not content else content + b"\r\n"
    part, rest = Body(LIMIT).feed(out + b".\r\n")
    assert (out, b"") == (part, rest)
    assert text == (b"\r\n" + out).replace(b"\r\n.", b"\r\n")[2:]


@given(TEXT, st.lists(st.integers(0, 1000), max_size=5), st.integers(1, 5))
@example(b"\r", [], 1)
@example(b"a\r\n", [2], 1)
@example(b"\r\n", [1, 1, 1], 1)
def test_cutting_never_matters(content: bytes, cuts: list[int], piece: int) -> None:
    """One chunk or many, whole or byte by byte: the same flaw; without one the same content."""
    whole, text = chunked(content, [])
    other, other_text = chunked(content, cuts, piece)
    assert whole.flaw == other.flaw
    assert whole.flaw is not None or text == other_text


@pytest.mark.parametrize(
    ("argument", "understood"),
    [
        (b"0", (0, False)),
        (b"10 LAST", (10, True)),
        (b"10   last", (10, True)),
        (b"00010", (10, False)),
        (str(CHUNK_OCTETS).encode(), (CHUNK_OCTETS, False)),
        (str(CHUNK_OCTETS + 1).encode(), replies.TOO_BIG),
        (b"9" * 20, replies.TOO_BIG),
        (b"9" * 21, replies.CHUNK_SYNTAX),
        (b"", replies.CHUNK_SYNTAX),
        (b"LAST", replies.CHUNK_SYNTAX),
        (b"-1 LAST", replies.CHUNK_SYNTAX),
        (b"1_0", replies.CHUNK_SYNTAX),
        (b"1.0", replies.CHUNK_SYNTAX),
        ("\u0661".encode(), replies.CHUNK_SYNTAX),
        (b"1 LAST x", replies.CHUNK_SYNTAX),
    ],
)
def test_a_length_is_read_in_one_way(argument: bytes, understood: tuple[int, bool] | Reply) -> None:
    """Digits, and LAST."""
    assert understood == parse_chunk(argument)


def test_nothing_is_kept_of_what_has_passed() -> None:
    """Neither of a chunk that is wanted nor of one that is not: one octet at most."""
    for content in (Chunks(10**9), Discard(10**6, replies.MAIL_FIRST)):
        if isinstance(content, Chunks):
            content.begin(10**6, last=False)
        for _ in range(900):
            content.feed(b"x" * 1000 + b"\r")
            kept = [
                getattr(content, slot) for slot in (*Chunks.__slots__, "_reply") if hasattr(content, slot)
            ]
            assert sum(len(value) for value in kept if isinstance(value, bytes)) <= 1


def test_the_rules_of_content_are_those_of_data() -> None:
    """A bare newline, a line without end, a message over the limit; a flaw ends the message at its chunk."""
    for content, flaw in (
        (b"a\nb\r\n", replies.BARE_NEWLINE),
        (b"a\0\r\n", replies.BARE_NEWLINE),
        (b"x" * LINE_OCTETS + b"\r\n", replies.LINE_TOO_LONG),
        (b"x" * LIMIT + b"\r\n", replies.TOO_BIG),
    ):
        chunks = Chunks(LIMIT)
        chunks.begin(len(content), last=False)
        chunks.feed(content)
        assert (flaw, None) == (chunks.flaw, chunks.answer())


# On the machine.


def in_transaction() -> OnMachine:
    client = connected(PLAIN_TEXT)
    say(client, HELLO)
    say(client, MAIL, RCPT)
    return client


def test_a_hundred_thousand_chunks_of_one_octet_leave_nothing_behind() -> None:
    """Postfix kept a history of them (20260805). Over the limit they end in 552, and the session goes on."""
    client = in_transaction()
    lines: list[bytes] = []
    for _ in range(1000):
        lines += say(client, b"BDAT 1\r\nx" * 100)
    assert [552] == [code for code in codes(lines) if code not in (250, 503)]
    assert 10_000 == codes(lines).index(552) and {503} == set(codes(lines)[10_001:])
    assert [250] == codes(say(client, b"NOOP\r\n"))


def test_a_chunk_out_of_place_never_runs_as_commands() -> None:
    """BDAT without RCPT, then DATA (Postfix 20260724), in pieces of any size."""
    for piece in (0, 1, 3):
        client = connected(PLAIN_TEXT)
        client.piece = piece
        say(client, HELLO)
        chunk = b"MAIL FROM:<alice@example.com>\r\n"
        lines = say(client, MAIL, b"BDAT %d LAST\r\n" % len(chunk), chunk, b"DATA\r\n")
        assert [250, 503, 503] == codes(lines)
        assert not client.postmaster.letters


def test_a_server_that_has_no_room_reads_the_chunk_all_the_same() -> None:
    """The refusal comes after the chunk, and the transaction still stands."""
    client = in_transaction()
    answer = client.postmaster.answer
    client.postmaster.answer = lambda step: Reply(452, "4.3.1", "no room")  # type: ignore[method-assign]
    assert [] == say(client, b"BDAT 6 LAST\r\nQUI")
    client.postmaster.answer = answer  # type: ignore[method-assign]
    assert [b"452 4.3.1 no room"] == say(client, b"T\r\n")
    assert [250] == codes(say(client, b"BDAT 6 LAST\r\nx: y\r\n"))


@covers("Q-32")
@pytest.mark.parametrize("end", ["\r\n.\r\n", "\n.\n", "\r\n.\n", "\r.\r", "\n.\r\n"])
def test_no_end_of_data_in_a_chunk_ends_it(end: str) -> None:
    """One message, whose text it is, or none at all."""
    client = in_transaction()
    content = b"x: y\r\n" + end.encode() + MAIL + RCPT + b"DATA\r\n.\r\n"
    assert 1 == len(say(client, b"BDAT %d LAST\r\n" % len(content), content))
    assert all(b"DATA\r\n" in letter.content for letter in client.postmaster.letters)
    assert (end == "\r\n.\r\n") == (len(client.postmaster.letters) == 1)
