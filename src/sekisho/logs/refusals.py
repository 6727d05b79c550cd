"""Why a delivery failed, in an operator's words: whose rule it was, or what did not work.

The rules are known by the texts of qmail-smtpd and its patches, whether ours says them or another host's, and
by the words that other servers use for the same.
"""

import re
from functools import lru_cache
from typing import Literal

Kind = Literal["", "auth", "sender-policy", "rcpt-policy", "dns", "timeout", "remote-4yz", "remote-5yz"]

_RULES: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("auth", re.compile(
        r"(?i)auth(?:entication|orization)? (?:failed|required|exchange|type|not available|input)|\bauth"
        r" not avail"
        r"|malformed auth|no auth during|already authenticated|i can't auth|proper authentication|^53[0458] "
    )),
    ("sender-policy", re.compile(
        r"(?i)envelope sender|badmailfrom|HELO host name|remotehost|your host \(|sender (?:was|address)"
        r" rejected"
        r"|name was rejected|\bSPF\b|sender domain|MAIL first|blocked using|listed (?:at|in|by)"
    )),
    ("rcpt-policy", re.compile(
        r"(?i)allowed rcpthosts|envelope recipient|validrcptto|badrecipientto|don't relay|relay(?:ing)?"
        r" (?:not permitted"
        r"|denied|access denied)|no mailbox here|user (?:is )?unknown|unknown user|no such user|too many"
        r" recipients"
        r"|too many invalid|maximum number of recipients|security policies|mailbox is full|over"
        r" ?quota|RCPT first"
    )),
    ("dns", re.compile(
        r"(?i)find any host named|CNAME lookup|mail exchanger|unrouteable|host (?:not"
        r" found|unknown)|domain must exist"
        r"|DNS (?:temporary )?(?:failure|error)|name service error|#?5\.1\.2\b|#?4\.4\.3\b|SPF lookup"
    )),
    ("timeout", re.compile(
        r"(?i)timeout|timed out|queue too long|establish an SMTP connection|greeting failed|connection"
        r" (?:died|refused|reset)"
        r"|no route to host|network is unreachable|retry time"
    )),
)  # fmt: skip
_NAMES = re.compile(r"<[^<>]*>|(?<![^\s<>])[^\s<>@]++@[^\s<>]+|\d{1,3}(?:\.\d{1,3}){3}")
TEXTS_KEPT = 4096
"""Texts of servers whose kind is remembered."""

_CODE = re.compile(r"(?<![\d.])([45])\d\d[ -]|#?\b([45])\.\d{1,3}\.\d{1,3}\b")


def kind_of(text: str, *, final: bool) -> Kind:
    """`text` is what the log says about one recipient; qmail writes `_` for a space."""
    return _kind(without_names(text.replace("_", " ")), final)


def without_names(text: str) -> str:
    """Without what differs from letter to letter: then servers say few different things."""
    return _NAMES.sub("", text)


@lru_cache(TEXTS_KEPT)
def _kind(plain: str, final: bool) -> Kind:
    for kind, words in _RULES:
        if words.search(plain):
            return kind
    code = _CODE.search(plain)
    if code is not None:
        return "remote-5yz" if "5" in (code[1], code[2]) else "remote-4yz"
    return "remote-5yz" if final else "remote-4yz"
