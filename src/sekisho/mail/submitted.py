"""A letter as programs hand it to sendmail(1): lines however they end, a head that may lack anything.

Only bytes and the standard library: `sekisho-sendmail` is started once for each letter, and pays for every
import.
"""

import re

LINE_END = re.compile(rb"\r\n|\r|\n")
"""What a program may mean by the end of a line; on the wire it is CRLF (RFC 5322 2.3)."""

_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
_FIELD_ENDS = re.compile(rb"\r\n(?![ \t])")

DROPPED = (b"bcc", b"resent-bcc", b"return-path", b"content-length")
"""Never sent on: whom nobody may see (RFC 5322 3.6.3), what the last server writes (RFC 5321 4.4), and a size
that is not true any more."""

NAMED = (b"to", b"cc", b"bcc")
ANSWERED = (b"resent-to", b"resent-cc", b"resent-bcc")
"""Where these are, the letter is sent again, to them alone (RFC 5322 3.6.6)."""

Field = tuple[bytes, bytes]
"""Name in lower case, and the whole field with its CRLF."""


class BadAddresses(Exception):
    """A list of addresses that cannot be read in one way only; `text` is the part that is wrong."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.text = text


def wire_lines(text: bytes, *, dot_ends: bool) -> bytes:
    """With CRLF behind every line. `dot_ends`: a line of one dot is the end, as typed at a terminal."""
    wire = LINE_END.sub(b"\r\n", text)
    if dot_ends:
        end = 0 if wire.startswith(b".\r\n") else wire.find(b"\r\n.\r\n") + 2
        if end != 1:
            wire = wire[:end]
    return wire if wire.endswith(b"\r\n") or not wire else wire + b"\r\n"


def divided(wire: bytes) -> tuple[list[Field], bytes]:
    """The fields, and the body with the empty line before it. A line that is no field begins the body."""
    if wire.startswith((b"From ", b">From ")):  # of an mbox
        wire = wire.partition(b"\r\n")[2]
    end = (b"\r\n" + wire).find(b"\r\n\r\n")
    head = wire if end < 0 else wire[:end]
    fields: list[Field] = []
    begun = 0
    for line in _FIELD_ENDS.split(head[:-2]) if head else ():
        if _FIELD.match(line) is None:
            break
        stop = begun + len(line) + 2
        fields.append((line.partition(b":")[0].rstrip().lower(), head[begun:stop]))
        begun = stop
    body = wire[begun:]
    return fields, body if body.startswith(b"\r\n") else b"\r\n" + body


def named_in(fields: list[Field]) -> list[bytes]:
    """To whom the head says that the letter goes. Raises BadAddresses."""
    names = ANSWERED if any(name in ANSWERED for name, _ in fields) else NAMED
    found: list[bytes] = []
    for name, text in fields:
        if name in names:
            found += addresses(text.partition(b":")[2])
    return found


def letter(fields: list[Field], body: bytes, author: bytes) -> bytes:
    """As it is sent. `author` is the value of From for a letter without one."""
    kept = [text for name, text in fields if name not in DROPPED]
    if not any(name == b"from" for name, _ in fields):
        kept.insert(0, b"From: " + author + b"\r\n")
    return b"".join(kept) + body


def stuffed(wire: bytes) -> bytes:
    """RFC 5321 4.5.2, with the final dot."""
    body = wire.replace(b"\r\n.", b"\r\n..")
    return (b"." + body if body.startswith(b".") else body) + b".\r\n"


def addresses(text: bytes) -> list[bytes]:
    """Of an address list (RFC 5322 3.4): without names, comments, group names and source routes."""
    found = []
    for piece in _pieces(_without_comments(text)):
        address = _address(piece)
        if address:
            found.append(address)
    return found


def _without_comments(text: bytes) -> bytes:
    kept, depth, quoted, at = bytearray(), 0, False, 0
    while at < len(text):
        char = text[at : at + 1]
        width = 2 if char == b"\\" else 1
        if char == b'"' and not depth:
            quoted = not quoted
        if char == b"(" and not quoted:
            depth += 1
        elif char == b")" and depth:
            depth -= 1
        elif not depth:
            kept += text[at : at + width]
        at += width
    if depth or quoted:
        raise BadAddresses(text.strip())
    return bytes(kept)


_PIECE = re.compile(rb'(?:"(?:\\.|[^"\\])*"|<[^<>]*>|[^",;:<>])+', re.DOTALL)
_SEPARATOR = re.compile(rb"[,;:]")


def _pieces(text: bytes) -> list[bytes]:
    """What stands between commas and semicolons; the name of a group, before its colon, is none."""
    found: list[bytes] = []
    at = 0
    while at < len(text):
        piece = _PIECE.match(text, at)
        if piece is not None:
            found.append(piece[0])
            at = piece.end()
            if at == len(text):
                break
        if _SEPARATOR.match(text, at) is None:
            raise BadAddresses(text.strip())
        if text[at : at + 1] == b":" and piece is not None:
            found.pop()
        at += 1
    return found


_ANGLE = re.compile(rb'(?:"(?:\\.|[^"\\])*"|[^"<>])*<([^<>]*)>\s*', re.DOTALL)
_BARE = re.compile(rb'(?:"(?:\\.|[^"\\])*"|[^\s"<>])+')
_AROUND = re.compile(rb"[ \t\r\n]*([.@])[ \t\r\n]*")


def _address(piece: bytes) -> bytes:
    angle = _ANGLE.fullmatch(piece)
    address = (angle[1] if angle else piece).strip()
    if address.startswith(b"@"):  # a source route (RFC 5322 4.4)
        address = address.partition(b":")[2].strip()
    if b'"' not in address:
        address = _AROUND.sub(rb"\1", address)
    if address and _BARE.fullmatch(address) is None:
        raise BadAddresses(piece.strip())
    return address
