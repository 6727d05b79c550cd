"""The server's side of AUTH: PLAIN (RFC 4616) and LOGIN, in the base64 clothes of RFC 4954.

A password leaves this file inside a `Secret` only. What is malformed is refused, with no word on where.
"""

import binascii
import unicodedata
from collections.abc import Generator

from msgspec import Struct

from sekisho.model.secret import Secret
from sekisho.model.verdict import Reply
from sekisho.wire import replies

IDENTITY_OCTETS = 320  # an address of 64 + 1 + 255
PASSWORD_OCTETS = 1024  # longer than any password manager makes them, short enough to hash
MECHANISMS = ("PLAIN", "LOGIN")


class Credentials(Struct, frozen=True):
    """`authorization` is "" or whom the client wants to act as (RFC 4616 2)."""

    identity: str
    authorization: str
    password: Secret


class Challenge(Struct, frozen=True):
    """The base64 text of a 334 reply."""

    text: str


Outcome = Challenge | Credentials | Reply
_Exchange = Generator[bytes, bytes, Credentials | None]


class Exchange:
    """One AUTH command from its first to its last line. A Reply as outcome is a refusal."""

    __slots__ = ("_script", "mechanism")

    def __init__(self, mechanism: str) -> None:
        self.mechanism = mechanism
        self._script: _Exchange = _plain() if mechanism == "PLAIN" else _login()

    def begin(self, initial: bytes) -> Outcome:
        """`initial` is the rest of the AUTH line: b"" without an initial response, b"=" for an empty one."""
        challenge = next(self._script)
        if not initial:
            return _challenge(challenge)
        return self._go_on(b"" if initial == b"=" else initial)

    def answer(self, line: bytes) -> Outcome:
        if line == b"*":  # RFC 4954 4
            return replies.CANCELLED
        return self._go_on(line)

    def _go_on(self, encoded: bytes) -> Outcome:
        try:
            decoded = binascii.a2b_base64(encoded, strict_mode=True)
        except binascii.Error:
            return replies.BASE64
        if len(encoded) % 4:  # Python forgives one padding character too many
            return replies.BASE64
        try:
            return _challenge(self._script.send(decoded))
        except StopIteration as end:
            credentials: Credentials | None = end.value
            return credentials or replies.MALFORMED


def _challenge(text: bytes) -> Challenge:
    return Challenge(binascii.b2a_base64(text, newline=False).decode("ascii"))


def _plain() -> _Exchange:
    message = yield b""
    if message.count(b"\0") != 2:
        return None
    authorization, identity, password = message.split(b"\0")
    return _credentials(identity, authorization, password)


def _login() -> _Exchange:
    """Never standardized (draft-murchison-sasl-login); old clients look for exactly these two questions."""
    identity = yield b"Username:"
    password = yield b"Password:"
    return _credentials(identity, b"", password)


def _credentials(identity: bytes, authorization: bytes, password: bytes) -> Credentials | None:
    if not identity or not password or b"\0" in password or len(password) > PASSWORD_OCTETS:
        return None
    name, other = _identity(identity), _identity(authorization)
    if name is None or other is None or not _is_utf8(password):
        return None
    return Credentials(name, other, Secret(password))


def _identity(raw: bytes) -> str | None:
    """The name as text, or None if it is too long, not UTF-8, or holds characters that cannot be seen."""
    if len(raw) > IDENTITY_OCTETS:
        return None
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    if any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") for char in text):
        return None
    return text


def _is_utf8(password: bytes) -> bool:
    try:
        password.decode()
    except UnicodeDecodeError:
        return False
    return True
