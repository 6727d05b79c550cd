"""Keys of example.com, and letters signed with them, for the tests of mail authentication."""

import base64
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from sekisho.mail.canon import body_hash
from sekisho.mail.dkim_key import PREHASHED
from sekisho.mail.dkim_sign import Signer, finished, prepared
from sekisho.mail.headers import head_of

NOW_S = 1_700_000_000
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ED = ed25519.Ed25519PrivateKey.generate()


def public(key: Any) -> str:
    form = serialization.PublicFormat
    if isinstance(key, ed25519.Ed25519PrivateKey):
        raw = key.public_key().public_bytes(serialization.Encoding.Raw, form.Raw)
        return f"v=DKIM1; k=ed25519; p={base64.b64encode(raw).decode()}"
    der = key.public_key().public_bytes(serialization.Encoding.DER, form.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"


def sign(text: bytes, selector: str = "rsa", at_s: int = NOW_S, domain: str = "example.com") -> bytes:
    head = head_of(text)
    assert head is not None
    algorithm = "ed25519-sha256" if selector == "ed" else "rsa-sha256"
    hashed = body_hash(text[head.size :], b"relaxed")
    field = prepared(Signer(domain, selector, algorithm), head.fields, hashed, at_s)
    signature = ED.sign(field.digest) if selector == "ed" else RSA.sign(field.digest, PKCS1v15(), PREHASHED)
    return finished(field, signature) + text
