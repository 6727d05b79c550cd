"""The head of a letter, cut into its fields once, in linear time (RFC 5322 2.2).

The head is in wire form and is never repaired: fields are found, counted and read where they stand. A line
that is neither a field nor the continuation of one ends the head, as it does for every reader of the
letter.
"""

import re

from msgspec import Struct

HEAD_BYTES = 256 * 1024
"""Largest head. A letter whose head does not end within it is refused."""

LINES = 10_000
"""Most lines of a head, folded ones counted singly."""

_FIELD_ENDS = re.compile(rb"\r\n(?![ \t])")
_BEFORE_WORD = re.compile(rb"[ \t]*+\(?")
_WORD = re.compile(rb'"(?:[^"\\]|\\.)*+"|[^ \t;("]++')
_IN_COMMENT = re.compile(rb"[()]|\\.?")
_NAME_LETTERS = bytes(range(33, 127)).replace(b":", b"")
"""RFC 5322 3.6.8. White space between name and colon is obsolete syntax (4.5.8), and read all the same."""


class Field(Struct, frozen=True):
    """`name` in lower case; `value` as it stands, folds included; `start` and `end` in bytes of the head."""

    name: bytes
    value: bytes
    start: int
    end: int


class Head(Struct, frozen=True):
    """The fields in order, `size` the bytes up to and with the empty line that ends them."""

    fields: tuple[Field, ...]
    size: int

    def first(self, name: bytes) -> bytes | None:
        """The value of the first field of this name, unfolded (RFC 5322 2.2.3), or None."""
        for field in self.fields:
            if field.name == name:
                return unfolded(field.value)
        return None

    def count(self, name: bytes) -> int:
        return [field.name for field in self.fields].count(name)


class TooLarge(Exception):
    """The head is longer, or has more lines, than any honest letter's."""


def head_of(start: bytes) -> Head | None:
    """The head of a letter that begins with `start`; None when it does not end there yet. Raises TooLarge.

    A letter without an empty line is all head: its reader calls `fields_of` once the letter has ended.
    """
    if start.startswith(b"\r\n"):
        return Head((), 2)
    end = start.find(b"\r\n\r\n", 0, HEAD_BYTES)
    if end >= 0:
        return Head(fields_of(start[: end + 2]), end + 4)
    if len(start) >= HEAD_BYTES:
        raise TooLarge
    return None


def fields_of(head: bytes) -> tuple[Field, ...]:
    """`head` ends in CRLF, without the empty line."""
    if len(head) > HEAD_BYTES or head.count(b"\n") > LINES:
        raise TooLarge
    found: list[Field] = []
    begun = 0
    for line in _FIELD_ENDS.split(head[:-2]):
        name, colon, value = line.partition(b":")
        if not colon or not name or name.translate(None, _NAME_LETTERS):
            name = name.rstrip(b" \t")
            if not colon or not name or name.translate(None, _NAME_LETTERS):
                break
        end = begun + len(line) + 2
        found.append(Field(name.lower(), value, begun, end))
        begun = end
    return tuple(found)


def unfolded(value: bytes) -> bytes:
    return value.replace(b"\r\n", b"").strip()


def without(head: bytes, fields: tuple[Field, ...]) -> bytes:
    """The same bytes without these fields, which stand in it in order."""
    kept, at = [], 0
    for field in fields:
        kept.append(head[at : field.start])
        at = field.end
    kept.append(head[at:])
    return b"".join(kept)


def claims(head: Head, hostname: str) -> tuple[Field, ...]:
    """Authentication-Results that pretend to be ours: only we may say what we verified (RFC 8601 5)."""
    results = [field for field in head.fields if field.name == b"authentication-results"]
    if not results:
        return ()
    ours = hostname.lower().encode()
    return tuple(field for field in results if _is_authserv(field.value, ours))


def _is_authserv(value: bytes, ours: bytes) -> bool:
    """Is this the authserv-id (RFC 8601 2.2), the first word that is not in a comment? Where readers could
    disagree about that, our name anywhere in the field is a claim.
    """
    text = unfolded(value).lower()
    if ours not in text.translate(None, b"\\"):
        return False
    at = 0
    while (found := _BEFORE_WORD.match(text, at)) is not None and found.end() > at:
        at = found.end()
        if text[at - 1 : at] == b"(":
            at = _behind_comment(text, at)
            if at < 0:
                return True
    word = _WORD.match(text, at)
    if word is None:
        return text[at : at + 1] == b'"'
    return word[0].replace(b'"', b"").replace(b"\\", b"").partition(b"/")[0].rstrip(b".") == ours


def _behind_comment(text: bytes, at: int) -> int:
    """-1: it does not end."""
    depth = 1
    for found in _IN_COMMENT.finditer(text, at):
        depth += (found[0] == b"(") - (found[0] == b")")
        if not depth:
            return found.end()
    return -1
