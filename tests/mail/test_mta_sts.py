"""MTA-STS records and policies: what is one, what is none, and which hosts a policy allows."""

import pytest

from sekisho.mail.mta_sts import AGE_MAX_S, Policy, parse_policy, record_id

POLICY = (
    b"version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.Example.net\r\nmax_age: 604800\r\n"
)


@pytest.mark.parametrize(
    ("texts", "ident"),
    [
        ([b"v=STSv1; id=20160831085700Z;"], "20160831085700Z"),
        ([b"v=STSv1;id=1"], "1"),
        ([b"v=STSv1; ext=x; id=1; more=y"], "1"),
        ([b"v=spf1 -all", b"v=STSv1; id=1;"], "1"),
        ([b"v=STSv1; id=1;", b"v=STSv1; id=2;"], ""),
        ([b"v=STSv1; id=;"], ""),
        ([b"v=STSv1; id=a-b;"], ""),
        ([b"v=STSv1; id=" + b"1" * 33], ""),
        ([b"v=STSv1"], ""),
        ([b"v=STSv2; id=1;"], ""),
        ([b"\xff\xfe"], ""),
        ([], ""),
    ],
)
def test_records(texts: list[bytes], ident: str) -> None:
    """RFC 8461 3.1: exactly one that begins with v=STSv1, with an id of letters and digits."""
    assert ident == record_id(texts)


def test_a_policy() -> None:
    """Line ends of either kind; names in any case; an asterisk is one label."""
    for body in (POLICY, POLICY.replace(b"\r\n", b"\n")):
        policy = parse_policy(body, "1")
        assert Policy("1", "enforce", ("mail.example.com", "*.example.net"), 604800) == policy
    assert policy is not None
    for host, allowed in {
        "mail.example.com": True,
        "MAIL.example.com.": True,
        "a.example.net": True,
        "a.b.example.net": False,
        "example.net": False,
        "mail.example.com.evil.test": False,
        "xmail.example.com": False,
    }.items():
        assert allowed == policy.allows(host)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"version: STSv2\nmode: none\nmax_age: 1\n",
        b"mode: enforce\nmx: a.test\nmax_age: 1\n",
        b"version: STSv1\nmode: strict\nmx: a.test\nmax_age: 1\n",
        b"version: STSv1\nmode: enforce\nmax_age: 1\n",
        b"version: STSv1\nmode: enforce\nmx: a.test\n",
        b"version: STSv1\nmode: enforce\nmx: a.test\nmax_age: -1\n",
        b"version: STSv1\nmode: enforce\nmx: a.test\nmax_age: \xd9\xa3\n",
        b"version: STSv1\nmode: enforce\nmx: a.*.test\nmax_age: 1\n",
        b"version: STSv1\nmode: enforce\nmx: a b\nmax_age: 1\n",
        b"<html>not found</html>",
        b"\x00\xff" * 100,
    ],
)
def test_no_policy(body: bytes) -> None:
    """Anything that is not exactly one is none."""
    assert parse_policy(body, "1") is None


def test_limits_of_a_policy() -> None:
    """No longer than a year; mode none needs no hosts; unknown keys and repeated ones are not read."""
    policy = parse_policy(b"version: STSv1\nmode: none\nmode: enforce\nmax_age: 9999999999\nfoo: bar\n", "1")
    assert policy is not None and ("none", AGE_MAX_S) == (policy.mode, policy.max_age_s)
