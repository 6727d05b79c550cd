"""MTA-STS: the TXT record that announces a policy, and the policy itself (RFC 8461 3).

Pure: who fetches and keeps policies is in `service/sts.py`.
"""

import re
from collections.abc import Sequence
from typing import Literal, cast

from msgspec import Struct

POLICY_BYTES = 64 * 1024
"""Largest policy that is read (RFC 8461 3.3)."""

AGE_MAX_S = 31_557_600
"""A year: no policy is kept longer (RFC 8461 3.2)."""

MX_MAX = 100
"""Most patterns of one policy that are looked at."""

Mode = Literal["enforce", "testing", "none"]
MODES = ("enforce", "testing", "none")

_RECORD = re.compile(r"v=STSv1[ \t]*;[ \t]*(?:[a-z0-9]+=[^;]*;[ \t]*)*?id=([A-Za-z0-9]{1,32})[ \t]*(?:;.*)?")
_PATTERN = re.compile(r"(?:\*\.)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")


class Policy(Struct, frozen=True):
    """`mx` in lower case; `ident` is the id of the record by which it was found."""

    ident: str
    mode: Mode
    mx: tuple[str, ...]
    max_age_s: int

    def allows(self, host: str) -> bool:
        """RFC 8461 4.1: equal, or one label in the place of the asterisk."""
        name = host.lower().rstrip(".")
        return any(
            name.partition(".")[2] == pattern[2:] if pattern.startswith("*.") else name == pattern
            for pattern in self.mx
        )


def record_id(texts: Sequence[bytes]) -> str:
    """The id of the one record that begins with v=STSv1; "" when there is none, or more than one (3.1)."""
    ours = [text for text in texts if text.startswith(b"v=STSv1")]
    if len(ours) != 1:
        return ""
    found = _RECORD.fullmatch(ours[0].decode("ascii", "replace").rstrip())
    return found[1] if found else ""


def parse_policy(body: bytes, ident: str) -> Policy | None:
    """RFC 8461 3.2: `key: value` lines; of a key that may stand once the first counts."""
    fields: dict[str, list[str]] = {}
    for line in body.decode("utf-8", "replace").splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip(), []).append(value.strip())
    if fields.get("version", [""])[0] != "STSv1":
        return None
    mode, age = fields.get("mode", [""])[0], fields.get("max_age", [""])[0]
    if mode not in MODES or not (age.isascii() and age.isdigit() and len(age) <= 10):
        return None
    mx = tuple(each.lower() for each in fields.get("mx", [])[:MX_MAX])
    if any(_PATTERN.fullmatch(each) is None for each in mx) or (mode != "none" and not mx):
        return None
    return Policy(ident, cast("Mode", mode), mx, min(int(age), AGE_MAX_S))
