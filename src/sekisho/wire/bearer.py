"""AUTH by a token of an identity provider: OAUTHBEARER (RFC 7628) and the older XOAUTH2 of large providers.

The token is a password: it leaves this file inside a `Secret` only. Whether it is worth anything is asked
elsewhere; what is refused gets its reason as JSON first, which the client answers before it gets its 535.
"""

import re
from collections.abc import Generator

from sekisho.model.secret import Secret
from sekisho.model.verdict import Reply
from sekisho.wire import replies
from sekisho.wire.sasl_names import identity_of
from sekisho.wire.steps import Token

OAUTHBEARER, XOAUTH2 = "OAUTHBEARER", "XOAUTH2"

Script = Generator[bytes | Token, bytes, Reply | None]

# RFC 7628 3.1: a GS2 header, then pairs, each ended by ^A, and one ^A more. RFC 6750 2.1: what a token is.
_PAIRS = rb"((?:[A-Za-z]+=[^\x00\x01]*+\x01)++)\x01"
_OAUTHBEARER = re.compile(rb"[ny],(?:a=([^,\0\x01]*+))?,\x01" + _PAIRS)
_XOAUTH2 = re.compile(rb"user=([^\0\x01]*+)\x01" + _PAIRS)
_TOKEN = re.compile(rb"bearer +([A-Za-z0-9._~+/-]{1,8192}+=*)", re.IGNORECASE)
_ESCAPE = re.compile(rb"=(?!2C|3D)")


def script(mechanism: str, fingerprint: str) -> Script:
    """One exchange; None where it is malformed, 535 once the client has taken note of the refusal."""
    message = yield b""
    found = (_OAUTHBEARER if mechanism == OAUTHBEARER else _XOAUTH2).fullmatch(message)
    if found is None:
        return None
    identity, token = _identity(mechanism, found[1] or b""), _token(found[2])
    if identity is None or token is None:
        return None
    yield (yield Token(mechanism, identity, token, fingerprint))  # RFC 7628 3.2.3: whatever it answers
    return replies.NO_LOGIN


def _identity(mechanism: str, raw: bytes) -> str | None:
    if mechanism == XOAUTH2:
        return identity_of(raw)
    return None if _ESCAPE.search(raw) else identity_of(raw.replace(b"=2C", b",").replace(b"=3D", b"="))


def _token(pairs: bytes) -> Secret | None:
    given = [pair.partition(b"=") for pair in pairs.split(b"\x01") if pair]
    found = [_TOKEN.fullmatch(value) for name, _, value in given if name.lower() == b"auth"]
    return Secret(found[0][1]) if len(found) == 1 and found[0] is not None else None
