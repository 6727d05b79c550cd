"""Makes a DKIM-Signature (RFC 6376 5): all but the signature, which whoever has the key gives.

What a reader sees of the head is signed once more often than it is there, so that nobody can add another.
"""

import base64
import hashlib
from collections.abc import Sequence

from msgspec import Struct

from sekisho.mail.canon import relaxed_field
from sekisho.mail.dkim_field import signed_fields
from sekisho.mail.headers import Field
from sekisho.mail.spf_field import folded

SHOWN = (
    b"from",
    b"to",
    b"cc",
    b"subject",
    b"date",
    b"reply-to",
    b"message-id",
    b"mime-version",
    b"content-type",
)
"""Signed whether or not they are there."""

OTHERS = (
    b"sender",
    b"in-reply-to",
    b"references",
    b"content-transfer-encoding",
    b"content-disposition",
    b"resent-from",
    b"resent-to",
    b"resent-date",
    b"list-id",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
    b"list-post",
    b"auto-submitted",
    b"feedback-id",
)
"""Signed where they are there (RFC 6376 5.4.1)."""

EACH_MAX = 20
"""Most fields of one name that are signed; the last ones."""

BASE64_WIDTH = 72


class Signer(Struct, frozen=True):
    """`algorithm` is "rsa-sha256" or "ed25519-sha256"."""

    domain: str
    selector: str
    algorithm: str


class Unsigned(Struct, frozen=True):
    """A field that lacks its signature over `digest`."""

    name: bytes
    value: bytes
    digest: bytes


def names_for(fields: Sequence[Field]) -> tuple[bytes, ...]:
    """What h= names, for a letter with these fields."""
    there = [field.name for field in fields]
    names: list[bytes] = []
    for name in SHOWN:
        names += [name] * (min(there.count(name), EACH_MAX) + 1)
    for name in OTHERS:
        names += [name] * min(there.count(name), EACH_MAX)
    return tuple(names)


def prepared(signer: Signer, fields: Sequence[Field], body_hash: bytes, at_s: int) -> Unsigned:
    """relaxed/relaxed. `fields` are all of the letter as it leaves, `body_hash` is of the relaxed body."""
    names = names_for(fields)
    words = ["v=1;", *signer_tags(signer, names, body_hash, at_s)]
    return unsigned(b"DKIM-Signature", words, signed_fields(names, fields))


def signer_tags(signer: Signer, names: Sequence[bytes], body_hash: bytes, at_s: int) -> list[str]:
    """What DKIM-Signature and ARC-Message-Signature say alike (RFC 6376 3.5, RFC 8617 4.1.2)."""
    return [
        f"a={signer.algorithm};",
        "c=relaxed/relaxed;",
        f"d={signer.domain};",
        f"s={signer.selector};",
        f"t={at_s};",
        "h=" + ":".join(name.decode("ascii").title() for name in names) + ";",
        f"bh={base64.b64encode(body_hash).decode()};",
        "b=",
    ]


def unsigned(name: bytes, words: Sequence[str], fields: Sequence[Field]) -> Unsigned:
    """`words` are the tags, b= the last of them; `fields` those that are signed, in their order."""
    value = b" " + _folded(words)
    hashed = hashlib.sha256()
    for field in fields:
        hashed.update(relaxed_field(field.name, field.value) + b"\r\n")
    hashed.update(relaxed_field(name, value))
    return Unsigned(name, value, hashed.digest())


def finished(field: Unsigned, signature: bytes) -> bytes:
    """The whole field with its CRLF."""
    text = base64.b64encode(signature).decode()
    lines = [text[at : at + BASE64_WIDTH] for at in range(0, len(text), BASE64_WIDTH)]
    return field.name + b":" + field.value + "\r\n\t".join(lines).encode() + b"\r\n"


def _folded(words: Sequence[str]) -> bytes:
    """Long lists of names are folded behind their colons."""
    pieces: list[str] = []
    for word in words:
        if word.startswith("h="):
            names = word.split(":")
            pieces += [f"{name}:" for name in names[:-1]] + names[-1:]
        else:
            pieces.append(word)
    return folded(pieces).encode("ascii")
