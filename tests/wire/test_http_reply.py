"""One answer to one GET: read whole or byte by byte, within its limit, and nothing else is believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.wire.http_reply import Answer, AnswerReader, BadAnswer, get

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
PLAIN = OK + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
CLOSING = OK + b"\r\nhello"


def read(*pieces: bytes, limit: int = 100) -> Answer:
    reader = AnswerReader(limit)
    for piece in pieces:
        if (answer := reader.feed(piece)) is not None:
            return answer
    answer = reader.end()
    assert answer is not None
    return answer


@pytest.mark.parametrize("words", [PLAIN, CHUNKED, CLOSING])
def test_three_ways_to_end(words: bytes) -> None:
    """By length, in chunks, by the end of the connection; however it is cut."""
    for pieces in ([words], [words[place : place + 1] for place in range(len(words))]):
        assert Answer(200, "text/plain", b"hello") == read(*pieces)


@pytest.mark.parametrize(
    "words",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 xyz\r\n\r\n",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: 101\r\n\r\n",
        OK + b"Content-Length: 99999999999999999999\r\n\r\n",
        OK + b"\r\n" + b"x" * 101,
        OK + b"Transfer-Encoding: gzip\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nffffffffff\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 300,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000,
        PLAIN[:-1],
        CHUNKED[:-8],
        b"",
    ],
)
def test_answers_that_are_none(words: bytes) -> None:
    """Not HTTP/1, too large, without end, broken off."""
    with pytest.raises(BadAnswer):
        read(words)


def test_redirects_and_errors_are_not_read() -> None:
    """The status is all that is known of them."""
    moved = b"HTTP/1.1 301 Moved\r\nLocation: https://evil.test/\r\nContent-Length: 999999\r\n\r\n"
    assert Answer(301, "", b"") == read(moved)


@given(st.binary(max_size=300), st.booleans())
def test_nothing_breaks_it(words: bytes, after_head: bool) -> None:
    """Garbage is an answer or a BadAnswer."""
    reader = AnswerReader(50)
    try:
        answer = reader.feed((OK + b"Transfer-Encoding: chunked\r\n\r\n" if after_head else b"") + words)
        answer = answer or reader.end()
    except BadAnswer:
        return
    assert answer is None or len(answer.body) <= 50


def test_the_request() -> None:
    """One line for the path, one for the host, and the connection is closed."""
    assert get("mta-sts.example.net", "/x").startswith(b"GET /x HTTP/1.1\r\nHost: mta-sts.example.net\r\n")
