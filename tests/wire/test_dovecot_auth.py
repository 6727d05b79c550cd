"""Dovecot's SASL protocol as Postfix and Exim speak it: the exact order, both mechanisms, every cut."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.wire.dovecot_auth import LINE_OCTETS, AuthServer, Tried

HELLO = b"VERSION\t1\t0\nCPID\t7\n"
SECRET = base64.b64encode(b"\0hello@example.com\0pass word")
CLIENT = b"service=smtp\tnologin\tlip=192.0.2.9\trip=192.0.2.1\tsecured"
PLAIN = b"AUTH\t1\tPLAIN\t" + CLIENT + b"\tresp=" + SECRET + b"\n"


def server() -> AuthServer:
    machine = AuthServer(42, 3, "ab" * 16)
    machine.take()
    return machine


def heard(data: bytes, *cuts: int) -> tuple[list[Tried], AuthServer]:
    machine, found, start = server(), [], 0
    for cut in (*sorted(cuts), len(data)):
        for tried in machine.receive(data[start:cut]):
            found.append(tried)
            machine.accept(tried, tried.identity)
        start = cut
    return found, machine


def test_the_handshake_comes_unasked_and_in_this_order() -> None:
    """Exim 4.96 waits for DONE before it says a word; SPID before MECH is a wrong socket for Postfix."""
    expected = (
        "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\n"
        "SPID\t42\nCUID\t3\nCOOKIE\tabababababababababababababababab\nDONE\n"
    )
    assert expected.encode() == AuthServer(42, 3, "ab" * 16).take()


@given(st.lists(st.integers(0, len(HELLO + PLAIN)), max_size=6))
def test_how_it_is_cut_never_matters(cuts: list[int]) -> None:
    """Name, password and what is known of the client."""
    ((tried,), machine) = heard(HELLO + PLAIN, *cuts)
    assert ("hello@example.com", b"pass word", "PLAIN") == (
        tried.identity, tried.password.reveal(), tried.mechanism,
    )  # fmt: skip
    assert {"service": "smtp", "nologin": "", "lip": "192.0.2.9", "rip": "192.0.2.1", "secured": ""} == (
        tried.parameters
    )
    assert b"OK\t1\tuser=hello@example.com\n" == machine.take()


def test_login_asks_two_questions_and_plain_one() -> None:
    """As Postfix asks when a client gives no initial response; an empty one is an answer."""
    machine = server()
    assert [] == list(machine.receive(HELLO + b"AUTH\t1\tLOGIN\tservice=smtp\n"))
    assert b"CONT\t1\tVXNlcm5hbWU6\n" == machine.take()
    assert [] == list(machine.receive(b"CONT\t1\t" + base64.b64encode(b"bob@example.com") + b"\n"))
    assert b"CONT\t1\tUGFzc3dvcmQ6\n" == machine.take()
    (tried,) = machine.receive(b"CONT\t1\t" + base64.b64encode(b"pw") + b"\n")
    machine.fail(tried.number, "Locked,\tsee\nhttps://help.example")
    assert b"FAIL\t1\treason=Locked,\\x09see\\x0ahttps://help.example\n" == machine.take()
    assert [] == list(machine.receive(b"AUTH\t2\tPLAIN\tservice=smtp\n"))
    assert b"CONT\t2\t\n" == machine.take()
    (tried,) = machine.receive(b"CONT\t2\t" + SECRET + b"\n")
    assert "hello@example.com" == tried.identity
    assert [] == list(machine.receive(b"AUTH\t3\tPLAIN\tresp=\n"))
    assert b"FAIL\t3\n" == machine.take()


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"AUTH\t1\tCRAM-MD5\tservice=smtp", b"FAIL\t1\n"),
        (b"AUTH\t1\tPLAIN\tresp=not base64", b"FAIL\t1\n"),
        (b"AUTH\t1\tPLAIN\tresp=AAAA", b"FAIL\t1\n"),
        (b"AUTH\t1\tLOGIN\nCONT\t1\t*", b"CONT\t1\tVXNlcm5hbWU6\nFAIL\t1\n"),
        (b"AUTH\t1\tLOGIN\nAUTH\t1\tLOGIN", b"CONT\t1\tVXNlcm5hbWU6\nFAIL\t1\n"),
        (b"AUTH\t1\tLOGIN\nCANCEL\t1", b"CONT\t1\tVXNlcm5hbWU6\n"),
        (b"LATER\tthan us", b""),
    ],
)
def test_what_is_no_login_fails(line: bytes, answer: bytes) -> None:
    """And the next one is heard."""
    found, machine = heard(HELLO + line + b"\n" + PLAIN.replace(b"\t1\t", b"\t2\t"))
    assert answer + b"OK\t2\tuser=hello@example.com\n" == machine.take() and 1 == len(found)


def test_exchanges_that_were_given_up_do_not_pile_up() -> None:
    """Postfix says nothing when a client answers "*": one connection sees many, and goes on."""
    machine = server()
    for number in range(1, 200):
        assert [] == list(machine.receive(b"AUTH\t%d\tLOGIN\n" % number))
    assert b"FAIL" not in machine.take()
    (tried,) = machine.receive(PLAIN.replace(b"\t1\t", b"\t900\t"))
    assert "900" == tried.number


@pytest.mark.parametrize(
    "data",
    [b"VERSION\t2\t0\n", b"AUTH\tx\tPLAIN\n", b"AUTH\n", b"CONT\t1\tAAAA\n", b"x" * (LINE_OCTETS + 1)],
)
def test_another_protocol_is_hung_up_on(data: bytes) -> None:
    """Nothing after it is heard."""
    found, machine = heard(data + PLAIN)
    assert machine.closed and not found and not machine.take()


@given(st.binary(max_size=300))
def test_garbage_never_raises(data: bytes) -> None:
    """Nor does it log anybody in."""
    found, _ = heard(data)
    assert not found


def test_a_name_comes_back_escaped() -> None:
    """What stands in user= cannot end the line or begin another field."""
    machine = server()
    (tried,) = machine.receive(PLAIN)
    machine.accept(tried, "a\tb\nc\x01d@example.com")
    assert b"OK\t1\tuser=a\x01tb\x01nc\x011d@example.com\n" == machine.take()
