"""XCLIENT: what its attributes may say, and what the machine lets a peer do before and after it."""

import pytest
from clients import HELLO, LOGIN, MAIL, RCPT, codes, connected, say
from msgspec.structs import replace

from sekisho.wire import replies
from sekisho.wire.smtp_server import ServerSettings
from sekisho.wire.steps import XClient
from sekisho.wire.xclient import parse_xclient

SETTINGS = ServerSettings("mx.example.com", 10_000, starttls=True, auth=True, implicit_tls=True, xclient=True)


@pytest.mark.parametrize(
    ("argument", "address"),
    [
        (b"ADDR=192.0.2.1", "192.0.2.1"),
        (b"addr=IPV6:2001:DB8::1", "2001:db8::1"),
        (b"ADDR=ipv6:::ffff:192.0.2.1", "192.0.2.1"),
        (
            b"NAME=a.example ADDR=192.0.2.1 PORT=4711 PROTO=ESMTP HELO=x DESTPORT=25",
            "192.0.2.1",
        ),
        (b"NAME=[UNAVAILABLE] ADDR=[TEMPUNAVAIL] PORT=[UNAVAILABLE]", ""),
        (b"NAME=spike.example", ""),
        (b"ADDR=192.0.2.1 HELO=a+20b", "192.0.2.1"),
    ],
)
def test_what_a_peer_may_say(argument: bytes, address: str) -> None:
    """Names of attributes in any letters; addresses in one form."""
    assert XClient(address) == parse_xclient(argument)


@pytest.mark.parametrize(
    "argument",
    [
        b"",
        b"ADDR",
        b"ADDR=",
        b"ADDR=999.0.2.1",
        b"ADDR=2001:db8::1",
        b"ADDR=IPV6:192.0.2.1",
        b"ADDR=IPV6:fe80::1%eth0",
        b"ADDR=192.0.2.1 ADDR=192.0.2.2",
        b"ADDR=192.0.2.1 addr=192.0.2.2",
        b"ADDR=192.0.2.1 LOGIN=alice@example.com",
        b"ADDR=192.0.2.1 FOO=bar",
        b"ADDR=192.0.2.1 PORT=x",
        b"ADDR=192.0.2.1 PROTO=HTTP",
        b"ADDR=192.0.2.1 HELO=a+0D+0Ab",
        b"ADDR=192.0.2.1 HELO=a+zz",
        b"ADDR=192.0.2.1 NAME=\xff",
        b"ADDR=192.0.2.1 NAME=" + b"n" * 401,
    ],
)
def test_what_is_not_understood_is_not_believed(argument: bytes) -> None:
    """Not the rest of it either: unknown, doubled, malformed; LOGIN above all."""
    assert replies.XCLIENT_SYNTAX == parse_xclient(argument)


def test_nothing_goes_before_it_where_it_is_required() -> None:
    """MAIL, AUTH, VRFY, DATA, BDAT: 503; afterwards the session begins anew, and may be named again."""
    client = connected(SETTINGS)
    assert "XCLIENT NAME ADDR" in b"\n".join(say(client, HELLO)).decode()
    for line in (MAIL, LOGIN, b"VRFY alice\r\n", b"DATA\r\n", b"BDAT 3\r\nabc", RCPT):
        assert [503] == codes(say(client, line)), line
    assert [501] == codes(say(client, b"XCLIENT ADDR=nowhere\r\n"))
    assert [503] == codes(say(client, MAIL))
    assert [b"220 mx.example.com ESMTP"] == say(client, b"XCLIENT ADDR=192.0.2.1\r\n")
    assert [503] == codes(say(client, MAIL))
    say(client, HELLO)
    assert [235] == codes(say(client, LOGIN))
    assert [220] == codes(say(client, b"XCLIENT ADDR=192.0.2.2\r\n"))
    assert not client.machine.authenticated and client.machine.encrypted
    say(client, HELLO)
    assert [250] == codes(say(client, MAIL))
    assert [503] == codes(say(client, b"XCLIENT ADDR=192.0.2.3\r\n"))


def test_a_reset_is_no_name() -> None:
    """RSET leads to the same state as XCLIENT, and opens nothing."""
    client = connected(SETTINGS)
    assert [250, 503, 503] == codes(say(client, b"RSET\r\nAUTH PLAIN\r\n")) + codes(say(client, MAIL))


def test_what_is_glued_to_it_closes() -> None:
    """The next command would be the client's or the peer's."""
    client = connected(SETTINGS)
    assert [503] == codes(say(client, b"XCLIENT ADDR=192.0.2.1\r\nEHLO x\r\n"))
    assert client.machine.closed


def test_it_is_unknown_elsewhere() -> None:
    """502, from a stranger and from who has logged in; and it is not offered."""
    for settings in (replace(SETTINGS, xclient=False), replace(SETTINGS, xclient=False, speaks="qmail")):
        client = connected(settings)
        assert "XCLIENT" not in b"\n".join(say(client, HELLO)).decode()
        for line, code in ((b"XCLIENT ADDR=127.0.0.1\r\n", 502), (LOGIN, 235), (b"XCLIENT LOGIN=a\r\n", 502)):
            assert [code] == codes(say(client, line))
