"""A DKIM-Signature as it stands in a letter: its tags, and the digest of the fields that it signs (RFC 6376
3.5, 3.7). ARC-Message-Signature has the same tags.
"""

import hashlib
import re
from collections.abc import Sequence

from msgspec import Struct

from sekisho.mail import tags
from sekisho.mail.canon import relaxed_field
from sekisho.mail.headers import Field
from sekisho.mail.names import a_name, askable, host_name, is_within

ALGORITHMS = (b"rsa-sha256", b"ed25519-sha256")
FORMS = (b"simple", b"relaxed")
NAMES_MAX = 1000
"""Most field names of one signature."""

_SIGNATURE = re.compile(rb"((?:^|;)[ \t\r\n]*+b[ \t\r\n]*+=)[^;]*+")


class Malformed(Struct, frozen=True):
    """A signature that cannot be verified, whatever the key. `domain` and `selector` as far as they are
    there."""

    why: str
    domain: str = ""
    selector: str = ""


class Signature(Struct, frozen=True):
    """`names` in lower case as in h=; `length` is l=; times are None where the tag is absent."""

    algorithm: bytes
    signed: bytes
    body_hash: bytes
    head_form: bytes
    body_form: bytes
    domain: str
    identity: str
    selector: str
    names: tuple[bytes, ...]
    length: int | None = None
    made_at: int | None = None
    ends_at: int | None = None

    @property
    def key_name(self) -> str:
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def mark(self) -> str:
        """The first letters of b=, by which results tell signatures apart (RFC 6008)."""
        return self.signed.decode("ascii")[:8]


def bare_signature_of(value: bytes) -> Signature | Malformed:
    """An ARC-Seal, which signs no body and always the same fields (RFC 8617 4.1.3)."""
    if isinstance(given := tags.parsed(value), tags.TagError):
        return Malformed(given.why)
    if b"h" in given:
        return Malformed("h= in a seal")
    return signature_of(value.rstrip(b"; \t\r\n") + b"; h=; bh=AAAA; c=relaxed/relaxed", versioned=False)


def signature_of(value: bytes, *, versioned: bool = True) -> Signature | Malformed:
    """RFC 6376 6.1.1. Not `versioned`: an ARC-Message-Signature, which has no v=, a number in i=, and may
    sign what it likes.
    """
    fields = tags.parsed(value)
    if isinstance(fields, tags.TagError):
        return Malformed(fields.why)
    domain, selector = _text(fields, b"d"), _text(fields, b"s")
    why = _missing(fields, versioned) or _unusable(fields, versioned)
    name = host_name(domain)
    if not why and (not name or not askable(f"{selector}._domainkey.{name}") or not selector):
        why = "d= and s= give no name"
    identity = (_text(fields, b"i") if versioned else "") or f"@{domain}"
    if not why and versioned and not is_within(a_name(identity.rpartition("@")[2]).lower(), name):
        why = "i= is not within d="
    if why:
        return Malformed(why, domain, selector)
    usual = b"simple/simple" if versioned else b"relaxed/relaxed"  # as all who write and read ARC take it
    head_form, _, body_form = fields.get(b"c", usual).partition(b"/")
    return Signature(
        fields[b"a"],
        tags.without_space(fields[b"b"]),
        tags.base64_of(fields[b"bh"]) or b"",
        head_form,
        body_form or b"simple",
        name,
        identity,
        selector.lower(),
        tuple(each.lower() for each in tags.colon_list(fields[b"h"])),
        tags.number_of(fields[b"l"]) if b"l" in fields else None,
        tags.number_of(fields[b"t"]) if b"t" in fields else None,
        tags.number_of(fields[b"x"]) if b"x" in fields else None,
    )


def _text(fields: tags.Tags, name: bytes) -> str:
    """RFC 8616 5: domains may stand in a letter in UTF-8."""
    return tags.without_space(fields.get(name, b"")).decode("utf-8", "replace")


def _missing(fields: tags.Tags, versioned: bool) -> str:
    if versioned and fields.get(b"v") != b"1":
        return "v= is not 1"
    for name in (b"a", b"b", b"bh", b"d", b"h", b"s"):
        if not fields.get(name) and (versioned or name != b"h" or name not in fields):
            return f"{name.decode()}= is missing"
    return ""


def _unusable(fields: tags.Tags, versioned: bool) -> str:
    names = tags.colon_list(fields[b"h"])
    if fields[b"a"] not in ALGORITHMS:
        return "a= is no algorithm that counts"  # RFC 8301 3.1: rsa-sha1 proves nothing
    if tags.base64_of(fields[b"b"]) is None or tags.base64_of(fields[b"bh"]) is None:
        return "b= or bh= is not base64"
    forms = fields.get(b"c", b"simple").split(b"/")
    if len(forms) > 2 or any(form not in FORMS for form in forms):
        return "c= is no canonicalization"
    if b"q" in fields and b"dns/txt" not in tags.colon_list(fields[b"q"]):
        return "q= is not dns/txt"
    if len(names) > NAMES_MAX:
        return "h= names too many fields"
    if versioned and b"from" not in [name.lower() for name in names]:
        return "h= does not name From"  # RFC 6376 5.4
    for name in (b"l", b"t", b"x"):
        if name in fields and tags.number_of(fields[name]) is None:
            return f"{name.decode()}= is no number"
    made, ends = (tags.number_of(fields.get(name, b"")) for name in (b"t", b"x"))
    return "x= is before t=" if made is not None and ends is not None and ends < made else ""


def head_digest(
    signature: Signature, field: Field, signed: Sequence[Field], head: bytes, known: dict[int, bytes]
) -> bytes:
    """SHA-256 of the signed fields and, last and without its own value of b=, the signature (RFC 6376 3.7).

    `field` is the signature's own. `known` keeps fields in relaxed form for other signatures of the letter.
    """
    hashed = hashlib.sha256()
    for each in signed:
        if signature.head_form == b"relaxed":
            if each.start not in known:
                known[each.start] = relaxed_field(each.name, each.value) + b"\r\n"
            hashed.update(known[each.start])
        else:
            hashed.update(memoryview(head)[each.start : each.end])
    value = unsigned(field.value)
    if signature.head_form == b"relaxed":
        hashed.update(relaxed_field(field.name, value))
    else:
        hashed.update(head[field.start : field.end - len(field.value) - 2] + value)
    return hashed.digest()


def unsigned(value: bytes) -> bytes:
    """With the value of b= deleted, and nothing else."""
    return _SIGNATURE.sub(rb"\1", value, count=1)


def signed_fields(names: Sequence[bytes], fields: Sequence[Field], but: Field | None = None) -> list[Field]:
    """For each name the last field of it that is not taken yet (RFC 6376 5.4.2); a name too many is nothing.

    `but`: the signature itself, which does not sign itself.
    """
    waiting: dict[bytes, list[Field]] = {}
    for field in fields:
        if field is not but:
            waiting.setdefault(field.name, []).append(field)
    found = []
    for name in names:
        if waiting.get(name):
            found.append(waiting[name].pop())
    return found
