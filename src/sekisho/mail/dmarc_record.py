"""What a domain wants done with letters that are not its own: a DMARC record (RFC 9989 4.7, and RFC 7489)."""

import re
from collections.abc import Sequence
from functools import lru_cache

from msgspec import Struct

from sekisho.mail import tags

RECORD_BYTES = 8 * 1024
RECORDS_KEPT = 2048
POLICIES = ("none", "quarantine", "reject")

_VERSION = re.compile(rb"v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|$)")
_URI = re.compile(rb"mailto:[^ \t,!@]+@[^ \t,!@]+(?:![0-9]+[kmgtKMGT]?)?")


class Record(Struct, frozen=True):
    """`psd`: "y" a name under which others register, "n" the top of an organization, "u" not said.

    `testing`: the policy is to be applied one step milder (t=y). `percent` is of RFC 7489.
    """

    policy: str
    below: str
    absent: str
    strict_dkim: bool = False
    strict_spf: bool = False
    psd: str = "u"
    testing: bool = False
    percent: int = 100
    reports: tuple[str, ...] = ()


def chosen(texts: Sequence[bytes]) -> Record | None:
    """The one record among these; several are none (RFC 9989 4.10)."""
    ours = [text for text in texts if _VERSION.match(text)]
    return parsed(ours[0]) if len(ours) == 1 else None


@lru_cache(RECORDS_KEPT)
def parsed(text: bytes) -> Record | None:
    if len(text) > RECORD_BYTES:
        return None
    fields = _fields(text)
    reports = tuple(
        uri.decode("ascii", "replace")
        for uri in (each.strip() for each in fields.get(b"rua", b"").split(b","))
        if _URI.fullmatch(uri)
    )
    policy, below, absent = (_policy(fields, name) for name in (b"p", b"sp", b"np"))
    if not policy or None in (policy, below, absent):
        if not reports:
            return None
        policy, below, absent = "none", "", ""  # RFC 9989 4.7: who wants reports at least gets them
    percent = tags.number_of(fields.get(b"pct", b"100"))
    return Record(
        policy,
        below or policy,
        absent or below or policy,
        fields.get(b"adkim", b"r").lower() == b"s",
        fields.get(b"aspf", b"r").lower() == b"s",
        {b"y": "y", b"n": "n"}.get(fields.get(b"psd", b"u").lower(), "u"),
        fields.get(b"t", b"n").lower() == b"y",
        percent if percent is not None and percent <= 100 else 100,
        reports,
    )


def milder(policy: str) -> str:
    return POLICIES[max(0, POLICIES.index(policy) - 1)]


def _fields(text: bytes) -> dict[bytes, bytes]:
    """Names in lower case; what is no tag is passed over, of a name that comes twice the first counts."""
    fields: dict[bytes, bytes] = {}
    for part in text.split(b";")[: tags.TAGS_MAX]:
        name, equals, value = part.partition(b"=")
        if equals:
            fields.setdefault(name.strip().lower(), value.strip())
    return fields


def _policy(fields: dict[bytes, bytes], name: bytes) -> str | None:
    """ "" where it is not said, None where it says nothing that there is."""
    value = fields.get(name, b"").decode("ascii", "replace").lower()
    return value if not value or value in POLICIES else None
