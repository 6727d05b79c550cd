"""What somebody who opens a letter sees: who wrote, the subject, the words, and which pictures and documents.

Of alternatives a mail program shows the last one that it can (RFC 2046 5.1.4): the HTML, as
`mail/sight.py` reads it. Bounded in bytes and parts; it never raises, whatever the letter holds.
"""

from msgspec import Struct

from sekisho.mail.charset import decoded
from sekisho.mail.parts import Part, Taken, content, parts_of
from sekisho.mail.sight import seen, tidy
from sekisho.mail.words import readable

LETTER_BYTES = 8 * 1024 * 1024
"""Of a larger letter only the beginning is read."""

WORDS_CHARS = 200_000
"""Words of a letter that are read, all its parts together."""

PICTURES_MAX = 10

_MAGIC = (
    (b"\x89PNG\r\n", "image/png"), (b"GIF8", "image/gif"), (b"\xff\xd8\xff", "image/jpeg"),
    (b"BM", "image/bmp"), (b"%PDF-", "application/pdf"),
    (b"II*\x00", "image/tiff"), (b"MM\x00*", "image/tiff"),
)  # fmt: skip
"""What a part is, by how it begins: senders call pictures what they like."""


class Picture(Struct, frozen=True):
    """A picture or a PDF; `kind` by its own first bytes."""

    kind: str
    part: Part


class Reading(Struct, frozen=True):
    """All of it is a stranger's text. `words` has lines as they are seen; `pictures` in their order."""

    subject: str
    sender: str
    date: str
    message_id: str
    words: str
    pictures: tuple[Picture, ...]


def read(letter: bytes) -> Reading:
    letter = letter[:LETTER_BYTES]
    taken = parts_of(letter)
    return Reading(
        tidy(_field(taken, "subject")).replace("\n", " "),
        tidy(_field(taken, "from")).replace("\n", " "),
        _field(taken, "date"),
        _field(taken, "message-id"),
        _words(letter, taken),
        _pictures(letter, taken),
    )


def _field(taken: Taken, name: str) -> str:
    return readable(taken.fields.get(name, b"")).encode("utf-8", "replace").decode("utf-8", "replace")


def _words(letter: bytes, taken: Taken) -> str:
    shown = {part.choice: part.kind for part in taken.parts if part.choice and part.kind.startswith("text/")}
    left, found = WORDS_CHARS, []
    for part in taken.parts:
        if not _is_text(part) or left <= 0:
            continue
        raw = decoded(content(letter, part, left * 6), part.charset)
        words = (seen(raw) if part.kind == "text/html" else tidy(raw.replace("\r\n", "\n")))[:left]
        if part.choice and part.kind != shown[part.choice] and _another_says(letter, taken, part, shown):
            continue
        found.append(words)
        left -= len(words)
    return "\n\n".join(words for words in found if words)


def _is_text(part: Part) -> bool:
    return not part.attached and part.kind in (
        "text/plain",
        "text/html",
        "text/enriched",
        "message/delivery-status",
    )


def _another_says(letter: bytes, taken: Taken, part: Part, shown: dict[int, str]) -> bool:
    """Whether the alternative that is shown has words at all: else the reader looks at this one."""
    for other in taken.parts:
        if other.choice == part.choice and other.kind == shown[part.choice]:
            raw = decoded(content(letter, other, WORDS_CHARS), other.charset)
            return bool(seen(raw) if other.kind == "text/html" else raw.strip())
    return False


def _pictures(letter: bytes, taken: Taken) -> tuple[Picture, ...]:
    found: list[Picture] = []
    for part in taken.parts:
        if part.kind.startswith(("image/", "application/")):
            begin = content(letter, part, 16)
            kind = next((kind for magic, kind in _MAGIC if begin.startswith(magic)), "")
            if kind and len(found) < PICTURES_MAX:
                found.append(Picture(kind, part))
    return tuple(found)
