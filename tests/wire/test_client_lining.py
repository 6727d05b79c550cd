"""The next envelope behind the final dot, and what EHLO's offers make of an envelope."""

import pytest

from sekisho.model.delivery import Tls
from sekisho.model.envelope import Wish
from sekisho.model.verdict import Reply
from sekisho.wire.client_extensions import extensions_of, limit, size_limit
from sekisho.wire.client_replies import Said
from sekisho.wire.client_steps import CONFUSED, ClientSettings, Ended, Ready, SendBody, Transaction
from sekisho.wire.smtp_client import SmtpClient

LETTER = b"Subject: x\r\n\r\nhello\r\n"
GO = b"250 ok\r\n250 ok\r\n354 go\r\n"
FIRST = Transaction("a@x.example", ("b@y.example",), 20)
SECOND = Transaction("c@x.example", ("d@y.example",), 20)
GONE = Reply(451, "4.4.2", "gone")


def opened(*offers: str) -> SmtpClient:
    machine = SmtpClient(ClientSettings("me.example", Tls.NONE))
    list(machine.receive(b"220 hi\r\n"))
    lines = ["mx", *offers]
    hello = "".join(f"250{'-' if line is not lines[-1] else ' '}{line}\r\n" for line in lines)
    assert [Ready()] == list(machine.receive(hello.encode()))
    machine.take()
    return machine


def lined_up() -> SmtpClient:
    """The first letter is out with its dot, the second envelope behind it."""
    machine = opened("PIPELINING")
    machine.begin(FIRST)
    assert [SendBody()] == list(machine.receive(GO))
    machine.take()
    machine.body(LETTER)
    machine.end_body()
    assert machine.line_up(SECOND)
    expected = LETTER + b".\r\nMAIL FROM:<c@x.example>\r\nRCPT TO:<d@y.example>\r\nDATA\r\n"
    assert expected == machine.take()
    return machine


def test_one_round_trip_for_a_letter() -> None:
    """RFC 2920 3.1: letter, dot and the next envelope are one segment; the steps come one after another."""
    machine = lined_up()
    first, second = machine.receive(b"250 2.0.0 taken\r\n" + GO)
    assert isinstance(first, Ended) and (250,) == tuple(reply.code for reply in first.replies)
    assert SendBody() == second
    machine.body(LETTER)
    assert machine.end_body() is None and machine.take() == LETTER + b".\r\n"
    (end,) = machine.receive(b"452 4.3.1 full\r\n")
    assert isinstance(end, Ended) and 452 == end.replies[0].code and not machine.closed


def test_no_next_envelope_without_pipelining() -> None:
    """Nor one that cannot be said to this server."""
    machine = opened("SIZE 10000")
    machine.begin(FIRST)
    for words in (b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
        list(machine.receive(words))
    machine.take()
    machine.body(LETTER)
    machine.end_body()
    assert not machine.line_up(SECOND)
    assert LETTER + b".\r\n" == machine.take()
    pipelining = opened("PIPELINING", "SIZE 1000")
    pipelining.begin(FIRST)
    list(pipelining.receive(GO))
    pipelining.body(LETTER)
    pipelining.end_body()
    assert not pipelining.line_up(Transaction("c@x.example", ("d@y.example",), 2000))


def test_a_refused_letter_ends_the_session_for_the_next() -> None:
    """A server that refused in the middle and goes on reading answers to the rest of the letter: nothing of
    that is believed of the next recipients.
    """
    for answers in (b"554 5.7.1 no\r\n", b"554 no\r\n500 what\r\n500 what\r\n", b"451 later\r\n" + GO):
        machine = lined_up()
        first, second = machine.receive(answers)
        assert isinstance(first, Ended) and () == first.undecided and not first.replies[0].positive
        assert Ended((CONFUSED,), (0,)) == second and machine.closed


@pytest.mark.parametrize("answers", [b"", b"250 a\r\n", b"250 a\r\n250 b\r\n", b"250 a\r\n" + GO])
def test_a_loss_between_two_letters(answers: bytes) -> None:
    """The letter whose dot was not answered is in doubt; the next one can be given to another host."""
    machine = lined_up()
    steps = list(machine.receive(answers)) + list(machine.lost(GONE))
    first, second = (step for step in steps if isinstance(step, Ended))
    assert () == first.undecided and first.replies[0].positive == bool(answers)
    assert Ended((GONE,), (0,)) == second


def test_421_between_two_letters() -> None:
    """Both get it as their reply, and only the second may be tried elsewhere."""
    machine = lined_up()
    first, second = machine.receive(b"421 4.3.2 bye\r\n")
    assert isinstance(first, Ended) and isinstance(second, Ended)
    assert [421, 421] == [first.replies[0].code, second.replies[0].code]
    assert ((), (0,)) == (first.undecided, second.undecided)


def test_wishes_are_passed_to_hosts_that_offer_dsn() -> None:
    """RFC 3461: RET, ENVID, NOTIFY and ORCPT as they came; and who was told is known."""
    wishes = (Wish("SUCCESS,DELAY", "rfc822;b@y.example"), Wish("NEVER"))
    asked = Transaction(
        "a@x.example", ("b@y.example", "c@y.example"), 20, ret="HDRS", envid="Q+2B1", wishes=wishes
    )
    machine = opened("PIPELINING", "DSN")
    machine.begin(asked)
    assert (
        b"MAIL FROM:<a@x.example> RET=HDRS ENVID=Q+2B1\r\n"
        b"RCPT TO:<b@y.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b@y.example\r\n"
        b"RCPT TO:<c@y.example> NOTIFY=NEVER\r\nDATA\r\n"
    ) == machine.take()
    (end,) = machine.receive(b"550 no\r\n550 no\r\n550 no\r\n550 no\r\n")
    assert isinstance(end, Ended) and end.told
    plain = opened("PIPELINING")
    plain.begin(asked)
    assert b"NOTIFY" not in plain.take()


@pytest.mark.parametrize(
    "wish", [Wish("ALWAYS"), Wish("", "rfc822;a b"), Wish("", "rfc822;x\r\nRCPT TO:<z@z>"), Wish("NEVER\r\n")]
)
def test_wishes_that_are_none_are_not_said(wish: Wish) -> None:
    """Whatever stands in the record, only the grammar's own words reach the wire."""
    machine = opened("PIPELINING", "DSN")
    machine.begin(Transaction("a@x.example", ("b@y.example",), 20, envid="a b", ret="ALL", wishes=(wish,)))
    assert b"MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n" == machine.take()


@pytest.mark.parametrize(
    ("asked", "offer", "said", "refusal"),
    [
        ({"utf8": True}, "SMTPUTF8", b" SMTPUTF8\r\n", "5.6.7"),
        ({"require_tls": True}, "REQUIRETLS", b" REQUIRETLS\r\n", "5.7.30"),
        ({"eight_bit": True}, "8BITMIME", b" BODY=8BITMIME\r\n", "5.6.3"),
    ],
)
def test_what_a_letter_needs(asked: dict[str, bool], offer: str, said: bytes, refusal: str) -> None:
    """Said where it is offered; else the letter is not for this server, and the status says why."""
    machine = opened("PIPELINING", offer)
    assert machine.begin(Transaction("a@x.example", ("b@y.example",), 20, **asked)) is None
    assert machine.take().startswith(b"MAIL FROM:<a@x.example>" + said)
    end = opened("PIPELINING").begin(Transaction("a@x.example", ("b@y.example",), 20, **asked))
    assert end is not None and refusal == end.replies[0].status and not end.replies[0].transient


def test_internationalized_addresses() -> None:
    """In UTF-8 where SMTPUTF8 is; never without; nothing in them can end the command."""
    machine = opened("SMTPUTF8", "PIPELINING")
    machine.begin(Transaction("用户@例え.example", ("δοκιμή@y.example",), 20, utf8=True))
    assert "RCPT TO:<δοκιμή@y.example>\r\n".encode() in machine.take()
    for bad in ("a\x85b@y.example", "a b@y.example", "é>@y.example", "\u2028@y.example", "é@y.example\r\nX"):
        end = opened("SMTPUTF8").begin(Transaction("a@x.example", (bad,), 20, utf8=True))
        assert end is not None and 553 == end.replies[0].code
    end = opened("SMTPUTF8").begin(Transaction("a@x.example", ("é@y.example",), 20))
    assert end is not None and 553 == end.replies[0].code


def test_numbers_of_ehlo() -> None:
    """RFC 1870 and RFC 9422; what is no number is none."""
    limits = b"LIMITS MAILMAX=5 RCPTMAX=20 RCPTDOMAINMAX=x"
    said = Said(250, (b"mx", b"SIZE 1000", limits, b"AUTH=PLAIN LOGIN"))
    offers = extensions_of(said)
    assert (1000, 5, 20, 0, 0) == (
        size_limit(offers),
        *(limit(offers, name) for name in ("MAILMAX", "RCPTMAX", "RCPTDOMAINMAX", "OTHER")),
    )
    assert "PLAIN LOGIN" == offers["AUTH"]
