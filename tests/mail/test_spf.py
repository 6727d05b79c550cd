"""SPF by the suites of openspf.org (RFC 7208 and RFC 4408), pyspf as a second opinion, and its limits."""

import asyncio
import ipaddress
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zone import Zone

from sekisho.mail.spf import Question, Spf, check
from sekisho.mail.spf_record import SpfError, local_terms, parsed
from shared import shared

yaml = pytest.importorskip("yaml")


def asked(zone: Zone, **question: Any) -> Spf:
    return asyncio.run(check(Question(**{"ip": "192.0.2.1", "helo": "mail.example.net", **question}), zone))


def suite(name: str) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    path = shared(f"corpora/spf_openspf/{name}")
    found = []
    for scenario in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        for title, test in scenario["tests"].items():
            found.append((title, test, scenario["zonedata"]))
    return found


def differs(test: dict[str, Any], zone: dict[str, Any]) -> str:
    spf = asked(
        Zone(zone), ip=test["host"], helo=test["helo"], sender=test["mailfrom"] or "", receiver="receiver"
    )
    results = [test["result"]] if isinstance(test["result"], str) else test["result"]
    if spf.result not in results:
        return f"{spf.result} ({spf.why}), not {results}"
    wanted = test.get("explanation", "DEFAULT")
    explanation = spf.explanation or "DEFAULT"
    return "" if spf.result != "fail" or explanation == wanted else f"says {explanation!r}, not {wanted!r}"


@pytest.mark.parametrize(("name", "count"), [("rfc7208-tests.yml", 203), ("rfc4408-tests.yml", 191)])
def test_the_whole_suite_passes(name: str, count: int) -> None:
    """Every test, result and explanation."""
    tests = suite(name)
    wrong = {title: why for title, test, zone in tests if (why := differs(test, zone))}
    assert (count, {}) == (len(tests), wrong)


def test_no_record_makes_many_questions() -> None:
    """A record that includes itself, and ten terms of ten hosts each, end at the limits of RFC 7208 4.6.4."""
    zone = Zone({"loop.example": [{"TXT": "v=spf1 include:loop.example -all"}]})
    assert ("permerror", 11) == (asked(zone, sender="a@loop.example").result, len(zone.asked))
    hosts = {f"h{n}.wide.example": [{"A": "203.0.113.9"}] for n in range(11)}
    ten = [{"MX": [n, f"h{n}.wide.example"]} for n in range(10)]
    record = {"TXT": "v=spf1 " + "mx " * 10 + "-all"}
    zone = Zone({"wide.example": [record, *ten], **hosts})
    assert ("fail", 1 + 10 * 11) == (asked(zone, sender="a@wide.example").result, len(zone.asked))
    zone = Zone({"wide.example": [record, *ten, {"MX": [10, "h10.wide.example"]}], **hosts})
    assert "permerror" == asked(zone, sender="a@wide.example").result


def test_terms_that_find_nothing_are_counted_once_each() -> None:
    """Two may, the third is an error; a mail host without an address of the client's family is not."""
    record = "v=spf1 a:no1.example a:no2.example {} ip4:192.0.2.1 -all"
    for more, result in (("", "pass"), ("exists:no3.example", "permerror")):
        zone = Zone({"void.example": [{"TXT": record.format(more)}]})
        assert result == asked(zone, sender="a@void.example").result
    hosts = {f"h{n}.far.example": [{"A": "203.0.113.9"}] for n in range(5)}
    mx = [{"MX": [n, f"h{n}.far.example"]} for n in range(5)]
    zone = Zone({"far.example": [{"TXT": "v=spf1 mx ip6:2001:db8::/32 -all"}, *mx], **hosts})
    assert "pass" == asked(zone, ip="2001:db8::7", sender="a@far.example").result


def test_rules_of_ours_stand_before_the_last_all_and_are_no_word_of_the_domain() -> None:
    """Likewise the guess for a domain that says nothing."""
    zone = Zone({"strict.example": [{"TXT": "v=spf1 ip4:203.0.113.1 -all"}]})
    rules = local_terms("ip4:192.0.2.0/28")
    spf = asked(zone, sender="a@strict.example", rules=rules)
    assert ("pass", True, "ip4:192.0.2.0/28") == (spf.result, spf.ours, spf.mechanism)
    spf = asked(zone, ip="203.0.113.1", sender="a@strict.example", rules=rules)
    assert ("pass", False) == (spf.result, spf.ours)
    assert "fail" == asked(zone, ip="192.0.2.99", sender="a@strict.example", rules=rules).result
    zone = Zone({"silent.example": [{"A": "192.0.2.1"}]})
    spf = asked(zone, sender="a@silent.example", guess=b"a/24 mx/24 -all")
    assert ("pass", True) == (spf.result, spf.ours)
    spf = asked(zone, ip="203.0.113.8", sender="a@silent.example", guess=b"a/24 -all")
    assert ("fail", True) == (spf.result, spf.ours)
    with pytest.raises(SpfError, match="no mechanism"):
        local_terms("ip5:192.0.2.1")


def test_letters_that_are_not_ascii_match_nothing() -> None:
    """RFC 8616: a local part in UTF-8 in a macro gives a name that does not exist; a domain is asked in
    A-labels."""
    zone = Zone({
        "utf8.example": [{"TXT": "v=spf1 exists:%{l}.ok.example -all"}],
        "xn--bcher-kva.example": [{"TXT": "v=spf1 ip4:192.0.2.1 -all"}],
    })  # fmt: skip
    assert "fail" == asked(zone, sender="用户@utf8.example").result
    assert "pass" == asked(zone, sender="a@bücher.example").result


@given(st.text(" -=:/%{}.+~?*abcdeilmnoprstvx4601269\x80", max_size=120))
def test_any_record_gives_a_result(text: str) -> None:
    """Whatever stands in it; and parsing again is no different."""
    zone = Zone({"any.example": [{"TXT": f"v=spf1 {text}"}]})
    first = asked(zone, sender="a@any.example")
    assert first.result in ("none", "pass", "fail", "softfail", "neutral", "permerror")
    assert first == asked(zone, sender="a@any.example")


def test_a_long_record_costs_what_its_length_is() -> None:
    """Four times the record, about four times the work; none of a megabyte is read at all."""
    parts = ("a:" + "%{l}" * 40 + ".example ", "%{ir}." * 50, "ip4:1.2.3.4 ", "x" * 300, "a/" * 100, "%" * 50)
    for part in parts:
        for size in (2_000, 8_000, 1_000_000):
            begun = time.process_time()
            parsed(b"v=spf1 " + (part * (size // len(part))).encode())
            assert time.process_time() - begun < 0.25


TERMS = st.sampled_from([
    "a", "mx", "a:other.example", "mx:other.example/24", "include:other.example", "ip4:192.0.2.0/24", "ptr",
    "ip6:2001:db8::/32", "exists:%{ir}.%{l}.other.example", "?all", "~all", "-all", "a:gone.example", "a/0",
    "redirect=other.example", "exp=why.example", "ip4:192.0.2.300", "a:%{d2}", "exists:%{p}.example",
    "mx//64", "ptr:other.example", "include:gone.example", "a:%{x}", "new=%{s}",
])  # fmt: skip


OTHERS = TERMS.filter(lambda term: term not in ("include:other.example", "redirect=other.example"))
CLIENTS = st.sampled_from(["192.0.2.1", "2001:db8::1"])


@given(st.lists(TERMS, max_size=6, unique=True), st.lists(OTHERS, max_size=4, unique=True), CLIENTS)
def test_pyspf_says_the_same(one: list[str], other: list[str], ip: str) -> None:
    """Records made by chance, evaluated by both."""
    mx = {"MX": [1, "one.example"]}
    records: dict[str, Any] = {
        "one.example": [{"TXT": " ".join(["v=spf1", *one])}, {"A": "192.0.2.1"}, mx],
        "other.example": [{"TXT": " ".join(["v=spf1", *other])}, {"A": "192.0.2.9"}, mx],
        "1.2.0.192.in-addr.arpa": [{"PTR": "one.example"}],
        "1.2.0.192.me.other.example": [{"A": "127.0.0.2"}],
        "why.example": [{"TXT": "%{i} is not one of %{d}"}],
    }
    zone = Zone(records)
    ours = asked(zone, ip=ip, sender="me@one.example", helo="one.example")
    theirs = pyspf(zone, ip, "me@one.example", "one.example")
    if "find nothing" in ours.why:  # it counts each empty answer of one term where we count the term
        return
    assert ours.result == theirs[0], ours
    if ours.result == "fail":
        assert (ours.explanation or "DEFAULT") == theirs[2]


def pyspf(zone: Zone, ip: str, sender: str, helo: str) -> tuple[str, int, str]:
    spf = pytest.importorskip("spf")

    def lookup(name: str, kind: str, strict: Any = True, timeout: int = 20) -> list[Any]:
        if kind == "SPF":
            return []
        name = name.rstrip(".").lower()
        return [((name, kind), _theirs(kind, each)) for each in zone._answer(name, kind) or []]

    spf.DNSLookup = lookup
    spf.MAX_VOID_LOOKUPS = 100
    query = spf.query(ip, sender, helo, strict=1, timeout=20)
    query.set_default_explanation("DEFAULT")
    return query.check()


def _theirs(kind: str, value: Any) -> Any:
    if kind == "TXT":
        return (value.encode(),)
    if kind == "MX":
        return tuple(value)
    return ipaddress.ip_address(value).packed if kind in ("A", "AAAA") else value
