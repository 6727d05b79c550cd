"""qmail-smtpd's lines: what the patches decided is counted, sign-ins that only they tell are taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logs.heard import fail2ban, heard, verdicts

CLASSIC = "Jul 22 18:47:21 mx1 qmail: 1374486441.012502 "
BARE = "Jul 22 18:47:21 mx1 qmail: "
MULTILOG = "@4000000051ecffb300bec5e4 "
LOCAL = "2013-07-22 18:47:21.012502500 "
STRANGER, THIEF = "192.0.2.61", "198.51.100.66"

CHKUSER = (
    "accepted sender: from <a@x.test::> remote <pc:host.x.test:192.0.2.1> rcpt <> : sender accepted",
    (
        "accepted rcpt: from <a@x.test::> remote <pc:unknown:192.0.2.1> rcpt <b@y.test> : found existing"
        " recipient"
    ),
    (
        "rejected rcpt: from <a@x.test::> remote <pc:unknown:192.0.2.1> rcpt <no@y.test> : not existing"
        " recipient"
    ),
    (
        "rejected relaying: from <a@x.test::> remote <pc:unknown:192.0.2.1> rcpt <b@z.test> : client not"
        " allowed to relay"
    ),
    (
        "intrusion threshold: from <a@x.test::> remote <pc:unknown:192.0.2.1> rcpt <no@y.test> : max number"
        " of wrong rcpt"
    ),
    (
        "mbx overquota: from <a@x.test|remoteinfo/auth:|chkuser-identify:> remote <helo:pc|remotehostname:x"
        "|remotehostip:192.0.2.1> rcpt <b@y.test> : rcpt mailbox is overquota"
    ),
)
FIELDS = "P:ESMTP S:192.0.2.1:unknown H:pc F:a@x.test T:b@y.test"
SPAMCONTROL = (
    f"Reject::SNDR::Bad_Helo {FIELDS} '*'", f"Reject::SNDR::Invalid_Relay {FIELDS}",
    f"Reject::ORIG::Bad_Mailfrom {FIELDS} '@'", f"Reject::RCPT::Bad_Rcptto {FIELDS} '*'",
    f"Reject::DATA::Spam_Message {FIELDS} 'spam'", f"Reject::DATA::Bad_MIME {FIELDS} 'TVqQ'",
    f"Accept::RCPT::Recipients_Cdb {FIELDS}", f"Accept::ORIG::Local_Sender {FIELDS}",
    "Accept::AUTH::plain P:ESMTPA S:192.0.2.1:unknown ?= 'a@b.test'",
    "Reject::SNDR::DNS_Helo: S:2001:db8::1:unknown P:SMTP H:pc F:a@x.test T:b@y.test",
)  # fmt: skip


def test_chkuser_s_six_kinds() -> None:
    """Each line is one kind of its own, behind splogger's stamp, without it, and under multilog."""
    for head in (CLASSIC, BARE, MULTILOG, LOCAL):
        counted = verdicts(*(f"{head}CHKUSER {line}" for line in CHKUSER))
        assert {f"CHKUSER {line.partition(':')[0]}": 1 for line in CHKUSER} == counted, head


def test_spamcontrol_s_verdicts_are_counted_by_kind() -> None:
    """Accept or Reject, type and condition; a type that is not known is counted as not understood."""
    lines = [f"qmail-smtpd: pid {number} {line}" for number, line in enumerate(SPAMCONTROL)]
    for head in (CLASSIC, MULTILOG, LOCAL, "Jul 22 18:47:21 mx1 smtpd: 1374486441.012502 "):
        counted = verdicts(*(head + line for line in lines + lines[:1]))
        assert len(SPAMCONTROL) == len(counted), head
        assert (2, 1) == (counted["Reject::SNDR::Bad_Helo"], counted["Accept::ORIG::Local_Sender"])
        unknown = f"{head}qmail-smtpd: pid 7 Reject::MOON::Full {FIELDS}"
        assert (1, {}) == (heard(unknown).unknown, verdicts(unknown))


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("qmail-smtpd: badhelo: <x> at 192.0.2.1", "badhelo"),
        ("qmail-smtpd: badmailfrom: <a@x.test> at 192.0.2.1 matches pattern: ^a@", "badmailfrom"),
        ("qmail-smtpd: badmailtonorelay: <b@y.test> at 192.0.2.1", "badmailtonorelay"),
        ("qmail-smtpd: badrcptto: <b@y.test> at 192.0.2.1", "badrcptto"),
        ("qmail-smtpd: badremotehost: ppp1.x.test matched ^ppp[0-9]", "badremotehost"),
        ("qmail-smtpd: 421 badiprbl: ip 192.0.2.1 rbl: bl.example", "badiprbl"),
        ("rblsmtpd: 192.0.2.1 pid 19597 bl.example: 451 http://bl.example/", "rblsmtpd"),
        ("rblsmtpd: bl.example blocked 192.0.2.1 no -", "rblsmtpd"),
    ],
)
def test_what_other_patches_say(line: str, kind: str) -> None:
    """qregex, badrcptto, badremotehost, rblsmtpd: one kind each."""
    for head in (CLASSIC, BARE, MULTILOG, LOCAL):
        assert {kind: 1} == verdicts(head + line), head
    assert {kind: 1} == verdicts("Jul 22 18:47:21 mx1 " + line)


@pytest.mark.parametrize(
    "line",
    [
        "tcpserver: status: 1/40", "tcpserver: pid 30906 from 192.0.2.1", "tcpserver: end 30906 status 0",
        "tcpserver: ok 30906 mx1:192.0.2.9:25 :192.0.2.1::5555",
        "tcpserver: deny 3 mx1:192.0.2.9:25 :192.0.2.1::5",
        "simscan:[5]:CLEAN (-1.00/5.00):1.0000s:subject:192.0.2.1:a@x.test:b@y.test",
        "qmail-smtpd: mailfrom a@x.test rcptto b@y.test", "qmail-smtpd[5]: MAXRCPT fail [192.0.2.1]",
    ],
)  # fmt: skip
def test_what_decides_nothing(line: str) -> None:
    """Understood, and neither a verdict nor a sign-in."""
    told = heard(CLASSIC + line, MULTILOG + line)
    assert ([], 0, {"qmail-smtpd": 2}) == (
        told.logins,
        told.unknown,
        {k: v for k, v in told.dialects.items() if v},
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"qmail-smtpd[100]: AUTH successful [{STRANGER}] A@b.test", (True, "a@b.test", "")),
        (f"qmail-smtpd[100]: AUTH failed [{STRANGER}] a@b.test", (False, "a@b.test", "password")),
        (f"qmail-smtpd[100]: AUTH failed (bad password) [{STRANGER}] a b", (False, "a b", "password")),
        (f"qmail-smtpd[100]: AUTH failed (unknown user) [{STRANGER}] a", (False, "a", "unknown_user")),
        (f"qmail-smtpd: pid 7 Accept::AUTH::plain P:ESMTPA S:{STRANGER}:unknown ?= 'a@b.test'", (True,
        "a@b.test", "")),
        (f"qmail-smtpd: pid 7 Reject::AUTH::login P:ESMTPA S:{STRANGER}:x.test ?= 'a@b.test'",
         (False, "a@b.test", "password")),
        (f"qmail-smtpd: pid 7 Accept::AUTH::cram P:ESMTPSA S:{STRANGER}:x H:pc F:a@x.test T:b@y.test ?~ 'a'",
         (True, "a", "")),
        ((f"qmail-smtpd: pid 7 from ::ffff:{STRANGER} HELO <pc> MAIL from <a@b.test> RCPT <b@y.test> AUTH"
         " <a@b.test>"
         " Size: 7330 X-Bogosity: No"), (True, "a@b.test", "")),
    ],
)  # fmt: skip
def test_sign_ins(line: str, expected: tuple[bool, str, str]) -> None:
    """jms1's, SPAMCONTROL's, s/qmail's and IndiMail's forms."""
    for head in (CLASSIC, BARE, MULTILOG, LOCAL):
        assert [(*expected, STRANGER)] == [
            (one.ok, one.account, one.why, one.address) for one in heard(head + line).logins
        ], head


def test_a_relayed_letter_of_nobody_is_no_sign_in() -> None:
    """IndiMail writes `local-rcpt` where nobody signed in; with two users a stranger's text imitates one."""
    line = f"{CLASSIC}qmail-smtpd: pid 7 from {STRANGER} HELO <pc> MAIL from <a@b.test> RCPT <b@y.test>"
    assert not heard(f"{line} AUTH <local-rcpt> Size: 7330").logins
    assert not heard(f"{line} AUTH <boss> Size: 1 AUTH <local-rcpt> Size: 7330").logins


@pytest.mark.parametrize("result", ["AUTH successful", "AUTH failed"])
def test_beside_vchkpw_it_is_a_second_witness(result: str) -> None:
    """The same sign-in in both lines counts once; vchkpw's service stays."""
    verb = "(PLAIN) login success" if "successful" in result else "password fail"
    told = heard(
        f"Jul 22 18:47:22 mx1 vpopmail[5]: vchkpw-submission: {verb} a@b.test:{STRANGER}",
        f"{CLASSIC}qmail-smtpd[4]: {result} [{STRANGER}] a@b.test",
        f"{CLASSIC}qmail-smtpd[4]: {result} [192.0.2.99] a@b.test",
    )
    assert [("submission", STRANGER), ("smtp", "192.0.2.99")] == [
        (one.service, one.address) for one in told.logins if one.account
    ]


FORGED = (
    f"AUTH successful [{THIEF}] boss", " ?= 'boss@b.test'", " ?~ 'boss@b.test'", f" S:{THIEF}:x",
    " AUTH <boss> Size: 9",
    f"qmail-smtpd[9]: AUTH successful [{THIEF}] boss", f"Accept::AUTH::plain P:x S:{THIEF}:x ?= 'boss'",
    "> at 9.9.9.9",
)  # fmt: skip
one_line = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), max_size=9)
hostile = st.lists(st.one_of(st.sampled_from(FORGED), one_line), min_size=1, max_size=3).map("".join)


@given(hostile)
def test_a_stranger_signs_nobody_in(text: str) -> None:
    """As greeting, sender, recipient and user name in every form of line."""
    for line in (
        (
            f"qmail-smtpd: pid 7 Reject::SNDR::Bad_Helo P:SMTP S:{STRANGER}:unknown H:{text} F:{text}"
            " '*'"
        ),
        (
            f"qmail-smtpd: pid 7 Accept::RCPT::Recipients_Cdb P:SMTP S:{STRANGER}:unknown H:{text} F:{text}"
            f" T:{text}"
        ),
        f"qmail-smtpd: badmailfrom: <{text}> at {STRANGER}",
        f"qmail-smtpd[7]: AUTH failed [{STRANGER}] {text}",
        f"qmail-smtpd: pid 7 Reject::AUTH::login P:SMTP S:{STRANGER}:x ?= '{text}'",
        f"CHKUSER rejected rcpt: from <{text}::> remote <{text}:unknown:{STRANGER}> rcpt <{text}> : no",
        (
            f"qmail-smtpd: pid 7 from {STRANGER} HELO <{text}> MAIL from <{text}> RCPT <b@y.test> AUTH"
            " <local-rcpt> Size: 7"
        ),
    ):
        told = heard(CLASSIC + line, MULTILOG + line)
        assert not [login for login in told.logins if login.ok], line
        assert {login.address for login in told.logins} <= {STRANGER}, line


def test_fail2ban_s_lines() -> None:
    """None of them is a sign-in, all are understood."""
    for line, _, _ in fail2ban("qmail"):
        told = heard(line)
        assert ([], 0) == (told.logins, told.unknown), line
