"""Dialogues as text: what is understood, what is refused, and what a mismatch looks like."""

import pytest

from sekisho.testing.dialogue import (
    SIZE_LIMIT,
    Dialogue,
    Direction,
    Expect,
    Mismatch,
    Send,
    play,
    read_dialogue,
)
from sekisho.testing.stage import play_on_machine


def sends(line: str) -> bytes:
    (turn,) = read_dialogue(line).turns
    assert isinstance(turn, Send)
    return turn.data


@pytest.mark.parametrize(
    ("line", "data"),
    [
        ("C: NOOP", b"NOOP\r\n"),
        ("C:", b"\r\n"),
        ("C: .", b".\r\n"),
        ("B: NOOP", b"NOOP"),
        (r"B: a\r\n\0\x7f\\b", b"a\r\n\0\x7f\\b"),
        ("B: {3 x ab}", b"ababab"),
        (r"B: {2 x a\r\n}", b"a\r\na\r\n"),
        (r"B: {base64:\0a\0b}", b"AGEAYg=="),
        ("B: {base64:{3 x a}}", b"YWFh"),
        ("B: 花", "花".encode()),
        ("B: {unknown}", b"{unknown}"),
    ],
)
def test_what_the_client_sends(line: str, data: bytes) -> None:
    """Lines, raw bytes, escapes, repetition, base64."""
    assert data == sends(line)


def test_neighbouring_lines_are_one_write() -> None:
    """A reply in between makes two."""
    turns = read_dialogue("C: a\nC: b\nB: c\nS: 250 ok\nC: d\n").turns
    assert (Send(1, b"a\r\nb\r\nc"), Expect(4, "250 ok"), Send(5, b"d\r\n")) == turns


def test_directions_are_turns_and_settings_are_not() -> None:
    """Settings may stand anywhere; comments and empty lines nowhere."""
    text = "# hello\n\n-- listener submission\n-- size 1000\n-- uncut\n-- machine\n-- tls\n-- quiet\n"
    dialogue = read_dialogue(text, "x.smtp")
    assert (Direction(7, "tls"), Direction(8, "quiet")) == dialogue.turns
    expected = Dialogue("x.smtp", dialogue.turns, "submission", 1000, uncut=True, machine_only=True)
    assert expected == dialogue
    assert Dialogue("", (), "smtp", SIZE_LIMIT) == read_dialogue("")


@pytest.mark.parametrize("text", ["hello", "C NOOP", "-- dance", "S:250 ok", "X: y", "--tls"])
def test_a_line_that_is_none_is_named(text: str) -> None:
    """With the file and the number of the line."""
    with pytest.raises(ValueError, match=r"x\.smtp:2: not a line of a dialogue"):
        read_dialogue(f"# first\n{text}\n", "x.smtp")


def test_an_unknown_listener_is_named() -> None:
    """There are three."""
    with pytest.raises(ValueError, match="no such listener: imap"):
        read_dialogue("-- listener imap\n")


class Script:
    """A server that says these lines and then closes."""

    def __init__(self, *lines: bytes) -> None:
        self.lines = list(lines)
        self.heard = b""
        self.did: list[str] = []

    def send(self, data: bytes) -> None:
        self.heard += data

    def line(self) -> bytes | None:
        return self.lines.pop(0) if self.lines else None

    def closed(self) -> bool:
        return not self.lines

    def quiet(self) -> bool:
        return not self.lines

    def start_tls(self) -> None:
        self.did.append("tls")

    def silence(self) -> None:
        self.did.append("silence")


def test_a_dialogue_that_goes_well_gives_its_transcript() -> None:
    """Both sides, and what was done."""
    peer = Script(b"220 mx ESMTP", b"250-mx", b"250-SIZE 5", b"250 X", b"221 bye")
    text = "S: 220 mx ...\nC: EHLO x\nS: 250*\n-- tls\n-- silence\nC: QUIT\nS: ...bye\n-- quiet\n-- closed\n"
    transcript = play(read_dialogue(text), peer)
    assert b"EHLO x\r\nQUIT\r\n" == peer.heard and ["tls", "silence"] == peer.did
    assert transcript.splitlines()[:3] == ["S: 220 mx ESMTP", "C: EHLO x\\x0d\\x0a", "S: 250-mx"]


@pytest.mark.parametrize(
    ("text", "lines", "trouble"),
    [
        ("S: 220 ...", [b"554 no"], "x.smtp:1: expected '220 ...', got '554 no'"),
        ("S: 220 ...", [b"220-more"], "x.smtp:1: expected '220 ...', got '220-more'"),
        ("S: 250*", [b"250-a", b"550 b"], "x.smtp:1: expected '250*', got '550 b'"),
        ("S: 250*", [b"250-a"], "x.smtp:1: expected '250*', but it closed"),
        ("S: 250 ok.", [b"250 okay"], "got '250 okay'"),
        ("S: 250 \u202e", [b"250 \x1b[2J"], r"got '250 \\x1b[2J'"),
        ("-- closed", [b"250 ok"], "the server has not closed"),
        ("-- quiet", [b"250 ok"], "the server said something"),
    ],
)
def test_a_mismatch_says_where_and_what(text: str, lines: list[bytes], trouble: str) -> None:
    """File, line, expectation, what came; never a raw control character."""
    with pytest.raises(Mismatch) as caught:
        play(read_dialogue(text, "x.smtp"), Script(*lines))
    assert trouble in str(caught.value)


def test_more_than_was_expected_is_a_mismatch_on_the_machine() -> None:
    """A reply that the dialogue does not mention is not overlooked."""
    with pytest.raises(AssertionError, match="the server said more"):
        play_on_machine(read_dialogue("S: 220 ...\nC: NOOP\nC: NOOP\nS: 250 ...\n", "x.smtp"))
