"""What became of one recipient, read from a server's words: delivered, deferred or failed, and why."""

import re
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from sekisho.logs.refusals import TEXTS_KEPT, Kind, kind_of, without_names

Result = Literal["delivered", "deferred", "failed"]

_CODE = re.compile(r"(?<![\d.:/])([245]\d\d)(?:[ -]#?([245]\.\d{1,3}\.\d{1,3})(?![\d.]))?(?=[ \-\"')]|$)")
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_CAUSES = (
    (re.compile(r"(?i)timed? ?out|timeout|retry time(?:out)? (?:not reached|exceeded)"), "timeout"),
    (re.compile(r"(?i)host not found|host unknown|name server|unrouteable|all relevant MX|lowest numbered MX"
                r"|name service|domain not found|no such domain|DNS|MX lookup"), "dns"),
    (re.compile(r"(?i)connection (?:refused|reset|timed|closed|died)|no route|network is unreachable"
                r"|connect(?:ion)? (?:to|failed)|broken pipe"), "connect"),
    (re.compile(r"\bTLS\b|STARTTLS|certificate"), "tls"),
)  # fmt: skip
"""Words of the server's own; tried where no other server's code was quoted."""


class Told(Struct, frozen=True):
    """`cause` as in `DeliveryTried`; `code` and `status` as the remote host gave them, 0 and "" if it did
    not; `kind` in an operator's words."""

    result: Result
    cause: str = ""
    code: int = 0
    status: str = ""
    kind: Kind = ""


DELIVERED = Told("delivered")


def told(result: Result, text: str, status: str = "") -> Told:
    """`text` is what the server says of a recipient, with the words of the remote host in it."""
    if result == "delivered":
        return DELIVERED
    return _told(result, without_names(text), status)


@lru_cache(TEXTS_KEPT)
def _told(result: Result, text: str, status: str) -> Told:
    kind = kind_of(text, final=result == "failed")
    match = _CODE.search(text)
    if match is not None and match[1] != "2":
        code, found = int(match[1]), match[2] or status
        if code >= 400:
            return Told(result, "5yz" if code >= 500 else "4yz", code, found, kind)
    found = status or next(iter(_STATUS.findall(text)), "")
    for words, cause in _CAUSES:
        if words.search(text):
            return Told(result, cause, 0, found, kind)
    return Told(result, "5yz" if result == "failed" else "4yz", 0, found, kind)
