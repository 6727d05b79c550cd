"""ARC: every case of ValiMail's suite; what we seal verifies, for dkimpy too; a broken chain stays so."""

import asyncio
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from test_dkim import LETTER, NOW_S, RSA, altered, dkimpy, zone
from zone import Zone

from sekisho.mail import arc, dkim
from sekisho.mail.arc import Arc
from sekisho.mail.arc_seal import message_signature, next_link, results_field, seal
from sekisho.mail.canon import body_hash
from sekisho.mail.dkim_key import PREHASHED
from sekisho.mail.dkim_sign import Signer, Unsigned, finished
from sekisho.mail.headers import Head, fields_of, head_of
from shared import shared

yaml = pytest.importorskip("yaml")
SIGNER = Signer("example.com", "rsa", "rsa-sha256")


def checked(text: bytes, at: Zone | None = None) -> Arc:
    head = head_of(text) or Head(fields_of(text), len(text))
    letter = dkim.opened(text[: head.size], head, text[head.size :])
    return asyncio.run(arc.check(letter, at or zone()))


def wire(text: str) -> bytes:
    return text.encode().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def test_the_whole_suite_passes() -> None:
    """171 cases of chains and their structure."""
    path = shared("corpora/arc_valimail/tests/arc-draft-validation-tests.yml")
    wrong, count = {}, 0
    for scenario in filter(None, yaml.safe_load_all(path.read_text(encoding="utf-8"))):
        records = {name: [{"TXT": text}] for name, text in scenario["txt-records"].items()}
        for title, test in scenario["tests"].items():
            count += 1
            found = checked(wire(test["message"] or ""), Zone(records))
            wanted = "none" if test["cv"] is None else (test["cv"] or "fail").lower()
            if found.result != wanted:
                wrong[title] = f"{found.result} ({found.why}), not {test['cv']}"
    assert ({}, 171) == (wrong, count)


def signed(field: Unsigned) -> bytes:
    return finished(field, RSA.sign(field.digest, PKCS1v15(), PREHASHED))


def sealed(text: bytes, claim: str = "", at: Zone | None = None) -> bytes:
    """With one more set, which says what the chain before it is."""
    head = head_of(text)
    assert head is not None
    link = next_link(head.fields, claim or checked(text, at).result)
    if link is None:
        return text
    results = results_field(link, "mx.example.com; spf=pass smtp.mailfrom=example.net; arc=none")
    hashed = body_hash(text[head.size :], b"relaxed")
    message = signed(message_signature(SIGNER, link, head.fields, hashed, NOW_S))
    return signed(seal(SIGNER, link, results, message, NOW_S)) + message + results + text


def theirs(text: bytes) -> Any:
    def lookup(name: bytes, timeout: int = 5) -> bytes | None:
        found = asyncio.run(zone().texts(name.decode().rstrip(".")))
        return found[0] if found else None

    return dkimpy().ARC(text).verify(dnsfunc=lookup)[0]


def test_what_we_seal_is_a_chain() -> None:
    """Three of our sets, one upon the other; a list may change fields that no set signs; dkimpy agrees."""
    text = LETTER
    for number in range(1, 4):
        text = altered(sealed(text), b"ARC-Seal:", b"Received: by hop; x\r\nARC-Seal:")
        assert Arc("pass", number, "", ("example.com",) * number) == checked(text)
        assert theirs(text) == b"pass"
    for old, new in (
        (b"lost", b"won"),
        (b"spf=pass", b"spf=fail"),
        (b"From: Joe", b"From: Eve"),
        (b"cv=pass", b"cv=none"),
    ):
        assert "fail" == checked(altered(text, old, new)).result


def test_a_changed_body_is_the_next_sets_affair() -> None:
    """A list that adds a footer breaks the signature of the set before it, and seals anew: only the
    newest message signature has to hold (RFC 8617 5.2)."""
    first = sealed(LETTER)
    text = sealed(first + b"-- \r\nthe list\r\n", claim="pass")
    assert ("pass", 2) == (checked(text).result, checked(text).sets)


def test_a_broken_chain_stays_broken() -> None:
    """Its end is sealed once, as fail, and no set follows that."""
    broken = altered(sealed(LETTER), b"lost", b"won")
    text = sealed(broken)
    assert b"cv=fail" in text
    assert ("fail", "i=2 seal: cv=fail") == (checked(text).result, checked(text).why)
    assert text == sealed(text, claim="fail")


def test_keys_are_asked_for_once_and_silence_is_no_failure() -> None:
    """A chain of fifty with one key is one question; one more set is no chain any more."""
    text = LETTER
    for _ in range(50):
        text = sealed(text, claim="pass" if b"ARC-Seal" in text else "none")
    at = zone()
    assert ("pass", 50) == (checked(text, at).result, checked(text, at).sets)
    assert 2 == len(at.asked)
    assert text == sealed(text, claim="pass")
    late = Zone({"rsa._domainkey.example.com": ["TIMEOUT"]})
    assert "temperror" == checked(sealed(LETTER), late).result
