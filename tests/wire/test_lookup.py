"""socketmap and tcp_table as Postfix speaks them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.wire.lookup import QUERY_OCTETS, Lookup, SocketmapServer, TcpTableServer

MAP = b"26:senders hello@example.com ,23:locked \xe3\x81\x82\xff@example.com,"
TABLE = b"get hello@example.com\nget a%20b%25%E3%81%82\r\n"

Machine = SocketmapServer | TcpTableServer


def heard(machine: Machine, data: bytes, *cuts: int) -> list[Lookup]:
    found, start = [], 0
    for cut in (*sorted(cuts), len(data)):
        for question in machine.receive(data[start:cut]):
            found.append(question)
            machine.missing()
        start = cut
    return found


@given(st.lists(st.integers(0, len(MAP)), max_size=6))
def test_netstrings_however_they_are_cut(cuts: list[int]) -> None:
    """NOTFOUND has a space behind it."""
    machine = SocketmapServer()
    found = heard(machine, MAP, *cuts)
    assert [Lookup("senders", "hello@example.com "), Lookup("locked", "あ\ufffd@example.com")] == found
    assert b"9:NOTFOUND ,9:NOTFOUND ," == machine.take() and not machine.closed


@given(st.lists(st.integers(0, len(TABLE)), max_size=6))
def test_lines_however_they_are_cut(cuts: list[int]) -> None:
    """Keys and answers are quoted."""
    machine = TcpTableServer()
    assert [Lookup("", "hello@example.com"), Lookup("", "a b%あ")] == heard(machine, TABLE, *cuts)
    machine.take()
    machine.found("HOLD a%b\né")
    machine.later("no")
    assert b"200 HOLD%20a%25b\\x0a%C3%A9\n400 no\n" == machine.take()


def test_an_answer_has_its_true_length() -> None:
    """In octets; a line end cannot stand in it."""
    machine = SocketmapServer()
    machine.found("é\n")
    machine.later("disk full")
    assert "9:OK é\\x0a,14:TEMP disk full,".encode() == machine.take()


@pytest.mark.parametrize(
    "data",
    [b"x", b"-1:a,", b":", b"0:,", b"3:abcd", b"123456", b"%d:" % (QUERY_OCTETS + 1), b"GET / HTTP/1.1\r\n"],
)
def test_what_is_no_netstring_is_hung_up_on(data: bytes) -> None:
    """Nothing after it is read."""
    machine = SocketmapServer()
    assert [] == heard(machine, data) and machine.closed and not machine.take()
    assert [] == heard(machine, MAP)


@pytest.mark.parametrize("data", [b"put a b\n" * 9000, b"\n", b"get " + b"x" * QUERY_OCTETS])
def test_what_is_no_line_is_hung_up_on(data: bytes) -> None:
    """Nothing after it is read."""
    machine = TcpTableServer()
    assert [] == heard(machine, data) and machine.closed
    assert [] == heard(machine, TABLE)


@given(st.binary(max_size=200))
def test_garbage_never_raises(data: bytes) -> None:
    """In either."""
    for machine in (SocketmapServer(), TcpTableServer()):
        heard(machine, data)
