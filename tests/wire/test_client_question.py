"""A question to another server: what it says of recipients, without a letter."""

import pytest

from sekisho.model.delivery import Tls
from sekisho.wire.client_steps import ClientSettings, Ended, Ready, Transaction
from sekisho.wire.smtp_client import SmtpClient

PIPELINING = b"250-hub.example\r\n250 PIPELINING\r\n"
PLAIN = b"250 hub.example\r\n"


def asked(hello: bytes, *recipients: str) -> SmtpClient:
    machine = SmtpClient(ClientSettings("me.example", Tls.NONE))
    assert [Ready()] == [*machine.receive(b"220 hub\r\n"), *machine.receive(hello)]
    machine.take()
    assert machine.begin(Transaction("", recipients, 0, question=True)) is None
    return machine


def answer(machine: SmtpClient, hello: bytes, *lines: bytes) -> tuple[Ended, bytes]:
    """The end, and all that was written: with pipelining all at once, else line by line."""
    written, steps = machine.take(), []
    for line in lines:
        steps += machine.receive(line)
        written += machine.take()
    (end,) = steps
    assert isinstance(end, Ended)
    return end, written


@pytest.mark.parametrize("hello", [PIPELINING, PLAIN])
def test_no_letter_is_ever_begun(hello: bytes) -> None:
    """Every recipient has its reply, no DATA is said, and the session may ask again after RSET."""
    machine = asked(hello, "a@x.example", "b@x.example")
    end, written = answer(machine, hello, b"250 ok\r\n", b"250 ok\r\n", b"550 5.1.1 who\r\n")
    assert [250, 550] == [reply.code for reply in end.replies] and () == end.undecided
    assert b"MAIL FROM:<>" in written and b"DATA" not in written
    assert machine.begin(Transaction("", ("c@x.example",), 0, question=True)) is None
    assert machine.take().startswith(b"RSET\r\n")


@pytest.mark.parametrize("hello", [PIPELINING, PLAIN])
def test_a_refusal_of_the_sender_says_nothing_of_recipients(hello: bytes) -> None:
    machine = asked(hello, "a@x.example")
    rest = [b"503 5.5.1 MAIL first\r\n"] if hello is PIPELINING else []
    end, _ = answer(machine, hello, b"550 5.7.1 no bounces here\r\n", *rest)
    assert (0,) == end.undecided


def test_a_host_that_hangs_up_has_said_nothing() -> None:
    machine = asked(PLAIN, "a@x.example")
    end, _ = answer(machine, PLAIN, b"250 ok\r\n", b"421 4.3.2 going down\r\n")
    assert (0,) == end.undecided and machine.closed
