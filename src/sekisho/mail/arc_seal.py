"""Seals a letter that is sent on (RFC 8617 5.1): what we found, over which text, in an unbroken chain.

Two signatures are wanted, one after the other: the seal signs the message signature too.
"""

import hashlib
from collections.abc import Sequence

from msgspec import Struct

from sekisho.mail.arc import KINDS, SEAL, SETS_MAX, sets_in
from sekisho.mail.canon import relaxed_field
from sekisho.mail.dkim_field import signed_fields
from sekisho.mail.dkim_sign import Signer, Unsigned, names_for, signer_tags, unsigned
from sekisho.mail.headers import Field, fields_of
from sekisho.mail.spf_field import folded


class Link(Struct, frozen=True):
    """The next set of a chain. `number` is i=, `claim` cv=: what we found the chain before it to be.

    `earlier` are the fields of the sets before, in the order in which seals sign them.
    """

    number: int
    claim: str
    earlier: tuple[Field, ...] = ()


def results_field(link: Link, results: str) -> bytes:
    """`results` as they stand in our Authentication-Results, hostname and all."""
    value = folded([f"ARC-Authentication-Results: i={link.number};", *results.split(" ")])
    return value.encode("ascii", "replace") + b"\r\n"


def message_signature(
    signer: Signer, link: Link, fields: Sequence[Field], body_hash: bytes, at_s: int
) -> Unsigned:
    """`fields` are all of the letter as it leaves, but for this set."""
    names = [name for name in names_for(fields) if name not in KINDS]
    words = [f"i={link.number};", *signer_tags(signer, names, body_hash, at_s)]
    return unsigned(b"ARC-Message-Signature", words, signed_fields(names, fields))


def seal(signer: Signer, link: Link, results: bytes, signature: bytes, at_s: int) -> Unsigned:
    """`results` and `signature` are the two other fields of this set, whole."""
    words = [
        f"i={link.number};",
        f"a={signer.algorithm};",
        f"d={signer.domain};",
        f"s={signer.selector};",
        f"t={at_s};",
        f"cv={link.claim};",
        "b=",
    ]
    own = fields_of(results + signature)
    before = () if link.claim == "fail" else link.earlier  # RFC 8617 5.1.2: a broken chain is not signed
    found = unsigned(b"ARC-Seal", words, ())
    hashed = hashlib.sha256()
    for field in (*before, *own):
        hashed.update(relaxed_field(field.name, field.value) + b"\r\n")
    hashed.update(relaxed_field(SEAL, found.value))
    return Unsigned(found.name, found.value, hashed.digest())


def next_link(fields: Sequence[Field], claim: str) -> Link | None:
    """The set that follows those in a letter, whose chain we have found to be `claim`: none, pass or fail.

    None: it takes no more. Behind a seal that says fail there is nothing to say (RFC 8617 5.1.2).
    """
    count, earlier, last = sets_in(fields)
    if count >= SETS_MAX or last == b"fail":
        return None
    return Link(count + 1, claim, earlier)
