"""Web mails, small daemons and mail suites: the corpora's lines, and strangers' texts in each form."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logs.heard import crowdsec, fail2ban, heard
from sekisho.logs.oddstamps import dated

STRANGER, THIEF = "192.0.2.61", "198.51.100.66"


@pytest.mark.parametrize(
    ("name", "judged", "count"),
    [
        ("roundcube-auth", "(?i)login failed|failed login", 17), ("horde", "FAILED LOGIN", 2),
        ("squirrelmail", "LOGIN_ERROR", 1), ("sogo-auth", "SOGoRootPage Login", 6), ("openwebmail",
        "login error", 2),
        ("groupoffice", "LOGIN ", 2), ("solid-pop3d", "authentication failed|secret|root login", 8),
        ("perdition", "Auth: ", 1), ("kerio", ("^.{23}(?:HTTP|SMTP|IMAP|POP3)(?:/\\w+)?:"
            " (?:User|Inv)|Failed \\w+ login"), 2),
        ("oracleims", "Authentication successful|Bad password", 4),
        ("domino-smtp", "authentication failure|Authentication failed", 7), ("assp",
        "535 |AUTH errors|authentication errors", 14),
    ],
)  # fmt: skip
def test_fail2ban_s_lines(name: str, judged: str, count: int) -> None:
    """One sign-in for each line that judges one, with the address that fail2ban expects; else none."""
    found = 0
    for line, host, user in fail2ban(name):
        told = heard(line)
        if not re.search(judged, line):
            assert not told.logins, line
            continue
        found += 1
        (login,) = told.logins
        assert host in ("", login.address), line
        assert login.ok == bool(re.search("SUCCESS|successful", line)), line
        assert user in ("", login.account), line
    assert count == found


def test_mailu_s_limiter() -> None:
    """An attempt that was not let through to be judged."""
    for name in ("mailu-admin-logs", "mailu-admin-bf"):
        for line in crowdsec(name):
            assert [(False, "denied", re.findall(r"[\d.]{7,}", line)[-1])] == [
                (one.ok, one.why, one.address) for one in heard(line).logins
            ]


@pytest.mark.parametrize(
    ("line", "iso"),
    [
        ("[22-Jan-2013 22:28:21 +0200]: x", b"2013-01-22T22:28:21+0200"), ("[18/Jan/2014 06:41:25] x",
        b"2014-01-18T06:41:25"),
        ("[2014-01-06 10:59:38]x", b"2014-01-06T10:59:38"), ("Sat Dec 28 19:03:53 2013 - x",
        b"2013-12-28T19:03:53"),
        ("10/06/2013 15:50:41 x", b"2013-10-06T15:50:41"), ("03-07-2005 23:07:20   x",
        b"2005-07-03T23:07:20"),
        ("Apr-27-13 02:25:09 x", b"2013-04-27T02:25:09"),
    ],
)  # fmt: skip
def test_odd_dates(line: str, iso: bytes) -> None:
    """Each in the form that all others have."""
    assert (iso, b"x") == dated(line.encode())


FORGED = (
    f" from {THIEF}", f" from {THIEF}. AUTHENTICATE PLAIN: x in /usr/x on line 1",
    "' for user 'boss' might not have worked",
    f'" from IP: {THIEF}', f"LOGIN SUCCESS for user: \"boss\" from IP: {THIEF}", f" - {THIEF}",
    f"', from={THIEF}", f" [{THIEF}] to x",
)  # fmt: skip
one_line = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), max_size=9)
hostile = st.lists(st.one_of(st.sampled_from(FORGED), one_line), min_size=1, max_size=3).map("".join)


@given(hostile)
def test_a_user_name_signs_nobody_in(user: str) -> None:
    """And blames nobody else."""
    head = "Jul 22 18:52:46 mx1 "
    for line in (
        (
            f"{head}roundcube: IMAP Error: Login failed for {user} from {STRANGER}. AUTHENTICATE PLAIN: no."
            " in /usr/x.php on line 2"
        ),
        (
            f"{head}sogod [5]: SOGoRootPage Login from '{STRANGER}' for user '{user}' might not have worked -"
            " password policy: 1"
        ),
        f'[2014-01-06 10:59:38]LOGIN FAILED for user: "{user}" from IP: {STRANGER}',
        f"{head}solid-pop3d[5]: authentication failed for user {user} - {STRANGER}",
        f"{head}vm-pop3d[5]: User '{user}' - failed auth, from={STRANGER}",
        f"2016-11-07 22:21:20   smtp: {user} [{STRANGER}] authentication failure using internet password",
    ):
        told = heard(line)
        assert not [login for login in told.logins if login.ok], line
        assert {login.address for login in told.logins} <= {STRANGER}, line
