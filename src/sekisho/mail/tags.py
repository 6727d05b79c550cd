"""Tag lists, `v=1; a=rsa-sha256; ...`: signatures, keys and policies are written so (RFC 6376 3.2)."""

import binascii
import re
from collections.abc import Mapping

from msgspec import Struct

TAGS_MAX = 100
"""Most tags of one list; an honest one has a dozen."""

_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_]*")
_VALUE = re.compile(rb"[!-:<-~\x80-\xff \t\r\n]*+")
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_NUMBER = re.compile(rb"[0-9]{1,76}")
_SPACE = b" \t\r\n"


class TagError(Struct, frozen=True):
    why: str


Tags = Mapping[bytes, bytes]


def parsed(text: bytes) -> Tags | TagError:
    """Values without the white space around them. A name that comes twice makes the whole list void."""
    parts = text.split(b";")
    if not parts[-1].strip(_SPACE):
        parts.pop()
    if len(parts) > TAGS_MAX:
        return TagError("too many tags")
    tags: dict[bytes, bytes] = {}
    for part in parts:
        name, equals, value = part.partition(b"=")
        name, value = name.strip(_SPACE), value.strip(_SPACE)
        if not equals or not _NAME.fullmatch(name):
            return TagError("no tag list")
        if name in tags:
            return TagError(f"tag {name.decode()} twice")
        if not _VALUE.fullmatch(value):
            return TagError(f"tag {name.decode()} holds control characters")
        tags[name] = value
    return tags


def without_space(value: bytes) -> bytes:
    return value.translate(None, _SPACE)


def base64_of(value: bytes) -> bytes | None:
    """White space is no part of it; anything else that is not base64 is an error."""
    packed = without_space(value)
    if not packed or not _BASE64.fullmatch(packed):
        return None
    return binascii.a2b_base64(packed)


def number_of(value: bytes) -> int | None:
    return int(value) if _NUMBER.fullmatch(value) else None


def colon_list(value: bytes) -> tuple[bytes, ...]:
    return tuple(part.strip(_SPACE) for part in value.split(b":"))
