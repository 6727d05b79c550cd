"""Authentication of mail beside dkimpy and pyspf: the same letters, keys and records, answered from memory.

Microseconds of the processor per letter or question, the median of rounds in which all take turns; and what
the worst megabytes that we could think of cost.
"""

import base64
import statistics
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import dkim as dkimpy
import spf as pyspf
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from bench.machine import description
from sekisho.mail import arc, dkim, dmarc, spf
from sekisho.mail.author import authors
from sekisho.mail.canon import body_hash
from sekisho.mail.dkim_key import PREHASHED
from sekisho.mail.dkim_sign import Signer, finished, prepared
from sekisho.mail.headers import Head, fields_of, head_of

ROUNDS = 9
NOW_S = int(time.time())
RSA = rsa.generate_private_key(65537, 2048)
ED = ed25519.Ed25519PrivateKey.generate()
PEM = RSA.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
)
HEAD = (
    b"From: Joe <joe@example.com>\r\nTo: sue@example.net\r\nSubject: Is dinner ready?\r\n"
    b"Date: Fri, 11 Jul 2003 21:00:37 -0700\r\nMessage-ID: <1@example.com>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n\r\n"
)
LINE = b"We lost the game. Are you hungry yet? Joe is, and so is everybody else at home.\r\n"
HOSTILE = {
    "spaces": b" ",
    "empty lines": b"\r\n",
    "blank lines": b" \r\n",
    "single letters": b"a\r\n",
    "tabs": b"\t \t",
    "two spaces": b"a  ",
    "dots": b"\r\n..",
    "one line": b"x",
}


def records() -> dict[str, bytes]:
    form = serialization.PublicFormat
    der = RSA.public_key().public_bytes(serialization.Encoding.DER, form.SubjectPublicKeyInfo)
    raw = ED.public_key().public_bytes(serialization.Encoding.Raw, form.Raw)
    return {
        "rsa._domainkey.example.com": b"v=DKIM1; k=rsa; p=" + base64.b64encode(der),
        "ed._domainkey.example.com": b"v=DKIM1; k=ed25519; p=" + base64.b64encode(raw),
        "example.com": b"v=spf1 include:a.example include:b.example include:c.example -all",
        "a.example": b"v=spf1 ip4:192.0.2.0/28 ip4:198.51.100.0/26 ~all",
        "b.example": b"v=spf1 ip6:2001:db8::/40 ip4:203.0.113.64/27 ~all",
        "c.example": b"v=spf1 ip4:203.0.113.0/26 ~all",
        "_dmarc.example.com": b"v=DMARC1; p=reject; rua=mailto:dmarc@example.com",
    }


class Memory:
    """The DNS, answering at once."""

    def __init__(self) -> None:
        self.records = records()

    async def texts(self, name: str) -> tuple[bytes, ...] | None:
        found = self.records.get(name)
        return None if found is None else (found,)

    async def mail_hosts(self, name: str) -> tuple[str, ...] | None:
        return None

    async def addresses(self, name: str, family: int) -> tuple[str, ...] | None:
        return None

    async def hosts_of(self, address: str) -> tuple[str, ...] | None:
        return None


DNS = Memory()


def letter(size: int) -> bytes:
    return HEAD + LINE * (size // len(LINE))


def opened(text: bytes) -> dkim.Opened:
    head = head_of(text) or Head(fields_of(text), len(text))
    return dkim.opened(text[: head.size], head, text[head.size :])


def at_once(asking: Any) -> Any:
    """The answer of a coroutine that never waits."""
    try:
        asking.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")


def sign(text: bytes, selector: str) -> bytes:
    head = head_of(text)
    assert head is not None
    algorithm = "ed25519-sha256" if selector == "ed" else "rsa-sha256"
    hashed = body_hash(text[head.size :], b"relaxed")
    field = prepared(Signer("example.com", selector, algorithm), head.fields, hashed, NOW_S)
    return finished(
        field, ED.sign(field.digest) if selector == "ed" else RSA.sign(field.digest, PKCS1v15(), PREHASHED)
    )


def verify(text: bytes) -> None:
    (found,) = at_once(dkim.check(opened(text), DNS, NOW_S))
    assert found.result == "pass", found


def their_key(name: bytes, timeout: int = 5) -> bytes | None:
    return DNS.records.get(name.decode().rstrip("."))


def their_sign(text: bytes) -> bytes:
    return bytes(dkimpy.sign(text, b"rsa", b"example.com", PEM, canonicalize=(b"relaxed", b"relaxed")))


def their_verify(text: bytes) -> None:
    assert dkimpy.verify(text, dnsfunc=their_key)


def ask_spf(ip: str, wanted: str) -> None:
    found = at_once(spf.check(spf.Question(ip, "mx.example.com", "joe@example.com"), DNS))
    assert found.result == wanted, found


def their_spf(ip: str, wanted: str) -> None:
    query = pyspf.query(ip, "joe@example.com", "mx.example.com", strict=1, timeout=20)
    assert query.check()[0] == wanted


def their_lookup(name: str, kind: str, strict: Any = True, timeout: int = 20) -> list[Any]:
    found = DNS.records.get(name.rstrip(".").lower()) if kind == "TXT" else None
    return [((name, kind), (found,))] if found is not None else []


def everything(text: bytes) -> None:
    """What a stranger's letter costs with all of it on: opened once, SPF, DKIM, ARC, DMARC."""
    question = spf.Question("203.0.113.9", "mx.example.com", "joe@example.com")
    opening = opened(text)
    proven = dmarc.Proven(at_once(spf.check(question, DNS)), at_once(dkim.check(opening, DNS, NOW_S)))
    at_once(arc.check(opening, DNS))
    author = authors(opening.head, opening.raw)
    assert at_once(dmarc.check(author, proven, DNS, 0)).result == "pass"


def pairs() -> dict[str, tuple[Callable[[], object], Callable[[], object] | None]]:
    made: dict[str, tuple[Callable[[], object], Callable[[], object] | None]] = {}
    for size in (4_000, 40_000):
        text, place = letter(size), f"{size // 1000} KB"
        by_rsa, by_ed, by_them = sign(text, "rsa") + text, sign(text, "ed") + text, their_sign(text) + text
        made[f"DKIM sign RSA-2048, {place}"] = (lambda t=text: sign(t, "rsa"), lambda t=text: their_sign(t))
        made[f"DKIM sign Ed25519, {place}"] = (lambda t=text: sign(t, "ed"), None)
        made[f"DKIM verify RSA-2048, {place}"] = (
            lambda t=by_them: verify(t),
            lambda t=by_them: their_verify(t),
        )
        made[f"DKIM verify Ed25519, {place}"] = (lambda t=by_ed: verify(t), None)
        made[f"SPF, DKIM, ARC and DMARC, {place}"] = (lambda t=by_rsa: everything(t), None)
    for ip, wanted in (("203.0.113.9", "pass"), ("192.0.2.99", "fail")):
        made[f"SPF, three includes, {wanted}"] = (
            lambda ip=ip, wanted=wanted: ask_spf(ip, wanted),
            lambda ip=ip, wanted=wanted: their_spf(ip, wanted),
        )
    return made


def measured(work: Callable[[], object]) -> float:
    """Microseconds a time, over about a fiftieth of a second."""
    times, spent = 1, 0.0
    while spent < 0.02:
        begun = time.process_time()
        for _ in range(times):
            work()
        spent = time.process_time() - begun
        times = max(times * 2, 1) if spent < 0.02 else times
    return spent / times * 1e6


def hostile() -> list[dict[str, object]]:
    """A signed megabyte of each kind: processor, and memory beside the letter itself."""
    found: list[dict[str, object]] = []
    for name, unit in HOSTILE.items():
        text = HEAD + unit * (1_000_000 // len(unit)) + b"\r\n"
        signed = sign(text, "rsa") + text
        spent = statistics.median(measured(partial(everything, signed)) for _ in range(3))
        tracemalloc.start()
        everything(signed)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        found.append(
            {"what": name, "ms": round(spent / 1000, 2), "memory_times_size": round(peak / len(signed), 2)}
        )
    return found


def run() -> dict[str, Any]:
    pyspf.DNSLookup = their_lookup
    rounds: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in pairs()}
    for _ in range(ROUNDS):
        for name, (ours, theirs) in pairs().items():
            rounds[name][0].append(measured(ours))
            if theirs is not None:
                rounds[name][1].append(measured(theirs))
    rows = []
    for name, (ours, theirs) in rounds.items():
        us = statistics.median(ours)
        them = statistics.median(theirs) if theirs else None
        rows.append(
            {
                "what": name,
                "us": round(us, 1),
                "peer_us": round(them, 1) if them else None,
                "times": round(them / us, 1) if them else None,
            }
        )
    return {"machine": description(Path.cwd()), "rounds": ROUNDS, "results": rows, "hostile": hostile()}
