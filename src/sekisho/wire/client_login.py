"""How a client proves itself to a server: SCRAM-SHA-256, PLAIN or LOGIN (RFC 7677, 4616, 4954).

One object a login. The best mechanism that the server offers is taken; with SCRAM the password never leaves,
and the server has to prove that it knows it too.
"""

import binascii
import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from sekisho.model.secret import Secret
from sekisho.wire.client_steps import Derive

ROUNDS_MIN, ROUNDS_MAX = 4096, 2_000_000
"""RFC 7677 4 asks for 4096; a server that wants millions wants our time."""

HEADER = b"n,,"
"""RFC 5802 7: no channel binding, no other identity."""


class BadLogin(Exception):
    """The server's part of the exchange is none; `why` in a few words of English."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Login(Protocol):
    @property
    def proven(self) -> bool:
        """Whether the server's yes may be believed."""

    def opening(self) -> str:
        """The AUTH command."""

    def answer(self, challenge: bytes) -> bytes | Derive:
        """Raises BadLogin."""

    def final(self, key: bytes) -> bytes:
        """After a Derive: what to send."""


def login_for(mechanisms: Sequence[str], user: str, password: Secret | None, nonce: str) -> Login | None:
    """None when the server offers nothing that we know."""
    secret = password or Secret(b"")
    if "SCRAM-SHA-256" in mechanisms and nonce:
        return Scram(user, secret, nonce)
    if "PLAIN" in mechanisms:
        return Plain(user, secret)
    return Ask(user, secret) if "LOGIN" in mechanisms else None


class Plain:
    proven = True

    def __init__(self, user: str, password: Secret) -> None:
        self._user = user.encode()
        self._password = password

    def opening(self) -> str:
        return "AUTH PLAIN " + b64encode(self._proof()).decode("ascii")

    def _proof(self) -> bytes:
        return b"\0" + self._user + b"\0" + self._password.reveal()

    def answer(self, challenge: bytes) -> bytes | Derive:
        """Servers that overlook the initial response ask for it."""
        if challenge:
            raise BadLogin("a challenge where there is none")
        return self._proof()

    def final(self, key: bytes) -> bytes:
        raise AssertionError(key)


class Ask:
    """AUTH LOGIN: the server asks for the user's name, then for the password, in words of its own."""

    proven = True

    def __init__(self, user: str, password: Secret) -> None:
        self._answers: list[bytes | Secret] = [user.encode(), password]

    def opening(self) -> str:
        return "AUTH LOGIN"

    def answer(self, challenge: bytes) -> bytes | Derive:
        if not self._answers:
            raise BadLogin("a third question")
        answer = self._answers.pop(0)
        return answer.reveal() if isinstance(answer, Secret) else answer

    def final(self, key: bytes) -> bytes:
        raise AssertionError(key)


class Scram:
    """RFC 5802 with SHA-256."""

    def __init__(self, user: str, password: Secret, nonce: str) -> None:
        self.proven = False
        self._password = password
        self._nonce = nonce
        name = user.replace("=", "=3D").replace(",", "=2C")
        self._bare = f"n={name},r={nonce}".encode()
        self._said = b""
        self._without_proof = b""
        self._signature = b""

    def opening(self) -> str:
        return "AUTH SCRAM-SHA-256 " + b64encode(HEADER + self._bare).decode("ascii")

    def answer(self, challenge: bytes) -> bytes | Derive:
        if self._signature:
            return self._check(challenge)
        fields = _fields(challenge)
        nonce, rounds = fields.get("r", ""), fields.get("i", "")
        if not nonce.startswith(self._nonce) or len(nonce) == len(self._nonce):
            raise BadLogin("a nonce that is not ours")
        if not (rounds.isascii() and rounds.isdigit() and ROUNDS_MIN <= int(rounds[:9]) <= ROUNDS_MAX):
            raise BadLogin(f"not between {ROUNDS_MIN} and {ROUNDS_MAX} rounds")
        salt = _decoded(fields.get("s", ""))
        self._said = challenge
        self._without_proof = b"c=" + b64encode(HEADER) + b",r=" + nonce.encode()
        return Derive(partial(hashlib.pbkdf2_hmac, "sha256", self._password.reveal(), salt, int(rounds)))

    def final(self, key: bytes) -> bytes:
        message = b",".join((self._bare, self._said, self._without_proof))
        client = _mac(key, b"Client Key")
        proof = bytes(a ^ b for a, b in zip(client, _mac(_hash(client), message), strict=True))
        self._signature = _mac(_mac(key, b"Server Key"), message)
        return self._without_proof + b",p=" + b64encode(proof)

    def _check(self, challenge: bytes) -> bytes:
        signature = _decoded(_fields(challenge).get("v", ""))
        self.proven = hmac.compare_digest(signature, self._signature)
        if not self.proven:
            raise BadLogin("the server does not know the password")
        return b""


def decoded(line: bytes) -> bytes:
    """A challenge as it stands behind 334. Raises BadLogin."""
    return _decoded(line.strip().decode("ascii", "replace"))


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadLogin("not Base64") from error


def _fields(message: bytes) -> dict[str, str]:
    pairs = (field.partition("=") for field in message.decode("utf-8", "replace").split(","))
    return {name: value for name, _, value in pairs}


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
