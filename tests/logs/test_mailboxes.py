"""Servers that open mailboxes, and the daemons that judge passwords for them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logs.heard import fail2ban, heard

STRANGER, THIEF = "192.0.2.61", "198.51.100.66"
HEAD = "Jul 22 18:52:46 mx1 "
FORGED = (
    f", ip=[::ffff:{THIEF}]", f"LOGIN, user=boss@example.com, ip=[{THIEF}]",
    f"x [{THIEF}] boss plaintext User logged in",
    f" host=x [{THIEF}]", "] [service=imap] [realm=] [mech=pam] [reason=x", " User logged in", "SASL(-13): x",
    " user=boss",
    f"login: x [{THIEF}] boss plain User logged in", "auth=boss",
)  # fmt: skip
one_line = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), max_size=9)
hostile = st.lists(st.one_of(st.sampled_from(FORGED), one_line), min_size=1, max_size=3).map("".join)


@pytest.mark.parametrize(
    ("name", "dialect", "judged", "count"),
    [
        ("courier-auth", "courier", r"LOGIN FAILED", 6), ("courier-smtp", "courier", r'msg="535 ', 3),
        ("cyrus-imap", "cyrus", r"badlogin: ", 10), ("sieve", "cyrus", r"badlogin: ", 3),
        ("uwimap-auth", "uw-imap", r"host=", 6),
    ],
)  # fmt: skip
def test_fail2ban_s_lines(name: str, dialect: str, judged: str, count: int) -> None:
    """Each wrong password has the address and the user that fail2ban expects; the rest are no sign-ins."""
    found = 0
    for line, host, user in fail2ban(name):
        told = heard(line)
        assert {dialect: 1} == told.dialects, line
        if not re.search(judged, line):
            assert not told.logins, line
            continue
        found += 1
        assert [(False, host)] == [(login.ok, login.address) for login in told.logins], line
        assert user in ("", told.logins[0].account)
    assert count == found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("imapd-ssl: LOGIN, user=A@Example.com, ip=[::ffff:192.0.2.60], port=[5], protocol=IMAP",
         ("imaps", True, "a@example.com", "192.0.2.60")),
        ("pop3d: LOGIN, user=a, ip=[2001:DB8::60], port=[5]", ("pop3", True, "a", "2001:db8::60")),
        ("pop3d: LOGIN FAILED, user=a@b.test, ip=[::ffff:192.0.2.61]", ("pop3", False, "a@b.test",
        "192.0.2.61")),
        ("courierpop3login: LOGIN, user=web10_x, ip=[::ffff:192.0.2.60]", ("pop3", True, "web10_x",
        "192.0.2.60")),
        ("cyrus/imap[5]: login: pc.test [192.0.2.60] a@b.test plaintext User logged in",
         ("imap", True, "a@b.test", "192.0.2.60")),
        ("cyrus/imaps[5]: login: [192.0.2.60] a@b.test PLAIN+TLS User logged in SESSIONID=<cyrus-5-1-1>",
         ("imaps", True, "a@b.test", "192.0.2.60")),
        (("pop3[5]: badlogin: pc.test [192.0.2.61] plaintext a b SASL(-13): authentication failure:"
          " checkpass failed"),
         ("pop3", False, "a b", "192.0.2.61")),
        (("imaps[5]: badlogin: pc [192.0.2.61] PLAIN [SASL(-13): user not found: user: a@b.test property: x"
          " not found]"),
         ("imaps", False, "a@b.test", "192.0.2.61")),
        ("ipop3d[5]: Login user=a host=pc.test [192.0.2.60] nmsgs=3/3", ("pop3", True, "a", "192.0.2.60")),
        ("imapd[5]: Authenticated user=a host=pc.test [192.0.2.60] mech=PLAIN", ("imap", True, "a",
        "192.0.2.60")),
        (("saslauthd[5]: do_auth         : auth failure: [user=a] [service=smtp] [realm=b.test] [mech=pam]"
          " [reason=x]"),
         ("smtp", False, "a@b.test", "")),
        (("pop(pam_unix)[5]: authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=192.0.2.61"
          " user=a"),
         ("pop3", False, "a", "192.0.2.61")),
        (("dovecot-auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot"
         " ruser=a@b.test"
         " rhost=192.0.2.61  user=a"), ("imap", False, "a", "192.0.2.61")),
    ],
)  # fmt: skip
def test_what_each_line_says(line: str, expected: tuple[str, bool, str, str]) -> None:
    """Service, result, account and address."""
    told = heard(HEAD + line)
    assert [expected] == [(one.service, one.ok, one.account, one.address) for one in told.logins]
    assert 0 == told.unknown


@pytest.mark.parametrize(
    "line",
    [
        (
            "sshd[5]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser="
            " rhost=192.0.2.61"
        ),
        "saslauthd[5]: do_auth : auth failure: [user=a] [service=openvpn] [realm=] [mech=pam] [reason=x]",
        "imapd: LOGOUT, user=a, ip=[::ffff:192.0.2.60], headers=0, body=0, time=0",
        "imapd[5]: Logout user=a host=pc [192.0.2.60]",
    ],
)
def test_what_is_no_sign_in_of_mail(line: str) -> None:
    """Other services' passwords, and the ends of sessions."""
    assert not heard(HEAD + line).logins


@given(hostile)
def test_a_user_name_signs_nobody_in(user: str) -> None:
    """A stranger's name is a failure of that name from his own address, whatever it spells."""
    for line in (
        f"imapd: LOGIN FAILED, user={user}, ip=[::ffff:{STRANGER}], port=[5]",
        (
            f"cyrus/imap[5]: badlogin: pc.test [{STRANGER}] plaintext {user} SASL(-13): authentication"
            " failure: no"
        ),
        f"imapd[5]: Login failed user={user} auth={user} host=pc.test [{STRANGER}]",
        (
            f'courieresmtpd: error,relay={STRANGER},port=5,msg="535 Authentication failed.",cmd: AUTH LOGIN'
            f" {user}"
        ),
        f"saslauthd[5]: do_auth : auth failure: [user={user}] [service=smtp] [realm=] [mech=pam] [reason=no]",
    ):
        told = heard(HEAD + line)
        assert not [login for login in told.logins if login.ok], line
        assert {login.address for login in told.logins} <= {STRANGER, ""}, line


def test_a_second_witness_is_not_a_second_failure() -> None:
    """saslauthd's line beside sendmail's or cyrus's counts once, with the address; alone it counts too."""
    witness = (
        "saslauthd[5]: do_auth : auth failure: [user=a] [service=smtp] [realm=b.test] [mech=pam] [reason=x]"
    )
    server = (
        "sm-mta[6]: 56VFYCxS000006: AUTH failure (PLAIN): authentication failure (-13) SASL(-13): no,"
        " user={},"
        f" relay=[{STRANGER}]"
    )
    for name in ("a@b.test", "a"):
        told = heard(HEAD + witness, HEAD + server.format(name), HEAD.replace(":46", ":59") + witness)
        assert sorted([(name, STRANGER), ("a@b.test", "")]) == sorted(
            (login.account, login.address) for login in told.logins if login.account
        )


def test_courier_s_letters() -> None:
    """`auth=` of a new letter is the account that sent it; results come with the words before them."""
    name = "0038C081.4D026173.000051A4"
    told = heard(
        f"{HEAD}courierd: newmsg,id={name}, auth=a@b.test: dns; pc (pc [::ffff:192.0.2.60])",
        f"{HEAD}courierd: started,id={name},from=<other@b.test>,module=esmtp,host=c.test,addr=<x@c.test>",
        f"{HEAD}courierd: started,id={name},from=<other@b.test>,module=esmtp,host=c.test,addr=<y@c.test>",
        f"{HEAD}courieresmtp: id={name},from=<other@b.test>,addr=<x@c.test>: 550 5.1.1 no such user",
        f"{HEAD}courieresmtp: id={name},from=<other@b.test>,addr=<x@c.test>,size=9,status: failure",
        (
            f"{HEAD}courieresmtp: id={name},from=<other@b.test>,addr=<y@c.test>,size=9,success: delivered: mx"
            " [192.0.2.9]"
        ),
        f"{HEAD}courierd: completed,id={name}",
    )
    (letter,) = told.letters
    assert ("a@b.test", "192.0.2.60", "other@b.test", True, 0) == (
        letter.account, letter.address, letter.sender, letter.ended, told.unknown,
    )  # fmt: skip
    assert [("x@c.test", "failed", 550), ("y@c.test", "delivered", 0)] == [
        (letter.address_at(one.place), one.result, one.code) for one in letter.tries
    ]
