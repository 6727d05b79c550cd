"""Syslog over a stream: both framings, mixed and cut anywhere; what is endless or forged does no harm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.wire.syslog import MESSAGE_MAX, Messages, one_line

PARTS = (b"<22>Jul 22 18:47:21 mx vpopmail[1]: one", b"<22>1 2026-01-01T00:00:00Z mx app 1 - - two")


def all_of(data: bytes, step: int) -> list[bytes]:
    messages = Messages()
    return [
        one for place in range(0, len(data), step) for one in messages.receive(data[place : place + step])
    ]


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_both_framings(step: int) -> None:
    """Octets counted or ended by LF, one behind the other, in pieces of any size."""
    counted = b"".join(b"%d %s" % (len(part), part) for part in PARTS)
    assert list(PARTS) == all_of(counted, step)
    assert list(PARTS) == all_of(b"".join(part + b"\n" for part in PARTS), step)
    assert [*PARTS, *PARTS] == all_of(counted + b"".join(part + b"\r\n" for part in PARTS), step)


def test_nobody_writes_a_second_line_into_a_message() -> None:
    """A line end within counted octets is a blank."""
    forged = b"<22>x\nJul 22 18:47:21 mx vpopmail[1]: vchkpw-smtp: login success boss@example.com:192.0.2.1"
    (message,) = all_of(b"%d %s" % (len(forged), forged), 5)
    assert b"\n" not in message and message.startswith(b"<22>x Jul")
    assert b"a b" == one_line(b"a\rb\n\0")


def test_what_never_ends_breaks_the_stream() -> None:
    """Not our memory."""
    messages = Messages()
    assert [] == list(messages.receive(b"x" * (MESSAGE_MAX + 1)))
    assert messages.broken
    assert [] == list(messages.receive(b"<22>more\n"))


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_any_bytes(pieces: list[bytes]) -> None:
    """Messages of one line, or none; never an exception; the pieces do not matter."""
    messages = Messages()
    found = [one for piece in pieces for one in messages.receive(piece)]
    assert all(one and b"\n" not in one for one in found)
    assert found == all_of(b"".join(pieces), 3)
