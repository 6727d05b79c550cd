"""The arguments of MAIL and RCPT (RFC 5321 4.1.1.2, 4.1.1.3), with SIZE (RFC 1870) and BODY (RFC 6152)."""

import re

from sekisho.model.address import BadAddress, parse_path
from sekisho.model.verdict import Reply
from sekisho.wire import replies
from sekisho.wire.steps import Mail, Rcpt

# Quoted local parts may hold brackets. Possessive: each byte is looked at once, however hostile the line.
_PATH = re.compile(rb' *+<((?:[^"<>\\]|"(?:[^"\\]|\\.)*+")*+)>(?: ++(.*+))?', re.DOTALL)
_PARAM = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*+)(?:=([!-<>-~]++))?")
_SIZE = re.compile(r"[0-9]{1,20}")  # RFC 1870 5

PARAMS = 20  # more parameters than the extensions of all RFCs together

Params = dict[str, str]


def parse_mail(argument: bytes, known: frozenset[str], size_limit: int) -> Mail | Reply:
    """`known` are the parameters that were offered; anything else is 555 (RFC 5321 4.1.1.11)."""
    parts = _take_apart(argument, b"FROM:")
    if parts is None:
        return replies.MAIL_SYNTAX
    mailbox = parse_path(parts[0])
    if isinstance(mailbox, BadAddress):
        return replies.EIGHT_BIT if mailbox.why == "eight_bit" else replies.BAD_SENDER
    if mailbox is not None and not mailbox.domain:
        return replies.BAD_SENDER  # postmaster alone is a recipient only
    params = _params(parts[1], known)
    if isinstance(params, Reply):
        return params
    if params.get("BODY", "7BIT").upper() not in ("7BIT", "8BITMIME"):
        return replies.PARAM_SYNTAX
    size = params.get("SIZE", "0")
    if _SIZE.fullmatch(size) is None:
        return replies.PARAM_SYNTAX
    if int(size) > size_limit:
        return replies.TOO_BIG  # RFC 1870 6.1
    return Mail("" if mailbox is None else str(mailbox), params, int(size))


def parse_rcpt(argument: bytes, known: frozenset[str]) -> Rcpt | Reply:
    parts = _take_apart(argument, b"TO:")
    if parts is None:
        return replies.RCPT_SYNTAX
    mailbox = parse_path(parts[0])
    if isinstance(mailbox, BadAddress):
        return replies.EIGHT_BIT if mailbox.why == "eight_bit" else replies.BAD_RECIPIENT
    if mailbox is None:
        return replies.BAD_RECIPIENT
    params = _params(parts[1], known)
    return params if isinstance(params, Reply) else Rcpt(str(mailbox), params)


def _take_apart(argument: bytes, keyword: bytes) -> tuple[bytes, bytes] | None:
    """Path without brackets, and the parameters. A space behind the colon is wrong, common and harmless."""
    if argument[: len(keyword)].upper() != keyword:
        return None
    found = _PATH.fullmatch(argument, len(keyword))
    return None if found is None else (found[1], found[2] or b"")


def _params(raw: bytes, known: frozenset[str]) -> Params | Reply:
    if not raw:
        return {}
    if not raw.isascii():
        return replies.PARAM_SYNTAX
    words = raw.decode("ascii").split()
    if len(words) > PARAMS:
        return replies.PARAM_SYNTAX
    params: Params = {}
    for word in words:
        found = _PARAM.fullmatch(word)
        if found is None:
            return replies.PARAM_SYNTAX
        name = found[1].upper()
        if name not in known:
            return replies.PARAM_UNKNOWN
        if name in params:
            return replies.PARAM_SYNTAX  # said twice: two readers could choose differently
        params[name] = found[2] or ""
    return params
