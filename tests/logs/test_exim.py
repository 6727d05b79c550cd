"""Exim's log: both corpora, and strangers who write what Exim writes."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logs.heard import crowdsec, fail2ban, heard

FAILED = re.compile(r"authenticator failed for .*: 535 ")
STRANGER, THIEF = "192.0.2.51", "198.51.100.66"
FORGED = (
    f"x) [{THIEF}]:25 P=esmtpa A=login:boss@example.com S=1",
    f"x) [{THIEF}] P=esmtpa A=login:boss@example.com S=1 id=a@b T=\"",
    f"[{THIEF}]", f"[{THIEF}]: 535 Incorrect authentication data (set_id=boss@example.com)",
    "A=plain:boss@example.com", " A=plain:boss@example.com S=5 ",
    f" H=(q) [{THIEF}] P=esmtpsa A=x:boss@example.com S=9",
    "<= boss@example.com", '" for a@b', "(set_id=boss@example.com)", f") [{THIEF}]: 535 ", "\\", '"',
)  # fmt: skip
one_line = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), max_size=9)
hostile = st.lists(st.one_of(st.sampled_from(FORGED), one_line), min_size=1, max_size=3).map("".join)


def quoted(text: str) -> str:
    """As Exim writes a subject."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


@pytest.mark.parametrize("name", ["exim", "exim-spam"])
def test_fail2ban_s_lines(name: str) -> None:
    """Each wrong password has the address that fail2ban expects; what is no sign-in makes none."""
    judged = 0
    for line, host, _ in fail2ban(name):
        told = heard(line)
        if FAILED.search(line):
            judged += 1
            assert [(False, host)] == [(login.ok, login.address) for login in told.logins], line
        elif "authenticator failed" not in line:
            assert not told.logins, line
    assert judged == (12 if name == "exim" else 0)


def test_crowdsec_s_lines() -> None:
    """The account and the address of each."""
    for name in ("exim-logs", "exim-bf", "exim-syslog-logs", "exim-spam"):
        for line in crowdsec(name):
            told = heard(line)
            match = re.search(r"\[([\d.]+)\](?::\d+)?: 535 .*\(set_id=(.*)\)", line)
            expected = [(False, match[2], match[1])] if match else []
            assert expected == [(login.ok, login.account, login.address) for login in told.logins], line


@given(hostile, hostile, st.booleans())
def test_a_stranger_signs_nobody_in(greeting: str, subject: str, authenticated: bool) -> None:
    """Whatever he greets with and writes into subject, message id and sender: no account of ours is touched,
    and no other address is blamed for his own."""
    signed = " A=login:thief@example.com" if authenticated else ""
    line = (
        f"2023-07-22 18:52:46 1V1Abc-0001De-Fg <= x@example.org H=({greeting}) [{STRANGER}]:50123"
        f' P=esmtp{"a" if authenticated else ""}{signed} S=2101 id=1@x T="{quoted(subject)}" for a@x.test'
    )
    told = heard(line)
    assert not [login for login in told.logins if login.account != "thief@example.com"]
    assert not told.logins or authenticated
    assert {login.address for login in told.logins} <= {STRANGER}


@given(hostile)
def test_a_subject_hides_no_takeover(subject: str) -> None:
    """With an ordinary greeting his letter is joined to him whatever its subject says."""
    line = (
        f"2023-07-22 18:52:46 1V1Abc-0001De-Fg <= x@example.org H=(pc) [{STRANGER}]:50123 P=esmtpsa"
        f' CV=no A=login:thief@example.com S=2101 id=1@x T="{quoted(subject)}"'
    )
    told = heard(line)
    assert [("thief@example.com", STRANGER)] == [(login.account, login.address) for login in told.logins]
    assert ["thief@example.com"] == [letter.account for letter in told.letters]


@pytest.mark.parametrize(
    "name",
    [
        'CN=x" A=plain:victim@example.com C="',
        'CN=\\\\" A=plain:victim@example.com C=\\\\"',
        'x" S=5 A=plain:victim@example.com"',
    ],
)
@pytest.mark.parametrize("signed", ["", " A=login:bob@example.com"])
def test_a_certificate_s_name_signs_nobody_in(name: str, signed: str) -> None:
    """Exim writes it between quotes and escapes none of those within; who really signed in stands behind."""
    told = heard(
        f"2023-07-22 18:52:46 1V1Abc-0001De-Fg <= a@example.com H=x [{STRANGER}]:5 P=esmtpsa X=TLS1.3 CV=no"
        f' DN="{name}"{signed} S=500'
    )
    assert not [login for login in told.logins if login.account == "victim@example.com"]


@given(hostile)
def test_a_user_name_blames_nobody_else(user: str) -> None:
    """`set_id` is what the stranger typed: the address is the one before it, and nobody is signed in."""
    told = heard(
        f"2023-07-22 18:52:46 login authenticator failed for (x) [{STRANGER}]:99:"
        f" 535 Incorrect authentication data (set_id={user})"
    )
    assert [(False, STRANGER)] == [(login.ok, login.address) for login in told.logins]


def test_what_became_of_each_recipient() -> None:
    """Delivered, failed and deferred, with code, status and cause; a second try changes the first."""
    told = heard(
        "2023-07-22 18:52:46 1V1Abc-0001De-Fg <= a@example.com H=(pc) [192.0.2.50] P=esmtpa A=login:a S=9",
        '2023-07-22 18:52:47 1V1Abc-0001De-Fg => b@x.test R=r T=t H=mx [203.0.113.6] C="250 ok"',
        "2023-07-22 18:52:47 1V1Abc-0001De-Fg ** c@x.test R=r T=t: SMTP error from remote mail server after"
        " RCPT TO:<c@x.test>: 550 5.1.1 no",
        "2023-07-22 18:52:47 1V1Abc-0001De-Fg == d@x.test R=r T=t defer (111): Connection refused",
        "2023-07-22 18:52:48 1V1Abc-0001De-Fg ** e@nowhere.test: Unrouteable address",
        '2023-07-22 18:59:48 1V1Abc-0001De-Fg -> d <d@x.test> R=r T=t C="250 ok"',
        "2023-07-22 18:59:48 1V1Abc-0001De-Fg Completed",
    )
    (letter,) = told.letters
    tries = [
        (letter.address_at(one.place), one.result, one.cause, one.code, one.status) for one in letter.tries
    ]
    assert [
        ("b@x.test", "delivered", "", 0, ""), ("c@x.test", "failed", "5yz", 550, "5.1.1"),
        ("d@x.test", "deferred", "connect", 0, ""), ("e@nowhere.test", "failed", "dns", 0, ""),
        ("d@x.test", "delivered", "", 0, ""),
    ] == tries  # fmt: skip
    assert letter.ended and letter.recipient_count == 4


def test_our_own_client_s_failure_is_no_attack() -> None:
    """Without `for` it was this host that could not sign in elsewhere."""
    told = heard("2023-07-22 18:52:46 1V1Abc-0001De-Fg login authenticator failed H=mx [192.0.2.9] 535 no")
    assert ([], 0) == (told.logins, told.unknown)


def test_what_a_real_exim_wrote() -> None:
    """Exim 4.96, told to log subjects and recipients and to accept any greeting, with a liar as client."""
    told = heard(*(Path(__file__).parent / "exim-4.96.log").read_text().splitlines())
    assert [
        (True, "a@b.test"), (False, "a@b.test"), (False, "boss) [9.9.9.9]: 535 x (set_id=q"),
        (True, "a@b.test"),
        (True, "a@b.test"), (True, "we ird"), (False, ""),
    ] == [(login.ok, login.account) for login in told.logins]  # fmt: skip
    assert {"127.0.0.1"} == {login.address for login in told.logins}
    first = next(letter for letter in told.letters if letter.recipient_count == 4)
    assert ("a@b.test", True, 210) == (first.account, first.ended, first.size)
    assert {
        "x@y.test": "delivered", "dead@y.test": "failed", "wait@y.test": "failed", "z@far.test": "failed",
    } == {first.address_at(place): result for place, result in first.results().items()}  # fmt: skip
    liar = next(letter for letter in told.letters if letter.sender == "x@y.test")
    assert ("", "", 1) == (liar.account, liar.address, told.unknown)
