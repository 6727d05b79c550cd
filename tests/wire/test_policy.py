"""Postfix's policy protocol: requests however they are cut, nothing for what is none, one line back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.wire.policy import ATTRIBUTES, REQUEST_OCTETS, PolicyServer, Request

ASKED = (
    b"request=smtpd_access_policy\nprotocol_state=RCPT\nsender=\nrecipient=a@far.example\n"
    b"sasl_username=hello@example.com\nccert_subject=/C=x=y\nclient_address=192.0.2.1\n\n"
)


def heard(data: bytes, *cuts: int) -> tuple[list[Request], PolicyServer]:
    machine, found, start = PolicyServer(), [], 0
    for cut in (*sorted(cuts), len(data)):
        for request in machine.receive(data[start:cut]):
            found.append(request)
            machine.reply("DUNNO")
        start = cut
    return found, machine


@given(st.lists(st.integers(0, 2 * len(ASKED)), max_size=6))
def test_how_it_is_cut_never_matters(cuts: list[int]) -> None:
    """Two requests on one connection, an answer to each; a value may be empty or hold an equals sign."""
    requests, machine = heard(ASKED * 2, *cuts)
    assert 2 == len(requests) and requests[0] == requests[1]
    assert ("", "a@far.example", "/C=x=y") == tuple(
        requests[0][name] for name in ("sender", "recipient", "ccert_subject")
    )
    assert b"action=DUNNO\n\naction=DUNNO\n\n" == machine.take() and not machine.closed


@given(st.binary(max_size=400))
def test_garbage_is_no_request(data: bytes) -> None:
    """It is left without an answer and never raises."""
    requests, machine = heard(data + b"\n\n")
    assert not requests and machine.closed and not machine.take()


@pytest.mark.parametrize(
    "data",
    [
        b"\n\n",
        b"request=junk_mail_policy\n\n",
        ASKED.replace(b"sender=\n", b"sender=\nsender=b@c.d\n"),
        ASKED.replace(b"sender=\n", b"sender\n"),
        ASKED.replace(b"\n\n", b"\n" + b"".join(b"n%d=\n" % n for n in range(ATTRIBUTES)) + b"\n"),
        b"request=smtpd_access_policy\nx=" + b"y" * REQUEST_OCTETS,
        b"request=smtpd_access_policy\nx=" + b"y" * REQUEST_OCTETS + b"\n\n",
    ],
)
def test_what_is_malformed_is_hung_up_on(data: bytes) -> None:
    """Twice the same name, no equals sign, too many, too long; what comes behind it is not read."""
    requests, machine = heard(data + ASKED)
    assert not requests and machine.closed and not machine.take()
    assert [] == list(machine.receive(ASKED))


def test_an_answer_is_one_line() -> None:
    """Whatever stands in a text that somebody has configured."""
    machine = PolicyServer()
    machine.reply("450 4.7.1 a\n\naction=OK\x00 é")
    assert b"action=450 4.7.1 a\\x0a\\x0aaction=OK\\x00 ?\n\n" == machine.take()


def test_bytes_of_strangers_become_text() -> None:
    """Invalid UTF-8 and controls are shown, not kept."""
    ((request,), _) = heard(ASKED.replace(b"sender=", b"sender=\xff\x1b[31m\xe3\x81\x82"))
    assert "\\xff\\x1b[31mあ" == request["sender"]
