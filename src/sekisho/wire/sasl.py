"""The server's side of AUTH: PLAIN (RFC 4616), LOGIN and, in files of their own, SCRAM and tokens; in the
base64 clothes of RFC 4954.

A password leaves this file inside a `Secret` only. What is malformed is refused, with no word on where.
"""

import binascii
from collections.abc import Generator

from msgspec import Struct

from sekisho.model.secret import Secret
from sekisho.model.verdict import Reply
from sekisho.wire import bearer, replies, scram
from sekisho.wire.sasl_names import IDENTITY_OCTETS, identity_of
from sekisho.wire.steps import Token

__all__ = ["BY_TOKEN", "IDENTITY_OCTETS", "MECHANISMS", "Challenge", "Credentials", "Exchange", "Outcome"]

PASSWORD_OCTETS = 1024  # longer than any password manager makes them, short enough to hash
MECHANISMS = ("PLAIN", "LOGIN", scram.NAME)
BY_TOKEN = (bearer.OAUTHBEARER, bearer.XOAUTH2)
"""Where an identity provider is known."""



class Credentials(Struct, frozen=True):
    """`authorization` is "" or whom the client wants to act as (RFC 4616 2)."""

    identity: str
    authorization: str
    password: Secret


class Challenge(Struct, frozen=True):
    """The base64 text of a 334 reply."""

    text: str


Question = scram.Question | Token
Outcome = Challenge | Credentials | Question | Reply
_Exchange = Generator[bytes | Question, bytes, Credentials | Reply | None]


class Exchange:
    """One AUTH command from its first to its last line. A Reply as outcome is a refusal; a question is for
    whoever knows passwords, and the text of the 334 that answers it goes to `told`.
    """

    __slots__ = ("_script", "mechanism")

    def __init__(self, mechanism: str, fingerprint: str = "") -> None:
        self.mechanism = mechanism
        self._script = _script(mechanism, fingerprint)

    def begin(self, initial: bytes) -> Outcome:
        """`initial` is the rest of the AUTH line: b"" without an initial response, b"=" for an empty one."""
        challenge = next(self._script)
        if not initial:
            return _outcome(challenge)
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
        return self._send(decoded)

    def told(self, text: str) -> Outcome:
        return self._send(text.encode("ascii"))

    def _send(self, data: bytes) -> Outcome:
        try:
            return _outcome(self._script.send(data))
        except StopIteration as end:
            result: Credentials | Reply | None = end.value
            return result or replies.MALFORMED


def _script(mechanism: str, fingerprint: str) -> _Exchange:
    match mechanism:
        case "PLAIN":
            return _plain()
        case "LOGIN":
            return _login()
        case scram.NAME:
            return scram.script(fingerprint)
    return bearer.script(mechanism, fingerprint)


def _outcome(said: bytes | Question) -> Challenge | Question:
    if isinstance(said, bytes):
        return Challenge(binascii.b2a_base64(said, newline=False).decode("ascii"))
    return said


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
    name, other = identity_of(identity), identity_of(authorization)
    if name is None or other is None or not _is_utf8(password):
        return None
    return Credentials(name, other, Secret(password))


def _is_utf8(password: bytes) -> bool:
    try:
        password.decode()
    except UnicodeDecodeError:
        return False
    return True
