"""Signed tokens: three algorithms with their own keys, and nothing else, however it calls itself."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from sekisho.wire.jws import Claims, holds, is_signed_by, parse_jws, read_claims, read_keys

RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


def plain(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    return plain(value.to_bytes((value.bit_length() + 7) // 8))


def jwks(**more: object) -> bytes:
    """One key of each kind."""
    rsa_numbers, ec_numbers = RSA.public_key().public_numbers(), EC.public_key().public_numbers()
    raw = ED.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    keys = [
        {"kty": "RSA", "kid": "r", "use": "sig", "n": number(rsa_numbers.n), "e": number(rsa_numbers.e)},
        {"kty": "EC", "kid": "e", "crv": "P-256", "x": plain(ec_numbers.x.to_bytes(32)),
         "y": plain(ec_numbers.y.to_bytes(32))},
        {"kty": "OKP", "kid": "d", "crv": "Ed25519", "x": plain(raw), "alg": "EdDSA"},
    ]  # fmt: skip
    return json.dumps({"keys": [{**key, **more} for key in keys]}).encode()


def token(alg: str, claims: dict[str, object], kid: str | None = None, **head: object) -> bytes:
    kids = {"RS256": "r", "ES256": "e", "EdDSA": "d"}
    known = {"alg": alg, "kid": kids.get(alg, "r") if kid is None else kid, **head}
    signed = f"{plain(json.dumps(known).encode())}.{plain(json.dumps(claims).encode())}".encode()
    return signed + b"." + plain(signature(alg, signed)).encode()


def signature(alg: str, signed: bytes) -> bytes:
    match alg:
        case "RS256":
            return RSA.sign(signed, padding.PKCS1v15(), SHA256())
        case "ES256":
            r, s = decode_dss_signature(EC.sign(signed, ec.ECDSA(SHA256())))
            return r.to_bytes(32) + s.to_bytes(32)
        case "EdDSA":
            return ED.sign(signed)
    return b"x"


def counts(raw: bytes, keys: bytes | None = None) -> bool:
    jws, known = parse_jws(raw), read_keys(keys or jwks())
    assert known is not None
    return jws is not None and is_signed_by(jws, known)


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_each_algorithm_with_its_own_key(alg: str) -> None:
    """Named or not; one octet more or less, another claim, another key: none."""
    raw = token(alg, {"email": "a@example.com"})
    assert counts(raw) and counts(token(alg, {}, kid=""))
    head, _, mark = raw.split(b".")
    assert not counts(b".".join((head, plain(b'{"email":"b@example.com"}').encode(), mark)))
    assert not counts(raw[:-4]) and not counts(raw + b"AAAA")
    for kid in "red".replace({"RS256": "r", "ES256": "e", "EdDSA": "d"}[alg], ""):
        assert not counts(token(alg, {}, kid=kid))


def test_none_and_secrets_are_no_algorithms() -> None:
    """"none" in any letters, without a signature or with one; HS256 made with our public key."""
    for alg in ("none", "None", "NONE", ""):
        raw = token(alg, {"email": "a@example.com"})
        assert not counts(raw) and not counts(raw.rpartition(b".")[0] + b".")
        for kid in ("r", "e", "d", ""):
            assert not counts(token(alg, {}, kid=kid))
    head, claims = plain(json.dumps({"alg": "HS256", "kid": "r"}).encode()), plain(b"{}")
    signed = f"{head}.{claims}".encode()
    for secret in (jwks(), RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)):
        forged = signed + b"." + plain(hmac.digest(secret, signed, hashlib.sha256)).encode()
        assert not counts(forged)


def test_an_algorithm_is_not_another_keys() -> None:
    """A token that says RS256 is not checked with the key of a curve, nor the reverse."""
    for alg in ("RS256", "ES256", "EdDSA"):
        jws = parse_jws(token(alg, {}, kid=""))
        assert jws is not None
        for other in {"RS256", "ES256", "EdDSA"} - {alg}:
            changed = type(jws)(type(jws.head)(other), jws.payload, jws.signed, jws.signature)
            assert not is_signed_by(changed, read_keys(jwks()) or ())


@pytest.mark.parametrize(
    "raw",
    [
        b"", b".", b"..", b"a.b", b"a.b.c.d", b"e30.e30.", b"e30..e30", b"!.e30.e30", b"e30=.e30.e30",
        b"e30.e30.e30",
        token("RS256", {}, crit=["exp"]), b"x" * 9000, plain(b"[]").encode() + b".e30.e30",
        plain(b'{"alg":7}').encode() + b".e30.e30", plain(b"[" * 4000).encode() + b".e30.e30",
    ],
    ids=lambda raw: repr(raw[:30]),
)  # fmt: skip
def test_what_is_no_token(raw: bytes) -> None:
    """Parts, letters, lengths, heads; and one that wants us to understand more (RFC 7515 4.1.11)."""
    assert parse_jws(raw) is None


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"keys":{}}', b"<html>", b"[" * 10_000])
def test_what_is_no_set_of_keys(answer: bytes) -> None:
    """None, and no exception."""
    assert read_keys(answer) is None


def test_keys_that_cannot_be_used_are_left_out() -> None:
    """Too short, for encryption, off the curve, of another kind, broken; and no more than fifty are read."""
    short = rsa.generate_private_key(65537, 1024).public_key().public_numbers()
    odd = [
        {"kty": "RSA", "n": number(short.n), "e": number(short.e)},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "RSA", "n": "A" * 5000, "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"},
        {"kty": "EC", "crv": "P-384", "x": "AQ", "y": "AQ"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AQ"},
        {"kty": "OKP", "crv": "Ed25519", "x": "\u00e9"},
        {"kty": "oct", "k": "AQAB"},
    ]
    assert () == read_keys(json.dumps({"keys": odd}).encode())
    assert () == read_keys(jwks(use="enc"))
    assert 50 == len(read_keys(json.dumps({"keys": json.loads(jwks())["keys"] * 30}).encode()) or ())


def test_claims_hold_for_a_time_an_issuer_and_an_audience() -> None:
    """RFC 7519 4.1; a minute of leeway; without an end none."""
    good = Claims(exp=1000, nbf=100, iss="https://i", aud=("x", "mail"), scope="openid mail")
    asked = ("https://i", "mail", "mail")
    assert holds(good, 500, *asked) and holds(good, 1059, *asked) and holds(good, 41, *asked)
    assert not holds(good, 1061, *asked) and not holds(good, 39, *asked)
    others = (("https://j", "mail", "mail"), ("https://i", "web", "mail"), ("https://i", "mail", "openi"))
    for other in others:
        assert not holds(good, 500, *other)
    assert not holds(Claims(iss="https://i", aud="mail", scope="mail"), 500, *asked)
    assert holds(Claims(exp=1000, aud="mail"), 500, "", "mail", "")
    assert not holds(Claims(exp=1000), 500, "", "mail", "")


@given(st.binary(max_size=200))
def test_garbage_is_no_claim(payload: bytes) -> None:
    """Never an exception."""
    read_claims(payload)
    read_keys(payload)
    parse_jws(payload)
