"""Replies on the wire: one line or many, always legal."""

import re

from hypothesis import given
from hypothesis import strategies as st

from sekisho.model.verdict import Reply
from sekisho.wire import replies
from sekisho.wire.replies import LINES, encode, lines

LEGAL = re.compile(rb"(?:(\d{3})-[ -~]*\r\n)*(\d{3}) [ -~]*\r\n")


def test_one_line() -> None:
    """Code, status, text."""
    assert b"250 2.1.0 ok\r\n" == encode(Reply(250, "2.1.0", "ok"))
    assert b"354 go on\r\n" == encode(Reply(354, "", "go on"))
    assert b"334 \r\n" == encode(Reply(334, "", ""))


def test_every_line_has_code_and_status() -> None:
    """RFC 2034 4: the status code stands on each line."""
    assert b"550-5.7.1 first\r\n550 5.7.1 second\r\n" == encode(Reply(550, "5.7.1", "first\nsecond"))
    assert b"250-a\r\n250-b\r\n250 c\r\n" == lines(Reply(250, "", ""), ("a", "b", "c"))


def test_a_long_text_is_cut() -> None:
    """512 octets a line, a hundred lines (RFC 5321 4.5.3.1.5)."""
    assert len(encode(Reply(550, "5.7.1", "x" * 10_000))) <= 512
    assert LINES == encode(Reply(550, "5.7.1", "x\n" * 1000)).count(b"\r\n")


@given(st.integers(200, 599), st.sampled_from(["", "5.7.1"]), st.text(max_size=80))
def test_no_text_can_break_a_reply(code: int, status: str, text: str) -> None:
    """Line ends of all kinds, controls, letters beyond ASCII: still one legal reply with this code on every
    line.
    """
    wire = encode(Reply(code, status, text))
    found = LEGAL.fullmatch(wire)
    assert found is not None
    assert {str(code).encode()} == {line[:3] for line in wire.splitlines()}


def test_the_machine_s_own_replies_are_well_formed() -> None:
    """Each has an enhanced status of its own class and fits on one line."""
    own = [value for value in vars(replies).values() if isinstance(value, Reply)]
    assert len(own) > 30
    for reply in own:
        assert reply.status[0] == str(reply.code)[0]
        assert 1 == encode(reply).count(b"\r\n")
