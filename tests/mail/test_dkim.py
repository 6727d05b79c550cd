"""DKIM: the shared messages, dkimpy as a second opinion in both directions, and what must not pass."""

import asyncio
import base64
import itertools
import time
import tracemalloc
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zone import Zone

from sekisho.mail import dkim
from sekisho.mail.canon import BodyHash, body_hash, unstuffed
from sekisho.mail.dkim import Dkim
from sekisho.mail.dkim_field import signed_fields
from sekisho.mail.dkim_key import PREHASHED, Key, NoKey, key_of
from sekisho.mail.dkim_sign import finished, unsigned
from sekisho.mail.headers import Head, fields_of, head_of
from shared import shared
from signing import ED, RSA, public, sign

NOW_S = 1_700_000_000
LETTER = (
    b"Received: from a by b; x\r\nFrom: Joe <joe@example.com>\r\nTo: sue@example.net\r\n"
    b"Subject: Is dinner\r\n ready?\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700\r\n"
    b"Message-ID: <1@example.com>\r\n\r\nHi.\r\n\r\n"
    b"We lost  the game.\t \r\n..\r\n\r\n\r\n"
)
FOOTBALL = (
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi"
    "0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G"
    "+2kryOTIKT+l/K4w3QIDAQAB"
)
SHARED_KEYS = {
    "test._domainkey.football.example.com": f"v=DKIM1; k=rsa; p={FOOTBALL}",
    "brisbane._domainkey.football.example.com": (
        "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="  # RFC 8463 A.2
    ),
    "sed._domainkey.test.ex": "k=ed25519; p=yi50DjK5O9pqbFpNHklsv9lqaS0ArSYu02qp1S0DW1Y=",
}


def zone(**records: str) -> Zone:
    known = {"rsa": public(RSA), "ed": public(ED), **records}
    return Zone(
        {
            **{f"{selector}._domainkey.example.com": [{"TXT": text}] for selector, text in known.items()},
            **{name: [{"TXT": text}] for name, text in SHARED_KEYS.items()},
            "late._domainkey.example.com": ["TIMEOUT"],
        }
    )


def checked(text: bytes, at: Zone | None = None, now_s: int = NOW_S) -> tuple[Dkim, ...]:
    head = head_of(text) or Head(fields_of(text), len(text))
    letter = dkim.opened(text[: head.size], head, text[head.size :])
    return asyncio.run(dkim.check(letter, at or zone(), now_s))


def results(text: bytes, **known: Any) -> list[str]:
    return [each.result for each in checked(text, **known)]


def altered(text: bytes, old: bytes, new: bytes) -> bytes:
    assert old in text
    return text.replace(old, new, 1)


def wire(name: str) -> bytes:
    text = shared(f"corpora/dkim_dkimpy/data/{name}").read_bytes()
    return text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("rfc6376.signed.msg", ["pass", "pass"]),
        ("rfc6376.signed.rsa.msg", ["pass"]),
        ("rfc6376.msg", []),
        ("rfc6376.signed.no_t.msg", ["fail"]),
        ("test.message.baddomain", ["permerror"]),
        ("test_nofrom.message", []),
    ],
)
def test_shared_messages(name: str, wanted: list[str]) -> None:
    """The example of RFC 8463 A with both signatures, and messages that are not signed or not rightly."""
    assert wanted == results(wire(name))


def test_shared_keys() -> None:
    """Bare RSA keys and those with the usual wrapping are the same key; broken records have a reason."""
    for bits in (1024, 2048):
        keys = []
        for name in (f"{bits}_testkey_wo_markers.pub.txt", f"{bits}_testkey_wo_markers.pub.rsa.txt"):
            keys.append(key_of(shared(f"corpora/dkim_dkimpy/data/{name}").read_bytes().strip()))
        assert all(isinstance(key, Key) and key.bits == bits for key in keys)
        assert keys[0].public == keys[1].public  # type: ignore[union-attr]
    for name in ("badk.txt", "badversion.txt"):
        record = shared(f"corpora/dkim_dkimpy/data/{name}").read_bytes().strip()
        assert isinstance(key_of(record), NoKey)


@pytest.mark.parametrize("selector", ["rsa", "ed"])
def test_what_we_sign_verifies_until_it_is_changed(selector: str) -> None:
    """Folding and trailing blanks may change on the way; a word, a field, a second Subject may not."""
    signed = sign(LETTER, selector)
    (found,) = checked(signed)
    assert ("pass", "example.com", selector) == (found.result, found.domain, found.selector)
    assert ["pass"] == results(altered(signed, b"Is dinner\r\n ready?", b"Is   dinner ready? "))
    assert ["pass"] == results(altered(signed, b"\r\n\r\nHi.", b"\r\nX-New: yes\r\n\r\nHi.  "))
    assert ["pass"] == results(signed + b"\r\n\r\n")
    assert ["fail"] == results(altered(signed, b"lost", b"won"))
    for field in (b"Subject: no", b"From: eve@example.com", b"Reply-To: eve@example.org", b"To: x@y.example"):
        assert ["fail"] == results(field + b"\r\n" + signed)
        assert ["fail"] == results(altered(signed, b"\r\n\r\nHi.", b"\r\n" + field + b"\r\n\r\nHi."))


def dkimpy() -> Any:
    return pytest.importorskip("dkim")


def theirs(text: bytes, at: Zone) -> bool:
    def lookup(name: bytes, timeout: int = 5) -> bytes | None:
        found = asyncio.run(at.texts(name.decode().rstrip(".")))
        return found[0] if found else None

    return bool(dkimpy().DKIM(text).verify(dnsfunc=lookup))


FIELDS = st.sampled_from(
    [
        b"Subject: x",
        b"SUBJECT:  a \t b  ",
        b"Subject:\r\n folded\r\n\t more ",
        b"X-A:",
        b"To: b@example.net",
        b"From: a@example.com",
        b"subject:x:y",
        b"Date: now",
    ]
)
BODIES = st.lists(
    st.sampled_from(
        [b"", b" ", b"\t \t", b"a", b"two  words ", b" lead", b"tab\ttab\t", b".", b"..x", b"\r\n"]
    ),
    max_size=8,
).map(lambda lines: b"".join(line + b"\r\n" for line in lines))
FORMS = st.sampled_from([b"relaxed", b"simple"])
PEM = RSA.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(FIELDS, max_size=6), BODIES, FORMS, FORMS)
def test_dkimpy_and_we_verify_each_other(
    fields: list[bytes], body: bytes, head_form: bytes, body_form: bytes
) -> None:
    """Heads and bodies made by chance, all four pairs of forms."""
    text = b"\r\n".join([b"From: a@example.com", *fields]) + b"\r\n\r\n" + body
    if text.count(b"From:") == 1:
        names = [field.partition(b":")[0].strip().lower() for field in fields]
        field = dkimpy().sign(
            text,
            b"rsa",
            b"example.com",
            PEM,
            canonicalize=(head_form, body_form),
            include_headers=[b"from", *names],
        )
        found = checked(field + text, now_s=1_900_000_000)[0]
        assert found.result == "pass" or "second" in found.why
        assert theirs(sign(text), zone())
    signed = sign(text)
    assert theirs(signed, zone()) == (results(signed) == ["pass"])


LETTERS = bytes.maketrans(b"abcdefgh", b"\r\n \t.\r\n ")


@given(
    st.binary(max_size=60).map(lambda data: data.translate(LETTERS)),
    st.lists(st.integers(0, 60), max_size=6),
    st.sampled_from([None, 0, 1, 7, 30]),
)
def test_how_a_body_is_cut_does_not_matter(body: bytes, cuts: list[int], limit: int | None) -> None:
    """Both forms, with and without l=, dot-stuffed or not."""
    places = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    parts = [body[start:end] for start, end in itertools.pairwise(places)]
    for form in (b"simple", b"relaxed"):
        whole, cut = BodyHash(form, limit), BodyHash(form, limit)
        whole.update(body)
        for part in parts:
            cut.update(part)
        assert (whole.finish(), whole.size) == (cut.finish(), cut.size)
    assert b"".join(unstuffed([body])) == b"".join(unstuffed(parts))


def forged(tags: str, text: bytes = LETTER, *, relaxed: bool = True) -> bytes:
    """A letter signed with exactly these tags in place of the usual ones; "" takes one away."""
    head = head_of(text)
    assert head is not None
    said = {
        "v": "1",
        "a": "rsa-sha256",
        "c": "relaxed/relaxed",
        "d": "example.com",
        "s": "rsa",
        "h": "from:subject",
        "bh": base64.b64encode(body_hash(text[head.size :], b"relaxed")).decode(),
    }
    for tag in filter(None, tags.split("; ")):
        name, _, value = tag.partition("=")
        said[name] = value
    words = [f"{name}={value};" for name, value in said.items() if value]
    names = [name.strip().lower().encode() for name in said["h"].split(":")]
    field = unsigned(b"DKIM-Signature", [*words, "b="], signed_fields(names, head.fields))
    return finished(field, RSA.sign(field.digest, PKCS1v15(), PREHASHED)) + text


def limited(text: bytes, length: int) -> str:
    hashed = BodyHash(b"relaxed", length)
    head = head_of(text)
    assert head is not None
    hashed.update(text[head.size :])
    return f"l={length}; bh={base64.b64encode(hashed.finish()).decode()}"


@pytest.mark.parametrize(
    ("tags", "result", "why"),
    [
        ("", "pass", ""),
        ("h=to:subject", "permerror", "does not name From"),
        ("h=FROM : Subject", "pass", ""),
        ("v=2", "permerror", "v="),
        ("v=", "permerror", "v="),
        ("a=rsa-sha1", "permerror", "a="),
        ("a=ed25519-sha256", "permerror", "another kind"),
        ("d=", "permerror", "d= is missing"),
        ("s=", "permerror", "s= is missing"),
        ("bh=", "permerror", "bh= is missing"),
        ("bh=####", "permerror", "base64"),
        ("bh=AAAA", "fail", "body has been changed"),
        ("c=relaxed/strict", "permerror", "c="),
        ("c=nofws", "permerror", "c="),
        ("q=http", "permerror", "q="),
        ("q=http:dns/txt", "pass", ""),
        ("i=joe@mail.example.com", "pass", ""),
        ("i=joe@example.org", "permerror", "i="),
        ("i=joe@notexample.com", "permerror", "i="),
        ("d=example.com(.evil.example", "permerror", "no name"),
        ("d=com", "permerror", "no name"),
        ("s=a/b", "permerror", "no key"),
        ("s=gone", "permerror", "no key"),
        ("s=late", "temperror", "no answer"),
        (f"t={NOW_S - 100}; x={NOW_S - 1}", "fail", "expired"),
        (f"x={NOW_S + 1}", "pass", ""),
        (f"t={NOW_S}; x={NOW_S - 1}", "permerror", "before"),
        (f"t={NOW_S + 90000}", "fail", "future"),
        ("t=soon", "permerror", "t= is no number"),
        ("x=-1", "permerror", "x= is no number"),
        ("l=5x", "permerror", "l="),
        ("l=99999", "fail", "longer than the body"),
        ("h=" + "x:" * 2000 + "from", "permerror", "too many"),
        ("a b=c", "permerror", "no tag list"),
        ("s=weak", "permerror", "512 bits"),
        ("s=revoked", "permerror", "revoked"),
        ("s=junk", "permerror", "read"),
        ("s=sha1", "permerror", "other hashes"),
        ("s=tls", "permerror", "other services"),
        ("s=strict", "pass", ""),
        ("s=strict; i=@mail.example.com", "permerror", "itself only"),
        ("s=trial", "pass", "tried out"),
        ("s=huge", "permerror", "too long"),
        ("s=slow", "permerror", "exponent"),
    ],
)
def test_each_tag_is_judged(tags: str, result: str, why: str) -> None:
    """Of the signature and of the key record; each with its reason."""
    weak, good = rsa_of(512), public(RSA).partition("p=")[2]
    slow = rsa.RSAPublicNumbers(2**2000 + 1, RSA.public_key().public_numbers().n).public_key()
    records = {
        "weak": f"p={weak}",
        "revoked": "v=DKIM1; p=",
        "junk": "p=AAAA",
        "sha1": f"h=sha1; p={good}",
        "tls": f"s=tlsrpt; p={good}",
        "strict": f"t=s; p={good}",
        "trial": f"t=y; p={good}",
        "huge": f"n={'x' * 65536}; p={good}",
        "slow": f"p={der_of(slow)}",
    }
    (found,) = checked(forged(tags), zone(**records))
    assert result == found.result and why in found.why, found


def der_of(key: rsa.RSAPublicKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return base64.b64encode(key.public_bytes(serialization.Encoding.DER, form)).decode()


def rsa_of(bits: int) -> str:
    """cryptography makes no such keys any more, and reads them all the same."""
    p, q = (1 << bits // 2) - 1, (1 << bits // 2) + 1
    return der_of(rsa.RSAPublicNumbers(65537, (p * q) | 1).public_key())


def test_what_is_appended_counts_for_nothing() -> None:
    """l= with text behind it, and a second field of a kind that readers show once: it verifies, and is no
    pass."""
    whole = limited(LETTER, 10_000)  # more than there is
    assert ["fail"] == results(forged(whole))
    exact = BodyHash(b"relaxed")
    exact.update(LETTER.partition(b"\r\n\r\n")[2])
    exact.finish()
    assert ["pass"] == results(forged(limited(LETTER, exact.size)))
    for appended in (LETTER + b"buy this\r\n",):
        (found,) = checked(forged(limited(LETTER, exact.size)).replace(LETTER, appended))
        assert ("policy", "the body goes on behind what is signed") == (found.result, found.why)
    (found,) = checked(altered(forged(""), b"Subject:", b"Subject: no\r\nSubject:"))
    assert ("policy", "a second Subject is not signed") == (found.result, found.why)
    (found,) = checked(altered(forged(""), b"From:", b"From: eve@example.com\r\nFrom:"))
    assert ("policy", "a second From is not signed") == (found.result, found.why)


def test_ten_signatures_are_looked_at() -> None:
    """However many there are: ten questions at most."""
    at = zone()
    text = b"".join(sign(LETTER)[: -len(LETTER)] for _ in range(12)) + LETTER
    assert ["pass"] * 10 == results(text, at=at)
    assert len(at.asked) == 10


UNITS = [b" ", b"\t", b"\r\n", b" \r\n", b"a ", b"a\r\n", b" a  b\t\r\n", b"\r\n.", b"x"]


@pytest.mark.parametrize("unit", UNITS)
def test_a_megabyte_costs_fifty_milliseconds(unit: bytes) -> None:
    """And less than three times its size, whatever it is made of (of the processor: best of three)."""
    text = altered(forged(""), b"Hi.", unit * (1_000_000 // len(unit)))
    spent = []
    tracemalloc.start()
    checked(text)
    assert tracemalloc.get_traced_memory()[1] < 3 * len(text)
    tracemalloc.stop()
    for _ in range(3):
        begun = time.process_time()
        checked(text)
        spent.append(time.process_time() - begun)
    assert min(spent) < 0.05


@pytest.mark.parametrize(
    "value",
    [
        b"v=1; " + b"a=b; " * 40_000,
        b";" * 200_000,
        b"h=" + b"a:" * 100_000,
        b"b" * 200_000,
        b"b=" + b" " * 200_000,
        b" " * 200_000,
        b"h=" + b"from:" * 40_000 + b"; v=1; a=rsa-sha256",
        b"=" * 200_000,
        b"\r\n " * 60_000,
    ],
)
def test_hostile_signatures_end_soon(value: bytes) -> None:
    """Ten of them do not cost more than a large body; none raises."""
    text = b"DKIM-Signature: " + value[:200_000] + b"\r\n" + LETTER
    spent = []
    for _ in range(3):
        begun = time.process_time()
        if text.count(b"\n") < 10_000:
            assert checked(text)[0].result == "permerror"
        spent.append(time.process_time() - begun)
    assert min(spent) < 0.05


@given(st.binary(max_size=200))
def test_no_key_record_breaks_anything(record: bytes) -> None:
    assert isinstance(key_of(record), Key | NoKey)
    assert isinstance(key_of(b"v=DKIM1; p=" + base64.b64encode(record)), Key | NoKey)
