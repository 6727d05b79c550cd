"""An SPF record as the terms it consists of (RFC 7208 4.5, 4.6, 5, 6), parsed whole before any is asked.

A record is compiled once and remembered by its text: the same few records are asked about all day.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from sekisho.mail.names import ip_of
from sekisho.mail.spf_macros import LETTERS, Macro, MacroError, Piece, compiled

RECORD_BYTES = 16 * 1024
"""Longest record that is read: 64 strings of a TXT record."""

RECORDS_KEPT = 2048

Result = Literal["pass", "fail", "softfail", "neutral"]
_QUALIFIERS: dict[str, Result] = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral", "": "pass"}

_MECHANISM = re.compile(r"([+?~-]?)([A-Za-z][A-Za-z0-9._-]*)(?:(:)(.*)|(/.*))?", re.DOTALL)
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9._-]*)=(.*)", re.DOTALL)
_DUAL_CIDR = re.compile(r"(?:/(0|[1-9][0-9]?))?(?://(0|[1-9][0-9]{0,2}))?$")
_CIDR4, _CIDR6 = re.compile(r"(0|[1-9][0-9]?)"), re.compile(r"(0|[1-9][0-9]{0,2})")
_TOP = re.compile(r"\.(?!-)(?![0-9]+\.?$)[A-Za-z0-9-]*[A-Za-z0-9]\.?$")


class SpfError(Exception):
    """The record breaks the grammar: permerror (RFC 7208 4.6)."""


class Term(Struct, frozen=True):
    """A mechanism. `net` and `length4` (ip4), or `net` and `length6` (ip6); `name` None is the domain
    itself. `local`: it stands in our settings, not in the record.
    """

    text: str
    kind: str
    result: Result
    name: tuple[Piece, ...] | None = None
    net: int = 0
    length4: int = 32
    length6: int = 128
    local: bool = False


class Record(Struct, frozen=True):
    """The mechanisms in order, and the two modifiers that mean something."""

    terms: tuple[Term, ...]
    redirect: tuple[Piece, ...] | None = None
    explanation: tuple[Piece, ...] | None = None


def is_spf(text: bytes) -> bool:
    """RFC 7208 4.5: the version, then a space or the end."""
    return text[:6].lower() == b"v=spf1" and text[6:7] in (b"", b" ")


def chosen(texts: Sequence[bytes]) -> bytes | None:
    """The one SPF record among these, or None. Raises SpfError for more than one (RFC 7208 4.5)."""
    ours = [text for text in texts if is_spf(text)]
    if len(ours) > 1:
        raise SpfError(f"{len(ours)} records instead of one")
    return ours[0] if ours else None


@lru_cache(RECORDS_KEPT)
def parsed(text: bytes) -> Record | SpfError:
    """An error is returned, not raised, so that it is remembered too."""
    try:
        return _record(text)
    except (SpfError, MacroError) as error:
        return SpfError(str(error))


def local_terms(text: str) -> tuple[Term, ...]:
    """Mechanisms from our settings. Raises SpfError."""
    record = parsed(b"v=spf1 " + text.encode("utf-8", "surrogateescape"))
    if isinstance(record, SpfError):
        raise record
    if record.redirect or record.explanation:
        raise SpfError("only mechanisms, no modifiers")
    return tuple(
        Term(term.text, term.kind, term.result, term.name, term.net, term.length4, term.length6, True)
        for term in record.terms
    )


def with_local(record: Record, terms: tuple[Term, ...]) -> Record:
    """Before the trailing `all`; a record that does not end so says nothing that they could soften."""
    if not terms or not record.terms or record.terms[-1].kind != "all":
        return record
    return Record((*record.terms[:-1], *terms, record.terms[-1]), record.redirect, record.explanation)


def _record(text: bytes) -> Record:
    if len(text) > RECORD_BYTES:
        raise SpfError("the record is too long")
    if not text.isascii():
        raise SpfError("the record is not ASCII")  # RFC 7208 3.1
    terms: list[Term] = []
    modifiers: dict[str, tuple[Piece, ...]] = {}
    for word in text[6:].decode("ascii").split(" "):
        if not word:
            continue
        modifier = _MODIFIER.fullmatch(word)
        if modifier is None:
            terms.append(_term(word))
            continue
        name, value = modifier[1].lower(), modifier[2]
        if name not in ("redirect", "exp"):
            compiled(value, LETTERS + "crt")  # RFC 7208 6: unknown ones are ignored if they are well formed
        elif name in modifiers:
            raise SpfError(f"{name} twice")
        else:
            modifiers[name] = _domain_spec(value)
    return Record(tuple(terms), modifiers.get("redirect"), modifiers.get("exp"))


def _term(word: str) -> Term:
    found = _MECHANISM.fullmatch(word)
    if found is None:
        raise SpfError(f"no mechanism: {word[:40]!r}")
    result, kind = _QUALIFIERS[found[1]], found[2].lower()
    colon, value, cidr = found[3] is not None, found[4] or "", found[5] or ""
    match kind:
        case "all":
            if colon or cidr:
                raise SpfError("all takes no argument")
            return Term(word, kind, result)
        case "include" | "exists":
            if not colon or cidr:
                raise SpfError(f"{kind} without a domain")
            return Term(word, kind, result, _domain_spec(value))
        case "a" | "mx":
            return _with_lengths(Term(word, kind, result), value if colon else None, cidr)
        case "ptr":
            if cidr:
                raise SpfError("ptr takes no length")
            return Term(word, kind, result, _domain_spec(value) if colon else None)
        case "ip4" | "ip6" if colon and not cidr:
            return _network(Term(word, kind, result), value)
        case _:
            raise SpfError(f"no mechanism: {word[:40]!r}")


def _with_lengths(term: Term, value: str | None, cidr: str) -> Term:
    """`a:name/24//64`: the lengths stand at the end, whatever the name has before them."""
    text = cidr if value is None else value
    found = _DUAL_CIDR.search(text)
    assert found is not None, "it matches the empty end"
    length4, length6 = int(found[1] or 32), int(found[2] or 128)
    if length4 > 32 or length6 > 128:
        raise SpfError(f"no such length: {term.text[:40]!r}")
    if value is None:
        if found.start():
            raise SpfError(f"no lengths: {term.text[:40]!r}")
        name = None
    else:
        name = _domain_spec(value[: found.start()])
    return Term(term.text, term.kind, term.result, name, 0, length4, length6)


def _network(term: Term, value: str) -> Term:
    address, slash, length = value.partition("/")
    bits = 32 if term.kind == "ip4" else 128
    pattern = _CIDR4 if bits == 32 else _CIDR6
    if slash and not pattern.fullmatch(length):
        raise SpfError(f"no length: {term.text[:40]!r}")
    size = int(length) if slash else bits
    ip = ip_of(address) if "%" not in address else None
    if ip is None or size > bits or (":" in address) != (bits == 128):
        raise SpfError(f"no network: {term.text[:40]!r}")
    net = ip.value if ip.bits == bits else ip.value | 0xFFFF << 32  # an IPv4 address in IPv6's clothes
    return Term(term.text, term.kind, term.result, None, net, size, size)


def _domain_spec(text: str) -> tuple[Piece, ...]:
    """RFC 7208 7.1: macros, ended by a macro or by a top label that is not a number."""
    pieces = compiled(text, LETTERS)
    if not pieces or not (isinstance(pieces[-1], Macro) or _TOP.search(text)):
        raise SpfError(f"no domain: {text[:40]!r}")
    return pieces
