"""Addresses: the grammar of RFC 5321, one spelling for one mailbox, and nothing that could be read in two
ways.
"""

import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.model.address import (
    DOMAIN_OCTETS,
    LOCAL_OCTETS,
    PATH_OCTETS,
    BadAddress,
    Mailbox,
    domain_of,
    normal,
    parse_path,
)
from shared import shared

LONGEST_LABEL = "d" * 63


@pytest.mark.parametrize(
    ("raw", "wire"),
    [
        ("bob@example.com", "bob@example.com"),
        ("Bob.Smith+tag@EXAMPLE.Com", "Bob.Smith+tag@example.com"),
        ("!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com"),
        ("victim%evil.example@example.com", "victim%evil.example@example.com"),
        ("evil.example!victim@example.com", "evil.example!victim@example.com"),
        ("a/b/etc/passwd@example.com", "a/b/etc/passwd@example.com"),
        ('"bob"@example.com', "bob@example.com"),
        ('"b\\o\\b"@example.com', "bob@example.com"),
        ('"bob smith"@example.com', '"bob smith"@example.com'),
        ('"victim@evil.example"@example.com', '"victim@evil.example"@example.com'),
        ('"a\\"b\\\\c"@example.com', '"a\\"b\\\\c"@example.com'),
        ('"|/bin/sh"@example.com', "|/bin/sh@example.com"),
        ('""@example.com', '""@example.com'),
        ('".."@example.com', '".."@example.com'),
        ("@a.example,@b.example:bob@example.com", "bob@example.com"),
        ("bob@xn--bcher-kva.example", "bob@xn--bcher-kva.example"),
        ("bob@localhost", "bob@localhost"),
        ("bob@[192.0.2.1]", "bob@[192.0.2.1]"),
        ("bob@[ipv6:2001:DB8:0::1]", "bob@[IPv6:2001:db8::1]"),
        ("bob@[IPv6:::]", "bob@[IPv6:::]"),
        ("bob@[IPv6:::ffff:192.0.2.1]", "bob@[IPv6:::ffff:c000:201]"),
        ("postmaster", "postmaster"),
        ("PostMaster", "postmaster"),
        ("l" * LOCAL_OCTETS + "@example.com", "l" * LOCAL_OCTETS + "@example.com"),
        (f"bob@{LONGEST_LABEL}.example", f"bob@{LONGEST_LABEL}.example"),
    ],
)
def test_an_address_has_one_spelling(raw: str, wire: str) -> None:
    """Quotes only where they must be, the domain in lower case, a source route dropped."""
    assert wire == str(parse_path(raw.encode()))


def test_the_null_path_is_none() -> None:
    """An empty path is nobody, which is not the same as a bad address."""
    assert parse_path(b"") is None


@pytest.mark.parametrize(
    "raw",
    [
        "bob",
        "bob@",
        "@example.com",
        "@",
        "bob@@example.com",
        "user@evil@example.com",
        "bob@example.com.",
        "bob@.example.com",
        "bob@example..com",
        "bob@-example.com",
        "bob@example-.com",
        "bob@exa_mple.com",
        ".bob@example.com",
        "bob.@example.com",
        "b..b@example.com",
        ".@example.com",
        "bob @example.com",
        "bob@ example.com",
        "bob@exam ple.com",
        "<bob@example.com>",
        "bob@example.com,eve@example.com",
        "bob(x)@example.com",
        "bob@(x)example.com",
        "b\\ob@example.com",
        '"bob@example.com',
        'bob"@example.com',
        '"bob"x@example.com',
        '"a"."b"@example.com',
        '"a""b"@example.com',
        '"bob\\"@example.com',
        ";sleep 66;",
        "bob@192.0.2.1",
        "bob@example.123",
        "bob@[192.0.2.01]",
        "bob@[192.0.2]",
        "bob@[192.0.2.256]",
        "bob@[192.0.2.1",
        "bob@192.0.2.1]",
        "bob@[]",
        "bob@[IPv6:fe80::1%eth0]",
        "bob@[IPv6:1:2:3:4:5:6::8]",
        "bob@[IPv6:12345::]",
        "bob@[tag:text]",
        "bob@[2001:db8::1]",
        "@a.example:",
        "@a.example,bob@example.com",
        "@a.example;@b:bob@example.com",
        "@:bob@example.com",
        "bob\0@example.com",
        "bob\r@example.com",
        "bob\n@example.com",
        "bob\r\n@example.com",
        "bob@example\0.com",
        '"bo\0b"@example.com',
        "\tbob@example.com",
        '"bo\x7fb"@example.com',
        "postmaster@",
        "postmasters",
        "../../etc/passwd@example.com",
        "a/../b@example.com",
    ],
)
def test_what_is_no_address_is_refused(raw: str) -> None:
    """Never repaired, whatever it probably meant."""
    assert BadAddress("syntax") == parse_path(raw.encode())


@pytest.mark.parametrize(
    "raw",
    [
        "l" * (LOCAL_OCTETS + 1) + "@example.com",
        '"' + "l " * (LOCAL_OCTETS // 2) + '"@example.com',
        "bob@" + "d." * (PATH_OCTETS // 2) + "example",
        "b@" + "d." * ((DOMAIN_OCTETS - 1) // 2) + "d" * 2,
        "x" * 1_000_000,
    ],
)
def test_limits_are_kept(raw: str) -> None:
    """64 octets before the at sign, 253 behind it, 254 in all (RFC 5321 4.5.3.1)."""
    assert BadAddress("length") == parse_path(raw.encode())


def test_a_label_has_63_letters() -> None:
    """RFC 1035 2.3.4."""
    assert BadAddress("syntax") == parse_path(f"bob@{LONGEST_LABEL}d.example".encode())


@pytest.mark.parametrize(
    "raw", ["éva@example.com", "bob@bücher.example", '"é"@example.com', "\udcff@example.com"]
)
def test_eight_bits_need_an_agreement(raw: str) -> None:
    """Without SMTPUTF8 a letter beyond ASCII is told apart from bad syntax, so that the reply can say
    5.6.7.
    """
    assert BadAddress("eight_bit") == parse_path(raw.encode("utf-8", "surrogateescape"))


@pytest.mark.parametrize(
    ("raw", "wire"),
    [
        ("éva@example.com", "éva@example.com"),
        ("あ@日本語.example", "あ@xn--wgv71a119e.example"),
        ("bob@BÜCHER.example", "bob@xn--bcher-kva.example"),
        ("bob@bu\u0308cher.example", "bob@xn--bcher-kva.example"),
    ],
)
def test_with_the_agreement_names_become_ascii(raw: str, wire: str) -> None:
    """RFC 6531: the local part stays UTF-8, the domain becomes A-labels."""
    assert wire == str(parse_path(raw.encode(), smtputf8=True))


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff@example.com",
        b"\xc3@example.com",
        "a\u202eb@example.com".encode(),
        "a\u200bb@example.com".encode(),
        "bob@exa\u2024mple.com".encode(),
        "bob@a\u3002b".encode(),
        "bob@\U0001f600.example".encode(),
    ],
)
def test_with_the_agreement_invisible_letters_are_refused(raw: bytes) -> None:
    """Broken UTF-8, bidirectional and zero-width characters, dots that are not dots."""
    assert BadAddress("syntax") == parse_path(raw, smtputf8=True)


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_judged(raw: bytes) -> None:
    """Garbage is a BadAddress, with and without SMTPUTF8, and never an exception."""
    for outcome in (parse_path(raw), parse_path(raw, smtputf8=True)):
        assert isinstance(outcome, Mailbox | BadAddress) or (outcome is None and not raw)


LOCAL = st.one_of(
    st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}(\.[A-Za-z0-9]{1,10}){0,2}", fullmatch=True),
    st.from_regex(r'"([ !#-\[\]-~]|\\[ -~]){0,20}"', fullmatch=True),
)
DOMAIN = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,10}[A-Za-z0-9])?(\.[A-Za-z]{1,8}){1,3}", fullmatch=True)


@given(LOCAL, DOMAIN)
def test_what_is_written_reads_back_the_same(local: str, domain: str) -> None:
    """`str` of a mailbox is a path, and the path of the same mailbox."""
    mailbox = parse_path(f"{local}@{domain}".encode())
    assert isinstance(mailbox, Mailbox)
    assert mailbox == parse_path(str(mailbox).encode())
    assert mailbox.domain == domain.lower() == domain_of(str(mailbox))


@given(LOCAL, DOMAIN, st.lists(DOMAIN, min_size=1, max_size=3))
def test_a_source_route_changes_nothing(local: str, domain: str, route: list[str]) -> None:
    """RFC 5321 C: accepted and ignored, as long as the whole path is not too long."""
    path = f"{','.join('@' + hop for hop in route)}:{local}@{domain}"
    if len(path) <= PATH_OCTETS:
        assert parse_path(f"{local}@{domain}".encode()) == parse_path(path.encode())


@given(st.text(max_size=50))
def test_a_key_is_its_own_key(address: str) -> None:
    """`normal` of what it gave is the same again."""
    assert normal(address) == normal(normal(address))


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("Alice@Example.COM", "alice@example.com"),
        ("e\u0301va@example.com", "éva@example.com"),
        ("ÉVA@example.com", "éva@example.com"),
        ("\u212aen@example.com", "ken@example.com"),
    ],
)
def test_an_account_has_one_key(written: str, key: str) -> None:
    """Case and composition do not make another account."""
    assert key == normal(written)


def test_full_width_letters_are_another_account() -> None:
    """A look-alike is a different name, so a login with it is an unknown user's."""
    assert "alice@example.com" != normal("\uff41lice@example.com")


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("bob@Example.com", "example.com"),
        ('"a@b"@example.com', "example.com"),
        ("bob", ""),
        ("postmaster@", ""),
    ],
)
def test_the_domain_is_behind_the_last_sign(address: str, domain: str) -> None:
    """And empty where there is none."""
    assert domain == domain_of(address)


VALID = {"ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN", "ISEMAIL_RFC5321"}
ALL_NUMERIC = {"23", "24"}  # test@iana.123, test@255.255.255.255: refused here on purpose (RFC 3696 2)


def test_the_isemail_corpus_is_judged_as_rfc_5321_does() -> None:
    """162 of 164 cases as isemail says; the two others have a number as top-level domain."""
    cases = ElementTree.parse(shared("corpora/isemail/tests.xml")).getroot().findall("test")
    wrong = set()
    for case in cases:
        address = (case.findtext("address") or "").translate({0x2400 + code: code for code in range(0x21)})
        accepted = isinstance(parse_path(address.encode()), Mailbox)
        if accepted != (case.findtext("category") in VALID):
            wrong.add(case.get("id"))
    assert 164 == len(cases)
    assert wrong == ALL_NUMERIC
