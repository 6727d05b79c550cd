"""Signed tokens (JWS, RFC 7515; JWT, RFC 7519) and the keys that sign them (JWK, RFC 7517), read strictly.

Three algorithms are known, each for one kind of key: never "none", never a secret where a public key is
meant. No key is ever fetched from where a token says.
"""

import binascii
from base64 import urlsafe_b64decode
from string import ascii_letters, digits

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from msgspec import Struct

TOKEN_OCTETS = 8192
KEYS_MAX = 50
RSA_BITS_MIN, RSA_BITS_MAX = 2048, 8192  # RFC 7518 3.3; above it a signature costs us too much
LEEWAY_S = 60
_LETTERS = (ascii_letters + digits + "-_").encode()

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | Ed25519PublicKey


class Head(Struct, frozen=True):
    alg: str
    kid: str = ""
    crit: tuple[str, ...] = ()


class Claims(Struct, frozen=True):
    """Those that decide whether a token counts. Seconds since the epoch."""

    exp: float = 0
    nbf: float = 0
    iss: str = ""
    aud: str | tuple[str, ...] = ()
    scope: str = ""
    active: bool = False


class Jws(Struct, frozen=True):
    head: Head
    payload: bytes
    signed: bytes
    signature: bytes


class Key(Struct, frozen=True):
    kid: str
    alg: str
    key: PublicKey


class _Jwk(Struct):
    kty: str = ""
    kid: str = ""
    use: str = ""
    alg: str = ""
    crv: str = ""
    n: str = ""
    e: str = ""
    x: str = ""
    y: str = ""


class _Jwks(Struct):
    keys: list[_Jwk]


def parse_jws(token: bytes) -> Jws | None:
    """None for what is none, or wants something of us that we do not know (`crit`)."""
    parts = token.split(b".")
    if len(parts) != 3 or len(token) > TOKEN_OCTETS:
        return None
    head, payload, signature = (_decoded(part) for part in parts)
    if not head or not payload or not signature:
        return None
    try:
        known = msgspec.json.decode(head, type=Head)
    except (msgspec.DecodeError, RecursionError):
        return None
    return None if known.crit else Jws(known, payload, token.rpartition(b".")[0], signature)


def read_keys(jwks: bytes) -> tuple[Key, ...] | None:
    """The keys that we can use; None for what is no set of keys."""
    try:
        found = msgspec.json.decode(jwks, type=_Jwks).keys[:KEYS_MAX]
    except (msgspec.DecodeError, RecursionError):
        return None
    keys = (_key(jwk) for jwk in found if jwk.use in ("", "sig"))
    return tuple(key for key in keys if key is not None)


def is_signed_by(jws: Jws, keys: tuple[Key, ...]) -> bool:
    """The key decides what its signature looks like, not the token."""
    named = [key for key in keys if key.alg == jws.head.alg and (not jws.head.kid or key.kid == jws.head.kid)]
    return any(_verifies(key.key, jws) for key in named)


def read_claims(payload: bytes) -> tuple[Claims, dict[str, object]] | None:
    try:
        return msgspec.json.decode(payload, type=Claims), msgspec.json.decode(payload, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError):
        return None


def holds(claims: Claims, now_s: float, issuer: str, audience: str, scope: str) -> bool:
    """RFC 7519 4.1: from whom, for whom, and when; "" is not asked. A token that never ends is none."""
    if not claims.exp or now_s >= claims.exp + LEEWAY_S or now_s < claims.nbf - LEEWAY_S:
        return False
    for_whom = (claims.aud,) if isinstance(claims.aud, str) else claims.aud
    if (issuer and claims.iss != issuer) or (audience and audience not in for_whom):
        return False
    return not scope or scope in claims.scope.split(" ")


def _verifies(key: PublicKey, jws: Jws) -> bool:
    try:
        match key:
            case rsa.RSAPublicKey():
                key.verify(jws.signature, jws.signed, padding.PKCS1v15(), SHA256())
            case Ed25519PublicKey():
                key.verify(jws.signature, jws.signed)
            case _:
                if len(jws.signature) != 64:
                    return False
                r, s = (int.from_bytes(half) for half in (jws.signature[:32], jws.signature[32:]))
                key.verify(encode_dss_signature(r, s), jws.signed, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _key(jwk: _Jwk) -> Key | None:
    try:
        match jwk.kty, jwk.crv:
            case "RSA", _:
                key: PublicKey = rsa.RSAPublicNumbers(_number(jwk.e), _number(jwk.n)).public_key()
                usable = RSA_BITS_MIN <= _number(jwk.n).bit_length() <= RSA_BITS_MAX
                return Key(jwk.kid, "RS256", key) if usable and jwk.alg in ("", "RS256") else None
            case "EC", "P-256":
                numbers = ec.EllipticCurvePublicNumbers(_number(jwk.x), _number(jwk.y), ec.SECP256R1())
                return Key(jwk.kid, "ES256", numbers.public_key())
            case "OKP", "Ed25519":
                raw = _decoded(jwk.x.encode("ascii")) or b""
                return Key(jwk.kid, "EdDSA", Ed25519PublicKey.from_public_bytes(raw))
    except (ValueError, UnicodeEncodeError):
        return None
    return None


def _number(text: str) -> int:
    data = _decoded(text.encode("ascii"))
    if not data or len(data) > RSA_BITS_MAX // 8:
        raise ValueError("no number")
    return int.from_bytes(data)


def _decoded(part: bytes) -> bytes | None:
    """RFC 7515 2: base64url without padding."""
    if part.translate(None, _LETTERS):
        return None
    try:
        return urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except binascii.Error:
        return None
