"""A letter's parts as a mail program finds them (RFC 2045, 2046): where each lies, and what it says it is.

Nothing is trusted to be well-formed. Depth, number and header of parts are bounded; each level is searched
once, so the work grows with the letter and not with its nesting. Lines may end in CR LF or LF.
"""

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from sekisho.mail.charset import decoded
from sekisho.mail.words import readable

DEPTH_MAX = 12
PARTS_MAX = 100
HEAD_MAX = 64 * 1024
"""Most bytes of a part's head that are looked at."""

LINE_MAX = 2000
"""Of a longer field only this much is read."""

_HEAD = re.compile(
    rb"(?:>?From [^\n]*\n)?"
    rb"(?:[!-9;-~]{1,80}[ \t]{0,20}:[^\n]*(?:\n|\Z)(?:[ \t][^\n]*(?:\n|\Z))*)*"
)
"""The line that begins a letter in an mbox (RFC 4155), then fields and their folded lines (RFC 5322 2.2)."""

_FOLD = re.compile(rb"\r?\n[ \t]+")
_KIND = re.compile(r"\s*([\w.+-]{1,60}/[\w.+-]{1,60})")
_PARAMETER = re.compile(
    r';[ \t]*([\w-]{1,40})(?:\*(\d{1,2}))?(\*)?=[ \t]*(?:"([^"]{0,400})"|([^\s;"]{1,400}))'
)
_NOT_BASE64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
)


_USUAL = frozenset((
    "from", "to", "subject", "date", "received", "message-id", "content-type", "mime-version", "return-path",
))  # fmt: skip
"""A letter that begins with none of these has no head: its first words happen to have a colon."""


class Part(Struct, frozen=True):
    """A leaf: `start` and `end` bound its encoded content in the letter. `choice` is the number of the
    multipart/alternative that it stands in, 0 if none. `name` is a stranger's text.
    """

    kind: str
    charset: str
    encoding: str
    name: str
    attached: bool
    choice: int
    start: int
    end: int


class Taken(Struct, frozen=True):
    """`fields`: the letter's own, the first of each name (lower case), unfolded. `parts` in their order;
    `whole` is False where a bound left some out.
    """

    fields: dict[str, bytes]
    parts: tuple[Part, ...]
    whole: bool = True


class _Piece(Struct, frozen=True):
    start: int
    end: int
    depth: int
    choice: int
    usual: str


def parts_of(letter: bytes) -> Taken:
    """Never raises, whatever the letter holds."""
    fields: dict[str, bytes] = {}
    found: list[Part] = []
    choices, whole = 0, True
    waiting = [_Piece(0, len(letter), 0, 0, "text/plain")]
    while waiting:
        if len(found) >= PARTS_MAX:
            whole = False
            break
        piece = waiting.pop()
        head, begin = _head(letter, piece)
        fields = fields or head
        said = _text(head.get("content-type", b""))
        match = _KIND.match(said)
        kind = match[1].lower() if match else piece.usual
        boundary = _parameters(said).get("boundary", "")
        inner: list[_Piece] = []
        if kind.startswith("multipart/") and boundary and piece.depth < DEPTH_MAX:
            choices += kind == "multipart/alternative"
            choice = choices if kind == "multipart/alternative" else piece.choice
            usual = "message/rfc822" if kind == "multipart/digest" else "text/plain"  # RFC 2046 5.1.5
            inner = [
                _Piece(start, end, piece.depth + 1, choice, usual)
                for start, end in _between(
                    letter, begin, piece.end, boundary.encode("utf-8", "surrogateescape")
                )
            ]
        elif kind == "message/rfc822" and piece.depth < DEPTH_MAX:
            inner = [_Piece(begin, piece.end, piece.depth + 1, piece.choice, "text/plain")]
        if inner:
            whole = whole and len(inner) <= PARTS_MAX
            waiting.extend(reversed(inner[:PARTS_MAX]))
        else:
            found.append(_leaf(head, kind, piece, begin))
    return Taken(fields, tuple(found), whole)


def content(letter: bytes, part: Part, most: int) -> bytes:
    """The part's content decoded (RFC 2045 6), no more than about `most` bytes of it; what is no base64
    is left out.
    """
    if part.encoding == "base64":
        packed = letter[part.start : min(part.end, part.start + most * 3 // 2 + 100)]
        packed = packed.translate(None, _NOT_BASE64)
        return base64.b64decode(packed[: len(packed) // 4 * 4] + _rest(packed))[:most]
    raw = letter[part.start : min(part.end, part.start + most * 3)]
    return (binascii.a2b_qp(raw) if part.encoding == "quoted-printable" else raw)[:most]


def _rest(packed: bytes) -> bytes:
    """The last two or three letters, whose padding may be missing; a single one says nothing."""
    left = packed[len(packed) // 4 * 4 :]
    return left + b"=" * (4 - len(left)) if len(left) > 1 else b""


def _head(letter: bytes, piece: _Piece) -> tuple[dict[str, bytes], int]:
    """A part's fields and where its content begins: behind the empty line, or with the first line that is no
    field, as mail programs read it.
    """
    match = _HEAD.match(letter, piece.start, min(piece.end, piece.start + HEAD_MAX))
    begin = match.end() if match else piece.start
    fields: dict[str, bytes] = {}
    for line in _FOLD.sub(b" ", letter[piece.start : begin]).split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon:
            fields.setdefault(name.strip().lower().decode("ascii", "replace"), value.strip()[:LINE_MAX])
    if piece.depth == 0 and not fields.keys() & _USUAL:
        return {}, piece.start
    for nothing in (b"\r\n", b"\n"):
        if letter.startswith(nothing, begin, piece.end):
            return fields, begin + len(nothing)
    return fields, begin


def _between(letter: bytes, start: int, end: int, boundary: bytes) -> list[tuple[int, int]]:
    """What lies between the lines of the boundary (RFC 2046 5.1.1); a multipart that never ends, ends with
    the letter.
    """
    line = b"--" + boundary
    if letter.startswith(line, start, end):
        at = start
    else:
        at = letter.find(b"\n" + line, start, end) + 1
    found: list[tuple[int, int]] = []
    while at > 0 and len(found) <= PARTS_MAX:
        after = at + len(line)
        if letter.startswith(b"--", after, end):
            break
        begin = letter.find(b"\n", after, end) + 1
        if not begin:
            break
        following = letter.find(b"\n" + line, begin - 1, end)
        stop = following if following >= 0 else end
        if stop > begin and letter[stop - 1 : stop] == b"\r" and following >= 0:
            stop -= 1
        found.append((begin, max(begin, stop)))
        at = following + 1
    return found


def _leaf(head: dict[str, bytes], kind: str, piece: _Piece, begin: int) -> Part:
    said = _parameters(_text(head.get("content-type", b"")))
    disposition = _text(head.get("content-disposition", b""))
    named = _parameters(disposition).get("filename") or said.get("name", "")
    encoding = _text(head.get("content-transfer-encoding", b"")).split(";")[0].strip(" \t\"'").lower()
    attached = disposition.strip().lower().startswith("attachment")
    begin = min(begin, piece.end)
    return Part(
        kind, said.get("charset", "").lower(), encoding, named, attached, piece.choice, begin, piece.end
    )


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _parameters(value: str) -> dict[str, str]:
    """RFC 2045 5.1; pieces and percent signs of RFC 2231 put together; the first of a name counts."""
    found: dict[str, str] = {}
    in_pieces: set[str] = set()
    for match in _PARAMETER.finditer(value):
        name, number = match[1].lower(), match[2]
        text = match[4] if match[4] is not None else match[5]
        if match[3]:
            text = _unescaped(text) if number in (None, "0") else _by_percent(text, "utf-8")
        elif number is None:
            text = readable(text.encode("utf-8", "surrogateescape"))
        if name not in found:
            found[name] = text
            in_pieces.update([name] if number else [])
        elif number and name in in_pieces:
            found[name] += text
    return found


def _unescaped(text: str) -> str:
    """RFC 2231 4: charset, language and text, told apart by apostrophes."""
    if text.count("'") < 2:
        return _by_percent(text, "utf-8")
    charset, _, rest = text.split("'", 2)
    return _by_percent(rest, charset)


def _by_percent(text: str, charset: str) -> str:
    return decoded(unquote_to_bytes(text), charset)
