"""The arguments of MAIL and RCPT (RFC 5321 4.1.1.2, 4.1.1.3) and their parameters: SIZE (RFC 1870), BODY
(RFC 6152), AUTH (RFC 4954 5), SMTPUTF8 (RFC 6531), REQUIRETLS (RFC 8689), those of DSN (RFC 3461).
"""

import re

from sekisho.model.address import BadAddress, parse_path
from sekisho.model.verdict import Reply
from sekisho.wire import replies
from sekisho.wire.steps import Mail, Rcpt
from sekisho.wire.wishes import is_envid, is_original, notify

# Quoted local parts may hold brackets. Possessive: each byte is looked at once, however hostile the line.
_PATH = re.compile(rb' *+<((?:[^"<>\\]|"(?:[^"\\]|\\.)*+")*+)>(?: ++(.*+))?', re.DOTALL)
_PARAM = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*+)(?:=([!-<>-~\x80-\U0010ffff]++))?")
_SIZE = re.compile(r"[0-9]{1,20}")  # RFC 1870 5

PARAMS = 20  # more parameters than the extensions of all RFCs together

Params = dict[str, str]


def parse_mail(argument: bytes, known: frozenset[str], size_limit: int) -> Mail | Reply:
    """`known` are the parameters that were offered; anything else is 555 (RFC 5321 4.1.1.11)."""
    parts = _take_apart(argument, b"FROM:")
    if parts is None:
        return replies.MAIL_SYNTAX
    params = _params(parts[1], known) if parts[1] else {}
    smtputf8 = isinstance(params, Reply) or "SMTPUTF8" in params
    mailbox = parse_path(parts[0], smtputf8=smtputf8)
    if isinstance(mailbox, BadAddress):
        return replies.EIGHT_BIT if mailbox.why == "eight_bit" else replies.BAD_SENDER
    if mailbox is not None and not mailbox.domain:
        return replies.BAD_SENDER  # postmaster alone is a recipient only
    if isinstance(params, Reply):
        return params
    if params and not _sensible(params):
        return replies.PARAM_SYNTAX
    size = params.get("SIZE", "0")
    if _SIZE.fullmatch(size) is None:
        return replies.PARAM_SYNTAX
    if int(size) > size_limit:
        return replies.TOO_BIG  # RFC 1870 6.1
    return Mail("" if mailbox is None else str(mailbox), params, int(size))


def parse_rcpt(argument: bytes, known: frozenset[str], *, smtputf8: bool = False) -> Rcpt | Reply:
    parts = _take_apart(argument, b"TO:")
    if parts is None:
        return replies.RCPT_SYNTAX
    mailbox = parse_path(parts[0], smtputf8=smtputf8)
    if isinstance(mailbox, BadAddress):
        return replies.EIGHT_BIT if mailbox.why == "eight_bit" else replies.BAD_RECIPIENT
    if mailbox is None:
        return replies.BAD_RECIPIENT
    if not parts[1]:
        return Rcpt(str(mailbox), {})
    params = _params(parts[1], known, smtputf8=smtputf8)
    if isinstance(params, Reply):
        return params
    return Rcpt(str(mailbox), params) if _wished(params, smtputf8) else replies.PARAM_SYNTAX


def _sensible(params: Params) -> bool:
    """What the parameters of MAIL may say. RET becomes capitals."""
    if params.get("BODY", "7BIT").upper() not in ("7BIT", "8BITMIME"):
        return False
    if params.get("SMTPUTF8") or params.get("REQUIRETLS"):
        return False  # RFC 6531 3.4, RFC 8689 2: they have no value
    if "RET" in params:
        params["RET"] = params["RET"].upper()
        if params["RET"] not in ("FULL", "HDRS"):
            return False
    return "ENVID" not in params or is_envid(params["ENVID"])


def _wished(params: Params, smtputf8: bool) -> bool:
    """What those of RCPT may. NOTIFY becomes capitals."""
    if "NOTIFY" in params:
        params["NOTIFY"] = notify(params["NOTIFY"])
        if not params["NOTIFY"]:
            return False
    return "ORCPT" not in params or is_original(params["ORCPT"], smtputf8=smtputf8)


def _take_apart(argument: bytes, keyword: bytes) -> tuple[bytes, bytes] | None:
    """Path without brackets, and the parameters. A space behind the colon is wrong, common and harmless."""
    if argument[: len(keyword)].upper() != keyword:
        return None
    found = _PATH.fullmatch(argument, len(keyword))
    return None if found is None else (found[1], found[2] or b"")


def _params(raw: bytes, known: frozenset[str], *, smtputf8: bool = False) -> Params | Reply:
    try:
        text = raw.decode("utf-8" if smtputf8 else "ascii")
    except UnicodeDecodeError:
        return replies.PARAM_SYNTAX
    words = [word for word in text.split(" ") if word]
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
