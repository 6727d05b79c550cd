"""A line that a stranger makes long and repetitive costs little, in every dialect."""

import time

import pytest

from logs.heard import heard

LONG = 16_000
HEAD = "Jul 22 18:52:46 mx1 "
EXIM = "2023-07-22 18:52:46 1V1Abc-0001De-Fg "
CAME = f"{EXIM}<= x@y.test H=(x) [1.1.1.1] "
QUEUED = f"{HEAD}sm-mta[7]: 56VFYCxS000007: "
COURIER = "id=0038C081.4D026173.000051A4,"
SESSION = "smtpd[5]: f7a2e6aa567530c9 "
QMAIL = f"{HEAD}qmail: 1374486441.012502 "
ENDLESS = (
    (CAME, "[1.1.1.1] P=a "), (CAME, "[1.1.1.1] P=a A=x:y z "), (f"{CAME}P=a ", "K "), (f"{CAME}P=a ",
    'DN="'),
    (f"{CAME}P=a A=x:", "a "), (CAME, "U=a "), (f"{CAME}P=a S=1 ", "[1.1.1.1] P=a S=1 "), (f'{EXIM}<= "',
    "\\a"),
    ("2023-07-22 18:52:46 login authenticator failed for ", "[1.1.1.1] U=a "), (f"{EXIM}=> ", "a ("),
    (f"{EXIM}** a@b: ", "550 "), (f"{QUEUED}from=", ", size=1, class=0, nrcpts=1, relay=a"), (f"{QUEUED}to=",
    ", delay=1, stat"),
    (f"{QUEUED}to=", ", ctladdr=a, delay=1, dsn=1.1.1, "), (f"{QUEUED}AUTH failure (x): ",
    ", user=a, relay=b"),
    (QUEUED, "[1.1.1.1]"), (f"{HEAD}imapd: LOGIN, user=", ", ip=[1.1.1.1]"),
    (f"{HEAD}courierd: newmsg,{COURIER} auth=", ": dns; "), (f"{HEAD}courierd: started,{COURIER}from=<",
    ">,module=a,host=,addr=<"),
    (f"{HEAD}courieresmtp: {COURIER}from=<", ">,addr=<"), (f"{HEAD}cyrus/imap[5]: login: x [1.1.1.1] ",
    "a User logged in "),
    (f"{HEAD}cyrus/imap[5]: badlogin: x [1.1.1.1] ", "a SASL(-1): "), (f"{HEAD}imapd[5]: Login failed",
    " user=a auth=b host=c [1.1.1.1]"),
    (f"{HEAD}saslauthd[5]: do_auth : auth failure: [user=", "] [service=a] [realm="),
    (f"{HEAD}{SESSION}smtp authentication user=", " result=a address=b"), (f"{HEAD}{SESSION}mta delivery ",
    "from=<a> to=<b> result=a "),
    (f"{HEAD}{SESSION}mta delivery evpid=1d5e0a22b7ab2c34 ", "to=<b> result=a "),
    (f"{QMAIL}CHKUSER accepted rcpt: from <", "> rcpt <"),
    (f"{QMAIL}qmail-smtpd: pid 7 Accept::AUTH::plain S:1.1.1.1:x ", " ?= 'a"), (f"{QMAIL}rblsmtpd: ",
    "a blocked 1 "),
    (f"{HEAD}roundcube: Login failed for ", " from 1.1.1.1. A "),
    (f"{HEAD}solid-pop3d[5]: authentication failed for user ", " - 1.1.1.1"),
    ('<co ts="2014-06-02T16:06:33.99" ', ' tr="TCP|a|1|1.1.1.1|2" ap="SMTP" mi="Bad'),
    ("2016-11-07 22:21:20 ", "a [1.1.1.1] "),
    ("Apr-27-13 02:25:09 ", "[a] "), ("Jul 22 18:52:46 x y 1 a ", "["), ("2013-07-22T18:52:46Z x y 1 a [",
    "] ["),
)  # fmt: skip


@pytest.mark.parametrize(("begin", "again"), ENDLESS)
def test_a_long_line_costs_little(begin: str, again: str) -> None:
    """Sixteen kilobytes of the same: time grows with the length, not with its third power (minutes)."""
    begun = time.process_time()
    heard((begin + again * LONG)[:LONG])
    assert time.process_time() - begun < 5
