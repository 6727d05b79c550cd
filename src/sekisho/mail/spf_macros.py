"""SPF macros (RFC 7208 7), as in `%{ir}.%{v}._spf.%{d2}`: compiled once, expanded often."""

import re
from urllib.parse import quote

from msgspec import Struct

from sekisho.mail.names import NAME_OCTETS, Ip

LETTERS = "slodiphv"
EXPLAINING = "crt"
"""Macro letters that stand in explanations only (RFC 7208 7.2)."""

PARTS_MAX = 128
"""RFC 7208 7.1: implementations support 128 at least, which is as many labels as a name can have."""

_LITERAL = r"[!-$&-~]"
_SIGNS = {"%%": "%", "%_": " ", "%-": "%20"}
_MACRO = re.compile(
    rf"(?P<text>{_LITERAL}++)|(?P<sign>%[%_-])"
    r"|%\{(?P<letter>[A-Za-z])(?P<digits>[0-9]{0,3})(?P<reverse>[rR]?)(?P<split>[.+,/_=-]*)\}"
)


class Macro(Struct, frozen=True):
    """`letter` as it stands: a capital one asks for URL escaping. `keep` parts from the right, 0 for all."""

    letter: str
    keep: int
    reverse: bool
    split: str


Piece = str | Macro


class MacroError(Exception):
    """The text breaks the grammar of RFC 7208 7.1."""


def compiled(text: str, letters: str) -> tuple[Piece, ...]:
    """Raises MacroError. White space is no part of a macro-string; an explanation is cut at it before."""
    pieces: list[Piece] = []
    at = 0
    while at < len(text):
        found = _MACRO.match(text, at)
        if found is None:
            raise MacroError(f"no macro at {text[at : at + 20]!r}")
        at = found.end()
        if found["text"]:
            pieces.append(found["text"])
        elif found["sign"]:
            pieces.append(_SIGNS[found["sign"]])
        else:
            pieces.append(_macro(found, letters))
    return tuple(pieces)


def _macro(found: "re.Match[str]", letters: str) -> Macro:
    letter, digits = found["letter"], found["digits"]
    if letter.lower() not in letters:
        raise MacroError(f"no macro letter {letter}")
    if digits and not int(digits):
        raise MacroError("a macro that keeps nothing")  # RFC 7208 7.3
    return Macro(letter, min(int(digits or 0), PARTS_MAX), bool(found["reverse"]), found["split"] or ".")


class Setting(Struct, frozen=True):
    """What macros stand for. `domain` is the one whose record is read; `validated` the client's own name."""

    ip: Ip
    sender: str
    helo: str
    domain: str
    validated: str = "unknown"
    receiver: str = "unknown"
    seconds: int = 0


def expanded(pieces: tuple[Piece, ...], setting: Setting) -> str:
    return "".join([piece if isinstance(piece, str) else _value(piece, setting) for piece in pieces])


def asks_validated(pieces: tuple[Piece, ...]) -> bool:
    """Whether the client's PTR records must be looked up for it."""
    return any(isinstance(piece, Macro) and piece.letter in "pP" for piece in pieces)


def shortened(name: str) -> str:
    """RFC 7208 7.3: a name that is too long loses labels from the left."""
    name = name.removesuffix(".")
    while len(name) > NAME_OCTETS:
        _, dot, rest = name.partition(".")
        if not dot:
            break
        name = rest
    return name


def _value(macro: Macro, setting: Setting) -> str:
    value = _plain(macro.letter.lower(), setting)
    if macro.keep or macro.reverse or macro.split != ".":
        parts = re.split(f"[{re.escape(macro.split)}]", value)
        if macro.reverse:
            parts.reverse()
        value = ".".join(parts[-macro.keep :] if macro.keep else parts)
    return quote(value, safe="-._~") if macro.letter.isupper() else value


def _plain(letter: str, setting: Setting) -> str:
    local, _, sender_domain = setting.sender.rpartition("@")
    match letter:
        case "s":
            return setting.sender
        case "l":
            return local
        case "o":
            return sender_domain
        case "d":
            return setting.domain
        case "i":
            return _dotted(setting.ip)
        case "p":
            return setting.validated
        case "v":
            return "in-addr" if setting.ip.bits == 32 else "ip6"
        case "h":
            return setting.helo
        case "c":
            return setting.ip.text
        case "r":
            return setting.receiver
        case _:
            return str(setting.seconds)


def _dotted(ip: Ip) -> str:
    return ip.text if ip.bits == 32 else ".".join(f"{ip.value:032X}")
