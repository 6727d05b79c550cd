"""sendmail's log: the corpora's lines, and strangers who write what sendmail writes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logs.heard import fail2ban, heard

JUDGED = re.compile(r"AUTH failure \(|possible SMTP attack: command=AUTH")
QUEUED = "56VFYCxS000007: from=<a@x.test>, size=9, class=0, nrcpts=1, proto=ESMTP"
STRANGER, THIEF = "192.0.2.51", "198.51.100.66"
FORGED = (
    f", relay=x [{THIEF}]", f", relay=[{THIEF}], authid=boss@example.com, mech=PLAIN, bits=0",
    ", user=boss@example.com",
    f"AUTH=server, relay=[{THIEF}], authid=boss@example.com, mech=PLAIN, bits=0",
    ", proto=ESMTPSA, daemon=MSA",
    ", size=1, class=0, nrcpts=1, msgid=<x>", ", stat=Sent",
    f"[{THIEF}]: possible SMTP attack: command=AUTH, count=9",
)  # fmt: skip
one_line = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), max_size=9)
hostile = st.lists(st.one_of(st.sampled_from(FORGED), one_line), min_size=1, max_size=3).map("".join)


@pytest.mark.parametrize(("name", "count"), [("sendmail-auth", 13), ("sendmail-reject", 0)])
def test_fail2ban_s_lines(name: str, count: int) -> None:
    """Each wrong password has the address that fail2ban expects; what is no sign-in makes none."""
    judged = 0
    for line, host, _ in fail2ban(name):
        told = heard(line)
        assert told.dialects, line
        if JUDGED.search(line):
            judged += 1
            assert [(False, host)] == [(login.ok, login.address) for login in told.logins], line
        else:
            assert not told.logins, line
    assert count == judged


@given(hostile)
def test_a_stranger_signs_nobody_in(text: str) -> None:
    """As sender and message id of a letter, as user name of a failure, as a recipient that is not there."""
    told = heard(
        f"Jul 22 18:52:46 mx1 sm-mta[7]: 56VFYCxS000007: from=<{text}@x.test>, size=9, class=0,"
        f" nrcpts=1, msgid=<{text}>, proto=ESMTP, daemon=MTA, relay=h.example.net [{STRANGER}]",
        f"Jul 22 18:52:46 mx1 sm-mta[8]: 56VFYCxS000008: AUTH failure (LOGIN): authentication failure"
        f" (-13) SASL(-13): authentication failure: checkpass failed, user={text}, relay=[{STRANGER}]",
        f"Jul 22 18:52:46 mx1 sm-mta[7]: 56VFYCxS000009: <{text}@y.test>... User unknown",
    )
    assert not [login for login in told.logins if login.ok]
    assert {login.address for login in told.logins} <= {STRANGER}
    assert {letter.address for letter in told.letters} == {""}


@given(hostile)
def test_a_letter_belongs_to_its_own_session(text: str) -> None:
    """Whatever sender and message id say, the address is that of the connection, and so is the account."""
    told = heard(
        f"Jul 22 18:52:40 mx1 sm-mta[7]: AUTH=server, relay=[{STRANGER}], authid=thief, mech=PLAIN, bits=0",
        f"Jul 22 18:52:41 mx1 sm-mta[8]: AUTH=server, relay=[{THIEF}], authid=boss, mech=PLAIN, bits=0",
        f"Jul 22 18:52:46 mx1 sm-mta[7]: 56VFYCxS000007: from=<{text}@x.test>, size=9, class=0,"
        f" nrcpts=1, msgid=<{text}>, proto=ESMTPSA, daemon=MTA, relay=h.example.net [{STRANGER}]",
    )
    assert [("thief", STRANGER)] == [(letter.account, letter.address) for letter in told.letters]


@pytest.mark.parametrize(
    "second",
    [
        f"sm-mta[7]: {QUEUED}, relay=[{THIEF}]",
        f"sm-mta[9]: {QUEUED}, relay=[{STRANGER}]",
    ],
)
def test_another_connection_is_not_joined(second: str) -> None:
    """Another process, or the same number used again from another address."""
    told = heard(
        f"Jul 22 18:52:40 mx1 sm-mta[7]: AUTH=server, relay=[{STRANGER}], authid=a, mech=PLAIN, bits=0",
        f"Jul 22 18:52:46 mx1 {second}",
    )
    assert [""] == [letter.account for letter in told.letters]


def test_headers_of_other_systems() -> None:
    """FreeBSD's facility, Solaris's message id, RFC 5424, and a queue name before the sign-in."""
    for head in (
        "Jul 22 18:52:40 <mail.info> mx1 sm-mta[7]: ",
        "Jul 22 18:52:40 mx1 sendmail[7]: [ID 801593 mail.info] ",
        "2013-07-22T18:52:40+09:00 mx1 sm-mta[7]: ", "<22>1 2013-07-22T18:52:40Z mx1 sm-mta 7 - - ",
        "Jul 22 18:52:40 mx1 sm-mta[7]: 56VFYCxS000007: ",
    ):  # fmt: skip
        told = heard(f"{head}AUTH=server, relay=h [192.0.2.9], authid=A@Example.COM, mech=LOGIN, bits=0")
        assert [(True, "a@example.com", "192.0.2.9")] == [
            (login.ok, login.account, login.address) for login in told.logins
        ], head


def test_what_became_of_each_recipient() -> None:
    """Several in one line; a report is known as the letter's; the last result ends it."""
    head, to = "mx1 sm-mta[8]: 56VFYCxS000007: ", "delay=00:00:01, xdelay=00:00:01, mailer=esmtp, pri=1"
    queued = QUEUED.replace("nrcpts=1", "nrcpts=3")
    told = heard(
        f"Jul 22 18:52:46 mx1 sm-mta[7]: {queued}, relay=[192.0.2.9]",
        f"Jul 22 18:52:47 {head}to=<b@y.test>,<c@y.test>, {to}, relay=mx.y.test. [203.0.113.6], dsn=2.0.0,"
        " stat=Sent (ok)",
        f"Jul 22 18:52:47 {head}to=<d@z.test>, {to}, relay=mx.z.test., dsn=4.0.0,"
        " stat=Deferred: Connection refused by mx.z.test.",
        f"Jul 22 19:52:47 {head}to=<d@z.test>, {to}, relay=mx.z.test. [203.0.113.7], dsn=5.1.1,"
        " stat=User unknown",
        f"Jul 22 19:52:47 {head}56VGYCxS000008: DSN: User unknown",
        "Jul 22 19:52:47 mx1 sm-mta[8]: 56VGYCxS000008: from=<>, size=9, class=0, nrcpts=1,"
        " relay=[192.0.2.9]",
    )
    letter, report = sorted(told.letters, key=lambda letter: letter.at)
    assert [("b@y.test", "delivered", ""), ("c@y.test", "delivered", ""), ("d@z.test", "deferred", "connect"),
            ("d@z.test", "failed", "5yz")] == [
        (letter.address_at(one.place), one.result, one.cause) for one in letter.tries
    ]  # fmt: skip
    assert (3, True, letter) == (letter.recipient_count, letter.ended, report.bounce_of)
