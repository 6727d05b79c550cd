"""weakforced's API as its clients speak it: Dovecot's own bytes, every cut, and what is no request."""

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.wire.wforce import BODY_OCTETS, Command, WforceServer

BODY = (
    b'{"device_id":"\\"name\\" \\"Thunderbird\\"","login":"hello@example.com","protocol":"imap",'
    b'"pwhash":"09b7","remote":"127.0.0.1","session_id":"OoEF","success":true,"policy_reject":false,"tls":false}'
)
BASIC = b"Authorization: Basic " + base64.b64encode(b"anybody:se:cret") + b"\r\n"
ASKED = (
    b"POST /?command=report HTTP/1.1\r\nHost: 127.0.0.1:8084\r\nUser-Agent: dovecot/auth-policy-client\r\n"
    b"Connection: Keep-Alive\r\nContent-Type: application/json\r\n%b"
    b"Content-Length: %d\r\n\r\n%b" % (BASIC, len(BODY), BODY)
)


def heard(data: bytes, *cuts: int) -> tuple[list[Command], WforceServer]:
    machine, found, start = WforceServer(), [], 0
    for cut in (*sorted(cuts), len(data)):
        for command in machine.receive(data[start:cut]):
            found.append(command)
            machine.reply(200, {"status": "ok"})
        start = cut
    return found, machine


@given(st.lists(st.integers(0, 2 * len(ASKED)), max_size=6))
def test_how_it_is_cut_never_matters(cuts: list[int]) -> None:
    """Two of Dovecot's reports on one connection."""
    commands, machine = heard(ASKED * 2, *cuts)
    assert 2 == len(commands) and commands[0] == commands[1] and not machine.closed
    said = commands[0].said
    assert said is not None and ("report", b"se:cret") == (commands[0].name, commands[0].password)
    assert ("hello@example.com", "127.0.0.1", "09b7", "OoEF", True, False) == (
        said.login, said.remote, said.pwhash, said.session_id, said.success, said.tls,
    )  # fmt: skip
    head, _, body = machine.take().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n") and body.startswith(b'{"status":"ok"}HTTP/1.1 200 OK')


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("POST /command/allow HTTP/1.1", "allow"),
        ("POST /?command=allow HTTP/1.1", "allow"),
        ("POST /x?a=b&command=allow HTTP/1.1", "allow"),
        ("GET /metrics HTTP/1.1", "metrics"),
        ("GET / HTTP/1.1", ""),
        ("GET /command/a..b HTTP/1.1", ""),
    ],
)
def test_both_ways_of_naming_a_command(line: str, name: str) -> None:
    """A path, or Dovecot's query; a request without a body has said nothing."""
    ((command,), _) = heard(f"{line}\r\nHost: x\r\n\r\n".encode())
    assert name == command.name and command.password is None and command.said is not None


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'{"login":1}', b'{"tls":"yes"}', b"\xff\xfe", b'{"login":"\xff"}', b"[" * 5000, b'"x"'],
)
def test_what_is_no_object_has_said_nothing(body: bytes) -> None:
    """It is a command all the same, and the connection goes on."""
    request = b"POST /command/allow HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    commands, machine = heard(request + ASKED)
    assert [None] == [command.said for command in commands[:1]] and 2 == len(commands)
    assert not machine.closed


def test_the_connection_ends_where_the_client_wants_it() -> None:
    """HTTP/1.0, or Connection: close; what comes behind is not heard."""
    for line in (b"POST /command/allow HTTP/1.0\r\n\r\n", b"GET /ping HTTP/1.1\r\nConnection: close\r\n\r\n"):
        commands, machine = heard(line + ASKED)
        assert 1 == len(commands) and machine.closed and b"Connection: close" in machine.take()


@pytest.mark.parametrize(
    "data",
    [
        b"PUT / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (BODY_OCTETS + 1),
        b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000,
        b"x" * 20_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused_and_hung_up_on(data: bytes) -> None:
    """Where the next would begin cannot be known."""
    commands, machine = heard(data + ASKED)
    assert machine.closed and not commands
    assert machine.take().startswith(b"HTTP/1.1 400 Bad Request\r\n")


@given(st.binary(max_size=300))
def test_garbage_never_raises(data: bytes) -> None:
    """Nor is it a command."""
    commands, _ = heard(data + b"\r\n\r\n")
    assert all(msgspec.json.encode(command.name) for command in commands)
