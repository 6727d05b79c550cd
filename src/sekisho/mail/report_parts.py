"""A bounce taken apart: its words, the fields for machines, and what came back of the letter.

Nothing is trusted to be well-formed: parts that never end, boundaries that nobody uses, encodings that are
not what they say. Depth, number of parts and bytes are bounded, and every step is linear.
"""

import base64
import binascii
import html
import quopri
import re

from msgspec import Struct

DEPTH_MAX = 6
PARTS_MAX = 60
LINE_MAX = 2000
"""Of a longer field only this much is looked at."""

LINE_LOOKED = 160
"""A longer line does not say that the letter begins behind it."""

_BOUNDARY = re.compile(r'boundary\s{0,8}=\s{0,8}(?:"([^"\n]{1,200})"|([^\s;"]{1,200}))', re.I)
_TYPE = re.compile(r"\s*([\w.+-]{1,60}/[\w.+-]{1,60})")
_FOLD = re.compile(r"\n[ \t]+")
_TAG = re.compile(r"<(?![^<>@\s]{1,64}@)[^<>]{0,500}>")
_BREAK = re.compile(r"<(?:br|p|div|tr|li|h\d)\b[^<>]{0,200}>", re.I)
_ORIGINAL = re.compile(
    r"[ \t>*=]{0,20}-{0,80}[ \t]{0,8}(?:"
    r"(?<=-).{0,40}(?:copy of|original|returned|undelivered|unsent|header"
    r"|message (?:text|content|body)).{0,60}"
    r"|(?:below|here|this|(?:the )?following).{0,50}(?:is|are).{0,20}(?:a copy|the (?:original )?headers?)"
    r".{0,60}"
    r"|(?:original|returned|unsent|undelivered) message (?:follows|headers?|text).{0,40}"
    r"|(?:message|original) headers? follow.{0,20}"
    r")$",
    re.I,
)
_HEADER_RUN = re.compile(
    r"(?:Received|Return-Path|X-Original-To|Delivered-To|Message-Id|DKIM-Signature)[ \t]*:", re.I
)


class Pieces(Struct):
    """`head` fields of the bounce itself, unfolded, by name in lower case."""

    head: dict[str, str]
    words: str = ""
    original: str = ""
    machines: str = ""


def pieces_of(letter: bytes) -> Pieces:
    text = letter.replace(b"\r\n", b"\n").decode("utf-8", "replace")
    head, body = _divided(text)
    pieces = Pieces(head)
    left = [PARTS_MAX]
    _take(pieces, head, body, 0, left)
    begun = _begin_of_original(pieces.words)
    pieces.original += pieces.words[begun:]
    pieces.words = pieces.words[:begun]
    return pieces


def _divided(text: str) -> tuple[dict[str, str], str]:
    """Fields, the first of each name, and what follows them."""
    if text.startswith("\n"):
        return {}, text[1:]
    head, _, body = text.partition("\n\n")
    fields: dict[str, str] = {}
    for line in _FOLD.sub(" ", head[: 64 * 1024]).split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip()[:LINE_MAX])
    return fields, body


def _take(pieces: Pieces, head: dict[str, str], body: str, depth: int, left: list[int]) -> None:
    left[0] -= 1
    if left[0] < 0:
        return
    kind = _TYPE.match(head.get("content-type", "text/plain"))
    named = kind[1].lower() if kind else "text/plain"
    boundary = _BOUNDARY.search(head.get("content-type", ""))
    if named.startswith("multipart/") and boundary and depth < DEPTH_MAX:
        for part in _split(body, boundary[1] or boundary[2]):
            _take(pieces, *_divided(part), depth + 1, left)
        return
    body = _decoded(body, head.get("content-transfer-encoding", "").lower())
    match named:
        case "message/delivery-status" | "message/global-delivery-status" | "message/feedback-report":
            pieces.machines += body + "\n"
        case "message/rfc822" | "text/rfc822-headers" | "message/rfc822-headers" | "message/global":
            pieces.original += body + "\n"
        case "text/html":
            pieces.words += _plain(body) + "\n"
        case _ if named.startswith(("text/", "multipart/", "message/")):
            pieces.words += body + "\n"


def _split(body: str, boundary: str) -> list[str]:
    """The parts between the lines of the boundary; without any, the body is one part."""
    parts = ("\n" + body).split(f"\n--{boundary}")
    if len(parts) == 1:
        return ["\n" + body]
    preamble = [f"\n{parts[0]}"] if parts[0].strip() else []
    inner = [part.partition("\n")[2] for part in parts[1 : PARTS_MAX + 1] if not part.startswith("--")]
    return [*preamble, *inner]


def _decoded(body: str, encoding: str) -> str:
    raw = body.encode("utf-8", "replace")
    try:
        if encoding.startswith("base64"):
            packed = re.sub(rb"[^A-Za-z0-9+/]", b"", raw)
            return base64.b64decode(packed[: len(packed) // 4 * 4]).decode("utf-8", "replace")
        if encoding.startswith("quoted-printable"):
            return quopri.decodestring(raw).decode("utf-8", "replace")
    except binascii.Error:
        pass
    return body


def _plain(body: str) -> str:
    """Of HTML, the text; addresses in angle brackets stay, written with entities or not."""
    return html.unescape(_TAG.sub(" ", _BREAK.sub("\n", body)))


def _begin_of_original(words: str) -> int:
    """Where the words end and the returned letter begins, by the line that says so or by its header."""
    at = 0
    for line in words.split("\n"):
        begin = line[:LINE_LOOKED]
        if _HEADER_RUN.match(begin) or (len(line) <= LINE_LOOKED and _ORIGINAL.match(begin)):
            return at
        at += len(line) + 1
    return len(words)
