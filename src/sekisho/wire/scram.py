"""The server's side of AUTH SCRAM-SHA-256 (RFC 5802, 7677): the messages, without keys and without chance.

The password never comes here, and neither does what it is checked against: salt and verdict are the vault's.
SCRAM-SHA-256-PLUS is not offered (RFC 5802 6: not followed), since Python's ssl cannot export the keying
material of a TLS 1.3 session (RFC 9266), and the older bindings are not safe (RFC 7627 1).
"""

import re
from base64 import b64encode
from collections.abc import Generator

from sekisho.wire.sasl_names import identity_of
from sekisho.wire.steps import ScramBegun, ScramDone, ScramProof

NAME = "SCRAM-SHA-256"
NONCE_OCTETS = 256  # a client's; those of real programs have 18 to 64
PROOF_OCTETS = 32

Question = ScramBegun | ScramProof | ScramDone
Script = Generator[bytes | Question, bytes, None]

# RFC 5802 7, and gsasl's empty "a=". What was never offered (p=...) and what must be understood and is not
# (m=...) match nothing.
_FIRST = re.compile(
    rb"([ny],(?:a=([^,\0]*+))?,)(n=([^,\0]++),r=([!-+\--~]{1,256}+)(?:,[A-Za-ln-z]=[^,\0]++)*+)"
)
_FINAL = re.compile(
    rb"(c=([A-Za-z0-9+/=]++),r=([!-+\--~]++)(?:,[A-Za-oq-z]=[^,\0]++)*+),p=([A-Za-z0-9+/]{43}=)"
)
_ESCAPE = re.compile(rb"=(?!2C|3D)")


def script(fingerprint: str) -> Script:
    """One exchange: challenges go out, questions get the text of their answer; it ends where it is
    malformed.
    """
    first = _FIRST.fullmatch((yield b""))
    if first is None:
        return
    header, other, bare, name, nonce = first.groups()
    identity, authorization = _name(name), _name(other or b"")
    if not identity or authorization is None:
        return
    said = yield ScramBegun(identity, authorization, nonce.decode("ascii"), fingerprint)
    final = _FINAL.fullmatch((yield said))
    if final is None or final[2] != b64encode(header) or final[3] != _nonce_of(said):
        return
    message = b",".join((bare, said, final[1]))
    proven = yield ScramProof(identity, authorization, message, final[4].decode("ascii"), fingerprint)
    if (yield proven) == b"":  # RFC 4954 4: success with data is a challenge, and its answer is empty
        yield ScramDone()


def server_first(client_nonce: str, own_nonce: str, salt: bytes, rounds: int) -> str:
    """What the server says first: the nonce made longer, the salt and the number of rounds."""
    return f"r={client_nonce}{own_nonce},s={b64encode(salt).decode('ascii')},i={rounds}"


def server_final(signature: bytes) -> str:
    """By which the client sees that the server knows the keys."""
    return f"v={b64encode(signature).decode('ascii')}"


def _nonce_of(said: bytes) -> bytes:
    return said[2:].partition(b",")[0]


def _name(raw: bytes) -> str | None:
    """A saslname: "," and "=" stand in it as =2C and =3D, and nothing else does."""
    if _ESCAPE.search(raw):
        return None
    return identity_of(raw.replace(b"=2C", b",").replace(b"=3D", b"="))
