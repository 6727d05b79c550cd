"""A letter as who opens it sees it."""

import random
from pathlib import Path

from sekisho.campaign.reading import read
from shared import shared

ALTERNATIVES = b"""From: =?utf-8?q?M=C3=BCller?= <a@example.com>
Subject: Hot\x20
\ttip
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain

once upon a time
--b
Content-Type: text/html

%s
--b--
"""


def test_of_alternatives_the_page_is_seen() -> None:
    """The plain text beside it is for filters; without words in the page it is what is seen."""
    reading = read(ALTERNATIVES % b"<p>Buy <b>HA</b>IR</p>")
    assert reading.words == "Buy HAIR"
    assert reading.subject == "Hot tip"
    assert reading.sender == "Müller <a@example.com>"
    assert read(ALTERNATIVES % b"<img src=x>").words == "once upon a time"


def test_pictures_are_known_by_their_first_bytes() -> None:
    """Whatever the sender calls them; what is none is none."""
    head = b"Content-Type: multipart/mixed; boundary=b\n\n"
    parts = [
        (b"image/gif", b"\x89PNG\r\n\x1a\n"),
        (b"application/octet-stream", b"%PDF-1.4"),
        (b"image/png", b"no"),
    ]
    body = b"".join(b"--b\nContent-Type: %s\n\n%s\n" % part for part in parts)
    assert [picture.kind for picture in read(head + body).pictures] == ["image/png", "application/pdf"]


def letters() -> list[Path]:
    corpora = shared("corpora")
    folders = ["stockspam", "japanese", "mime_tools_testmsgs", "ruby_mail_fixtures", "eai_test_messages"]
    return [
        path
        for folder in folders
        for path in sorted((corpora / folder).rglob("*"))
        if path.is_file() and path.suffix not in (".jsonl", ".json", ".csv", ".gz", ".zip")
    ]


def test_no_letter_of_the_collections_is_too_broken() -> None:
    """All of them, and mutations of each: bytes changed, cut, doubled and swapped."""
    chance = random.Random(7)
    for path in letters():
        letter = path.read_bytes()[:100_000]
        read(letter)
        for _ in range(2):
            read(mutated(letter, chance))


def mutated(letter: bytes, chance: random.Random) -> bytes:
    raw = bytearray(letter)
    for _ in range(chance.randint(1, 30)):
        at = chance.randrange(len(raw) + 1)
        match chance.randrange(4):
            case 0:
                raw[at : at + 1] = bytes((chance.randrange(256),))
            case 1:
                del raw[at : at + chance.randint(1, 50)]
            case 2:
                raw[at:at] = raw[at : at + chance.randint(1, 200)]
            case 3:
                raw[at:at] = chance.choice((b"\n--", b"\n\n", b"<", b"=?", b"\x1b$B", b";", b'"', b"&#"))
    return bytes(raw)
