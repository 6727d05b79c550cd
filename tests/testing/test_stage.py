"""The dialogues on a live socket: the player speaks TCP and TLS, and the texts hold there too."""

import ssl
from pathlib import Path

import pytest
import trustme
from live import serving

from sekisho.testing.dialogue import Dialogue, Mismatch, NotPlayable, read_dialogue
from sekisho.testing.stage import Letter, play_on_machine, play_on_server

FOLDER = Path(__file__).parents[1] / "dialogs"
DIALOGUES = [read_dialogue(path.read_text(), path.name) for path in sorted(FOLDER.glob("*.smtp"))]
LIVE = [dialogue for dialogue in DIALOGUES if not dialogue.machine_only]


@pytest.fixture(scope="module")
def tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("mx.example.com").configure_cert(context)
    return context


@pytest.mark.parametrize("dialogue", LIVE, ids=lambda dialogue: dialogue.name)
def test_a_dialogue_goes_the_same_over_a_socket(dialogue: Dialogue, tls: ssl.SSLContext) -> None:
    """STARTTLS, implicit TLS and sudden ends included."""
    with serving(dialogue, tls) as port:
        play_on_server(dialogue, "127.0.0.1", port)


def test_a_live_mismatch_is_found(tls: ssl.SSLContext) -> None:
    """The player does not only nod."""
    dialogue = read_dialogue("S: 220 ...\nC: NOOP\nS: 500 ...\n", "wrong.smtp")
    with serving(dialogue, tls) as port, pytest.raises(Mismatch, match=r"wrong.smtp:3: expected '500 ...'"):
        play_on_server(dialogue, "127.0.0.1", port)


def test_a_live_server_s_patience_is_not_tried(tls: ssl.SSLContext) -> None:
    """Five minutes are too long for a test."""
    dialogue = read_dialogue("S: 220 ...\n-- silence\n")
    with serving(dialogue, tls) as port, pytest.raises(NotPlayable):
        play_on_server(dialogue, "127.0.0.1", port)


def test_the_postmaster_keeps_the_letters() -> None:
    """Of a dialogue played on the machine, for tests that look at what was taken."""
    (dialogue,) = [dialogue for dialogue in DIALOGUES if dialogue.name == "pipelined_delivery.smtp"]
    first, second = play_on_machine(dialogue).postmaster.letters
    assert Letter("", ("bob@example.com",), b"Subject: two\r\n\r\nsecond\r\n") == second
    assert ("bob@example.com", "alice@example.com") == first.recipients
