"""DMARC: the walk, the policy that counts, alignment; and the letters of published attacks."""

import asyncio
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zone import Zone

from sekisho.mail.author import NoAuthor, authors
from sekisho.mail.dkim import Dkim
from sekisho.mail.dmarc import Dmarc, Proven, check
from sekisho.mail.dmarc_record import chosen, parsed
from sekisho.mail.headers import Head, fields_of, head_of
from sekisho.mail.spf import Spf

NOTHING = Proven(None)


def spf(domain: str, result: str = "pass", *, ours: bool = False) -> Proven:
    return Proven(Spf(result, domain, ours=ours))


def dkim(*domains: str, result: str = "pass") -> Proven:
    return Proven(None, tuple(Dkim(result, domain) for domain in domains))


def zone(**records: str) -> Zone:
    """`a_b="..."` is the record at _dmarc.a.b; names are there if they have one."""
    found: dict[str, Any] = {}
    for name, text in records.items():
        domain = name.replace("__", "-").replace("_", ".")
        found[f"_dmarc.{domain}"] = [{"TXT": text}] if text != "TIMEOUT" else ["TIMEOUT"]
        found.setdefault(domain, [{"A": "192.0.2.1"}])
    return Zone(found)


def judged(author: str, proven: Proven, at: Zone, percentile: int = 0) -> Dmarc:
    return asyncio.run(check((author,), proven, at, percentile))


def test_alignment() -> None:
    """Relaxed within one organization, strict for the very name; ours alone is no word of the domain's."""
    at = zone(example_com="v=DMARC1; p=reject", strict_example="v=DMARC1; p=reject; adkim=s; aspf=s")
    for author, proven, result in (
        ("example.com", spf("example.com"), "pass"),
        ("example.com", spf("mail.example.com"), "pass"),
        ("mail.example.com", dkim("example.com"), "pass"),
        ("a.example.com", dkim("evil.example", "b.example.com"), "pass"),
        ("example.com", dkim("example.com", result="policy"), "fail"),
        ("example.com", dkim("example.com", result="fail"), "fail"),
        ("example.com", dkim("notexample.com"), "fail"),
        ("example.com", spf("com"), "fail"),
        ("example.com", spf("example.com", ours=True), "fail"),
        ("example.com", spf("example.com", "softfail"), "fail"),
        ("example.com", NOTHING, "fail"),
        ("strict.example", dkim("strict.example"), "pass"),
        ("strict.example", dkim("mail.strict.example"), "fail"),
        ("strict.example", spf("mail.strict.example"), "fail"),
        ("other.example", spf("other.example"), "none"),
        ("example.com", dkim("example.com", result="temperror"), "temperror"),
        ("example.com", spf("example.com", "temperror"), "temperror"),
        ("example.com", spf("evil.example", "temperror"), "fail"),
        ("example.com", dkim("evil.example", result="temperror"), "fail"),
    ):
        assert result == judged(author, proven, at).result, (author, proven)


def test_the_walk() -> None:
    """RFC 9989 4.10: from the name up to the top, eight questions at most; psd= ends it."""
    at = zone(example_com="v=DMARC1; p=reject; sp=quarantine", uk="v=DMARC1; p=reject; psd=y; np=none")
    assert ("fail", "quarantine") == _told(judged("a.b.c.example.com", NOTHING, at))
    assert [
        f"_dmarc.{name}"
        for name in ("a.b.c.example.com", "b.c.example.com", "c.example.com", "example.com", "com")
    ] == [name for name, _ in at.asked]
    at = zone(example_com="v=DMARC1; p=reject")
    deep = ".".join("abcdefghijklmnop") + ".example.com"
    assert ("fail", "reject") == _told(judged(deep, NOTHING, at))
    assert 8 == len(at.asked) and at.asked[1][0] == "_dmarc.l.m.n.o.p.example.com"
    at = zone(uk="v=DMARC1; p=reject; psd=y; np=none", mine_uk="v=DMARC1; p=none")
    assert ("fail", "reject") == _told(judged("uk", NOTHING, at))
    at._records["yours.uk"] = [("A", "192.0.2.1")]
    assert ("fail", "reject") == _told(judged("yours.uk", NOTHING, at))
    assert ("fail", "none") == _told(judged("gone.uk", NOTHING, at))
    assert "fail" == judged("mine.uk", dkim("yours.uk"), at).result
    assert "pass" == judged("a.mine.uk", dkim("b.mine.uk"), at).result
    at = zone(big_example="v=DMARC1; p=reject", part_big_example="v=DMARC1; p=none; psd=n")
    assert "fail" == judged("part.big.example", dkim("big.example"), at).result
    assert "fail" == judged("big.example", dkim("part.big.example"), at).result
    assert "pass" == judged("x.part.big.example", dkim("part.big.example"), at).result
    assert "temperror" == judged("late.example", NOTHING, zone(late_example="TIMEOUT")).result


def _told(found: Dmarc) -> tuple[str, str]:
    return found.result, found.apply


@pytest.mark.parametrize(
    ("record", "wanted"),
    [
        ("v=DMARC1; p=reject", "reject"),
        ("v=DMARC1;p=REJECT;", "reject"),
        ("v=DMARC1; p=none", "none"),
        ("v=DMARC1; p=reject; t=y", "quarantine"),
        ("v=DMARC1; p=quarantine; t=y", "none"),
        ("v=DMARC1; p=reject; pct=50", "quarantine"),
        ("v=DMARC1; p=reject; pct=51", "reject"),
        ("v=DMARC1; p=reject; pct=0", "quarantine"),
        ("v=DMARC1; p=reject; pct=900", "reject"),
        ("v=DMARC1; p=refuse; rua=mailto:a@b.example", "none"),
        ("v=DMARC1; p=refuse", ""),
        ("v=DMARC1; rua=mailto:a@b.example!10m", "none"),
        ("v=DMARC1", ""),
        ("v=DMARC2; p=reject", ""),
        ("p=reject; v=DMARC1", ""),
        ("v=DMARC1; p=reject; sp=nonsense", ""),
        ("v=DMARC1; new=1; p=reject; odd; =; x=\x80", "reject"),
    ],
)
def test_records(record: str, wanted: str) -> None:
    """Of both RFCs; "" is no record. With a percentile of 50."""
    found = judged("example.com", NOTHING, zone(example_com=record), 50)
    assert (found.apply if found.result == "fail" else "") == wanted
    both = Zone({"_dmarc.example.com": [{"TXT": record}, {"TXT": "v=DMARC1; p=reject"}]})
    assert (judged("example.com", NOTHING, both).result == "none") == record.startswith("v=DMARC1")


@given(st.binary(max_size=300))
def test_no_record_breaks_anything(record: bytes) -> None:
    parsed(b"v=DMARC1;" + record)
    chosen([record, b"v=DMARC1;" + record])


LEGIT, EVIL = "legit.example", "evil.example"
BOTH = Proven(Spf("pass", EVIL), (Dkim("pass", EVIL),))
SPOOFED = [
    b"From: a@legit.example\r\nFrom: m@evil.example\r\n",
    b"From: m@evil.example\r\nFrom: a@legit.example\r\n",
    b"From: m@evil.example\r\nfrom : a@legit.example\r\n",
    b"From: m@evil.example\r\nFROM\t: a@legit.example\r\n",
    b"From : a@legit.example\r\nFrom: m@evil.example\r\n",
    b" From: a@legit.example\r\nFrom: m@evil.example\r\n",
    b"From: m@evil.example\r\n\x0bFrom: a@legit.example\r\n",
    b"From: m@evil.example\r\nSubject\r\nFrom: a@legit.example\r\n",
    b"From: m@evil.example\r\nFrom\xc2\xa0: a@legit.example\r\n",
    b"From: m@evil.example\r\nFrom\x00: a@legit.example\r\n",
    b"From: a@legit.example, m@evil.example\r\n",
    b"From: <a@legit.example>, <m@evil.example>\r\n",
    b"From: <a@legit.example><m@evil.example>\r\n",
    b"From: a@legit.example <m@evil.example>\r\n",
    b"From: <m@evil.example> a@legit.example\r\n",
    b"From: <a@legit.example> <m@evil.example>\r\n",
    b"From: x <a@legit.example>\r\n ,y <m@evil.example>\r\n",
    b"From: <a@legit.example,m@evil.example>\r\n",
    b"From: <@evil.example,@x.example:a@legit.example>\r\n",
    b"From: <@legit.example:m@evil.example>\r\n",
    b"From: <a@legit.example\x00@evil.example>\r\n",
    b"From: <a@legit.example\x01>,<m@evil.example>\r\n",
    b"From: a@legit.example\x00,m@evil.example\r\n",
    b"From: <a@legit.example(>)@evil.example>\r\n",
    b"From: a@legit.example(\r\n",
    b"From: (m@evil.example) a@legit.example\r\n",
    b'From: "a@legit.example"@evil.example\r\n',
    b'From: <"a@legit.example>"@evil.example>\r\n',
    b'From: "<a@legit.example>\\" <m@evil.example>\r\n',
    b"From: a@legit.example@evil.example\r\n",
    b"From: <a@legit.example\\@evil.example>\r\n",
    b"From: =?utf-8?B?PGFAbGVnaXQuZXhhbXBsZT4=?=\r\n",
    b"From: <=?utf-8?B?YUBsZWdpdC5leGFtcGxlCg==?=@evil.example>\r\n",
    b"From: =?utf-8?Q?a=40legit.example?=@evil.example\r\n",
    b"From: friends: a@legit.example, m@evil.example;\r\n",
    b"From: evil:m@evil.example\r\n",
    b"From: friends:;\r\n",
    b"From: ;\r\n",
    b"From:\r\n",
    b"From: <>\r\n",
    b"From: a@[192.0.2.1]\r\n",
    b"From: a@legit.example m@evil.example\r\n",
    b"From: a@legit\xff.example\r\n",
    b"From: a@legit..example\r\n",
    b"From: a\xe2\x80\xaem@evil.example@legit.example\r\n",
    b"To: x@y.example\r\n",
]


@pytest.mark.parametrize("head", SPOOFED)
def test_a_forged_author_never_passes(head: bytes) -> None:
    """Whoever controls evil.example, and signs with it, gets no pass for a letter that a reader could show as
    from legit.example."""
    above = b"" if head.startswith(b" ") else b"Received: x\r\n"  # else it is a part of that for everybody
    for form in (head, above + head, head + b"Subject: hi\r\n"):
        text = form + b"\r\n"
        found = head_of(text) or Head(fields_of(text), len(text))
        author = authors(found, text[: found.size])
        records = zone(legit_example="v=DMARC1; p=reject", evil_example="v=DMARC1; p=none")
        assert asyncio.run(check(author, BOTH, records, 0)).result != "pass", author


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (b"joe@example.com", "example.com"),
        (b"Joe <joe@Example.COM>", "example.com"),
        (b'"Joe, the @ man" <joe@example.com>', "example.com"),
        (b"Joe (his (own) \\) box) <j@example.com>", "example.com"),
        (b"joe@example.com (Joe)", "example.com"),
        (b"J. R. <j@example.com>", "example.com"),
        (b"=?utf-8?Q?J=C3=B6?= <j@example.com>", "example.com"),
        ("J <j@bücher.example>".encode(), "xn--bcher-kva.example"),
        ("鈴木 <suzuki@例え.example>".encode(), "xn--r8jz45g.example"),
        (b"joe@example.com <joe@example.com>", "example.com"),
        (b"<j@example.com>,", "example.com"),
        (b"Joe\r\n <j@example.com>", "example.com"),
        (b'"a b"@example.com', "example.com"),
        (b"a@example.com, b@example.com", "example.com"),
        (b"  <j@example.com.>  ", "example.com"),
        (b"Joe's [work] <j+x@example.com>", "example.com"),
    ],
)
def test_honest_authors(value: bytes, wanted: str) -> None:
    """As mail programs write them."""
    text = b"From: " + value + b"\r\n\r\n"
    head = head_of(text)
    assert head is not None
    assert (wanted,) == authors(head, text)


def test_several_authors() -> None:
    """All of them must be proven; the hardest policy of those who are not decides."""
    at = zone(a_example="v=DMARC1; p=none", b_example="v=DMARC1; p=reject")
    both = Proven(None, (Dkim("pass", "a.example"), Dkim("pass", "b.example")))
    assert "pass" == asyncio.run(check(("a.example", "b.example"), both, at, 0)).result
    found = asyncio.run(check(("a.example", "b.example"), dkim("a.example"), at, 0))
    assert ("fail", "reject", "b.example") == (found.result, found.apply, found.domain)
    assert "none" == asyncio.run(check(("a.example", "c.example"), dkim("a.example"), at, 0)).result
    assert "permerror" == asyncio.run(check(NoAuthor("x"), both, at, 0)).result


@pytest.mark.parametrize(
    "unit", [b'"', b"(", b",", b"<", b"a@b.example,", b" ", b"\\", b"=?", b'"\\', b"()", b"a "]
)
def test_a_large_from_is_read_soon(unit: bytes) -> None:
    text = b"From: " + unit * (200_000 // len(unit)) + b"\r\n\r\n"
    small = b"From: " + unit * (4_000 // len(unit)) + b"\r\n\r\n"
    spent = []
    for _ in range(3):
        begun = time.process_time()
        for each in (text, small):
            authors(Head(fields_of(each[:-2]), len(each)), each)
        spent.append(time.process_time() - begun)
    assert min(spent) < 0.05


@given(st.text(' <>@,"();:\\.=?ab\r\n\t\x00é', max_size=60))
def test_no_from_breaks_anything(value: str) -> None:
    text = b"From: " + value.encode().replace(b"\r\n", b"\r\n ") + b"\r\n\r\n"
    head = head_of(text)
    assert head is not None
    found = authors(head, text[: head.size])
    assert isinstance(found, NoAuthor) or all("." in domain for domain in found)
