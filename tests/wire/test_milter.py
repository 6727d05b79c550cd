"""The milter machine: what sendmail and Postfix say, in any pieces, and what they must not say."""

import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.wire.milter import EndAsked, MilterServer, Question, RecipientAsked


def packet(letter: str, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data) + 1) + letter.encode() + data


def macros(step: str, **values: str) -> bytes:
    words = b"".join(f"{{{name}}}\0{value}\0".encode() for name, value in values.items())
    return packet("D", step.encode() + words)


OPENING = packet("O", struct.pack(">III", 6, 0x1FF, 0x1FFFFF))
OLD = packet("O", struct.pack(">III", 2, 0x3F, 0x7F))
CONNECT = packet("C", b"laptop\0" + b"4" + struct.pack(">H", 40000) + b"192.0.2.7\0")
MAIL = macros("M", auth_authen="hello@example.com", auth_type="PLAIN") + packet(
    "M", b"<x@far.example>\0SIZE=999\0"
)
LETTER = (
    CONNECT + packet("H", b"laptop\0") + MAIL
    + packet("R", b"<a@far.example>\0") + packet("R", b"<b@far.example>\0NOTIFY=NEVER\0")
    + packet("T") + packet("L", b"Subject\0cheap pills\0") + packet("N")
    + packet("D", b"Ei\x004F1\0") + packet("E")
)  # fmt: skip


def answers(said: bytes) -> list[tuple[str, bytes]]:
    found = []
    while said:
        (length,) = struct.unpack_from(">I", said)
        found.append((said[4:5].decode(), said[5 : 4 + length]))
        said = said[4 + length :]
    return found


def hear(machine: MilterServer, data: bytes, size: int = 1 << 20) -> Iterator[Question]:
    for start in range(0, len(data), size):
        yield from machine.receive(data[start : start + size])


def test_a_letter_as_postfix_tells_it() -> None:
    """Two questions for recipients, one at the end; steps that need no answer get none."""
    machine, asked = MilterServer(), []
    for question in hear(machine, OPENING + LETTER):
        asked.append(question)
        machine.go_on()
    assert ["a@far.example", "b@far.example"] == [one.recipient for one in asked[:2]]  # type: ignore[union-attr]
    end = asked[2]
    assert isinstance(end, EndAsked)
    assert ("hello@example.com", "PLAIN", "x@far.example", 999, "4F1", 2) == (
        end.mail.account, end.mail.mechanism, end.mail.sender, end.mail.size, end.mail.queue_id,
        end.mail.recipients,
    )  # fmt: skip
    assert ("192.0.2.7", 40000, "laptop", [("Subject", "cheap pills")]) == (
        end.peer.address, end.peer.port, end.peer.helo, end.mail.headers
    )  # fmt: skip
    (opening, *rest) = answers(machine.take())
    version, actions, steps = struct.unpack(">III", opening[1])
    assert (6, 0x21) == (version, actions) and steps & 0x10
    assert ["c"] * 4 == [letter for letter, _ in rest]  # MAIL, two recipients, the end


def test_an_old_sendmail_is_answered_at_each_step() -> None:
    """Version 2 offers no silence: nothing that it did not offer is used."""
    machine = MilterServer()
    for _ in hear(machine, OLD + LETTER):
        machine.go_on()
    (opening, *rest) = answers(machine.take())
    assert struct.pack(">III", 2, 0x21, 0x10) == opening[1]
    assert ["c"] * 9 == [letter for letter, _ in rest]


def test_what_can_be_answered() -> None:
    """A refusal with its own text, in which nothing is a format or a line end; a letter put aside, marked."""
    machine = MilterServer()
    for question in hear(machine, OPENING + LETTER):
        if isinstance(question, RecipientAsked):
            machine.refuse(550, "5.7.1", "100% locked\r\n250 ok")
        else:
            machine.add_header("X-Sekisho-Held", "an action\r\nX: y")
            machine.hold("sekisho: an action")
    said = answers(machine.take())[-5:]
    assert ("y", b"550 5.7.1 100%% locked\\x0d\\x0a250 ok\0") == said[0]
    assert [
        ("h", b"X-Sekisho-Held\0an action\\x0d\\x0aX: y\0"),
        ("q", b"sekisho: an action\0"),
        ("c", b""),
    ] == said[2:]


def test_an_mta_without_quarantine_is_not_told_to_hold() -> None:
    """It offers to add header fields, no more."""
    machine = MilterServer()
    list(machine.receive(packet("O", struct.pack(">III", 6, 0x01, 0))))
    assert not machine.can_hold


def test_letters_of_one_connection_do_not_mix() -> None:
    """An aborted one leaves nothing; a login stays with the connection's macros as the MTA sends them."""
    machine, asked = MilterServer(), []
    aborted = MAIL + packet("R", b"<gone@far.example>\0") + packet("L", b"Subject\0one\0") + packet("A")
    second = macros("M") + packet("M", b"<>\0") + packet("R", b"<c@far.example>\0") + packet("E")
    for question in hear(machine, OPENING + CONNECT + aborted + second):
        asked.append(question)
        machine.go_on()
    end = asked[-1]
    assert ("", "", ["c@far.example"], []) == (
        end.mail.account,
        end.mail.sender,
        end.mail.named,
        end.mail.headers,
    )


@pytest.mark.parametrize(
    "data",
    [
        LETTER,  # nothing was agreed
        packet("O", b"short"),
        packet("O", struct.pack(">III", 1, 0, 0)),
        OPENING + struct.pack(">I", 0),
        OPENING + struct.pack(">I", 1 << 21) + b"B",
        OPENING + packet("Z"),
        OPENING + packet("E"),
        OPENING + packet("R", b"<a@b.example>\0"),
    ],
)
def test_who_breaks_the_form_is_left(data: bytes) -> None:
    """Without an answer to what was wrong; the MTA goes by its default."""
    machine = MilterServer()
    assert [] == list(machine.receive(data))
    assert machine.closed


@given(st.integers(1, 40))
def test_pieces_do_not_matter(size: int) -> None:
    """However the bytes come, the same questions and answers."""
    machine, asked = MilterServer(), []
    for question in hear(machine, OPENING + LETTER + packet("K") + LETTER, size):
        asked.append(question)
        machine.go_on()
    assert 6 == len(asked) and asked[2].mail == asked[5].mail
    assert 9 == len(answers(machine.take()))


@given(st.lists(st.tuples(st.sampled_from("ODCHMRTLNBEAQKUZ"), st.binary(max_size=60))), st.booleans())
def test_garbage_never_raises(packets: list[tuple[str, bytes]], agreed: bool) -> None:
    """Any packets in any order: questions or an end."""
    machine = MilterServer()
    for question in hear(machine, OPENING * agreed + b"".join(packet(*one) for one in packets), 7):
        assert question.mail.recipients >= 0
        machine.go_on()


def test_what_one_letter_may_cost_is_bounded() -> None:
    """Fields, their length and recipients by name."""
    machine, last = MilterServer(), None
    many = packet("L", b"X\0" + b"y" * 5000 + b"\0") * 1000 + packet("R", b"<a@far.example>\0") * 1000
    for last in hear(machine, OPENING + MAIL + many + packet("E")):  # noqa: B007
        machine.go_on()
    assert last is not None
    assert sum(len(value) for _, value in last.mail.headers) <= 64 * 1024
    assert (100, 1000) == (len(last.mail.named), last.mail.recipients)
