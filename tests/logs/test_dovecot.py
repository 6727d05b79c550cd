"""Dovecot's lines: who came in by which door, whose password was wrong, and that one failure counts once."""

import json
from collections import Counter
from datetime import UTC, datetime

import pytest

from covers import covers
from logs.lines import micros
from sekisho.logs.ledger import Ledger
from sekisho.logs.reading import Place, Reader
from sekisho.logs.stamp import Calendar
from shared import shared

USER = "taro@example.com"
TAIL = ", lip=192.0.2.1, TLS, session=<AbCdEfGh>"
HEADS = (
    "Jul 22 18:52:46 mx1 dovecot: {}: ",
    "2013-07-22T18:52:46.1+09:00 mx1 dovecot[7]: {}: ",
    "Jul 22 18:52:46 {}: Info: ",
)
Failure = tuple[str, str, str, str]


def read(*lines: str) -> Reader:
    reader = Reader(Ledger())
    reader.begin(Place(0, b"log", Calendar(UTC, micros(datetime(2013, 7, 1, tzinfo=UTC)))))
    for line in lines:
        reader.read_line(line.encode("utf-8", "surrogateescape"))
    reader.settle()
    return reader


def failures(reader: Reader) -> Counter[Failure]:
    """Account, address, service and why of every failure."""
    tallies = reader.ledger.tallies()
    return Counter({
        (login.account, login.address, login.service, login.why): tallies[key]
        for key, login in enumerate(reader.ledger.logins) if not login.ok
    })  # fmt: skip


DOORS = {
    "imap-login": "imap",
    "pop3-login": "pop3",
    "submission-login": "submission",
    "managesieve-login": "managesieve",
}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("verb", ["Login", "Logged in"])
def test_who_came_in(head: str, door: str, verb: str) -> None:
    """By any door, in any header: syslog's, or Dovecot's own file without a host."""
    reader = read(
        head.format(door) + f"{verb}: user=<Taro@Example.com>, method=PLAIN, rip=2001:DB8::30{TAIL}"
    )
    (login,) = reader.ledger.logins
    assert (True, USER, "2001:db8::30", DOORS[door], "PLAIN") == (
        login.ok, login.account, login.address, login.service, login.mechanism,
    )  # fmt: skip


REFUSALS = (
    "Aborted login (auth failed, 1 attempts in 17 secs)",
    "Disconnected (auth failed, 2 attempts)",
    "Disconnected: Inactivity (auth failed, 1 attempts)",
    "Client has quit the connection (auth failed, 1 attempts in 2 secs)",
    "Remote closed connection (auth failed, 3 attempts in 9 secs)",
    "Login aborted: Connection closed (auth failed, 3 attempts in 16 secs) (auth_failed)",
    ("Disconnected: Connection closed: read(size=1003) failed: Connection reset by peer (auth failed, 1"
    " attempts in 0 secs)"),
    "Disconnected (proxy dest auth failed)",
    "Aborted login (1 authentication attempts)",
)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("words", REFUSALS)
def test_whose_password_was_wrong(head: str, words: str) -> None:
    """Every wording of 2.0 to 2.4; `Login aborted` is no login."""
    reader = read(head.format("imap-login") + f"{words}: user=<{USER}>, method=PLAIN, rip=192.0.2.31{TAIL}")
    assert Counter({(USER, "192.0.2.31", "imap", ""): 1}) == failures(reader)
    assert 0 == sum(login.ok for login in reader.ledger.logins)


@pytest.mark.parametrize(
    "words",
    [
        "Disconnected (no auth attempts in 4 secs): user=<>, rip=192.0.2.7, lip=192.168.1.2, TLS handshaking",
        ("Disconnected: Inactivity (client didn't finish SASL auth, waited 0 secs): user=<>,"
        " method=PLAIN, rip=192.0.2.7"),
        ("Disconnected: Auth process broken (disconnected before auth was ready, waited 0 secs): user=<>,"
        " rip=192.0.2.7"),
        ("Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10): user=<a>,"
        " rip=192.0.2.7"),
    ],
)
def test_no_password_was_judged(words: str) -> None:
    """Nobody's failure."""
    reader = read(HEADS[0].format("imap-login") + words)
    assert (0, 0) == (len(reader.ledger), reader.shapes.count)


@pytest.mark.parametrize("where", ["10.0.0.9:143", "10.0.0.9:143 (0.005 secs)", "[fd00::9]:143"])
def test_a_proxy_and_the_server_behind_it_tell_of_one_sign_in(where: str) -> None:
    """The session has one name in both logs."""
    fields = f"user=<{USER}>, method=PLAIN, rip=192.0.2.30{TAIL}"
    reader = read(
        HEADS[0].format("imap-login") + f"proxy({USER}): started proxying to {where}: {fields}",
        HEADS[0].format("imap-login") + f"Login: {fields}",
    )
    assert 1 == len(reader.ledger)


WORKER = (
    "Jul 22 18:52:{:02d} mx1 dovecot: auth-worker(88): conn unix:auth-worker (pid=12,uid=97):"
    " auth-worker<5>: sql({}): {}"
)
DOOR = (
    "Jul 22 18:52:{:02d} mx1 dovecot: imap-login: Disconnected (auth failed, {} attempts in 9"
    " secs): user=<{}>, method=PLAIN, rip={}"
)
SMTP = (
    "Jul 22 18:52:{:02d} mx1 postfix/submission/smtpd[9]: warning: unknown[{}]: SASL PLAIN"
    " authentication failed: {}"
)


def test_the_authentication_server_s_word_is_no_second_failure() -> None:
    """It tells whether there is such a user; the door tells of the failure."""
    reader = read(
        WORKER.format(1, "a@x.example,192.0.2.32,<Ab>", "Password mismatch"),
        DOOR.format(9, 1, "a@x.example", "192.0.2.32"),
        WORKER.format(10, "b@x.example,192.0.2.32,<Cd>", "unknown user"),
        DOOR.format(19, 1, "b@x.example", "192.0.2.32"),
    )  # fmt: skip
    assert Counter({
        ("a@x.example", "192.0.2.32", "imap", "password"): 1,
        ("b@x.example", "192.0.2.32", "imap", "unknown_user"): 1,
    }) == failures(reader)  # fmt: skip


def test_an_old_postfix_learns_whose_password_it_was() -> None:
    """It does not say so itself; another address's failure is not taken for it."""
    reader = read(
        WORKER.format(1, "a@x.example,192.0.2.33", "Password mismatch"),
        SMTP.format(3, "192.0.2.33", "UGFzc3dvcmQ6"),
        SMTP.format(4, "192.0.2.99", "UGFzc3dvcmQ6"),
    )  # fmt: skip
    assert Counter({
        ("a@x.example", "192.0.2.33", "submission", "password"): 1, ("", "192.0.2.99", "submission", ""): 1,
    }) == failures(reader)  # fmt: skip


def test_what_no_door_tells_of_is_counted_once() -> None:
    """However many tables were asked about the password."""
    reader = read(
        WORKER.format(1, "a@x.example,192.0.2.32,<Ab>", "unknown user"),
        WORKER.format(2, "a@x.example,192.0.2.32,<Ab>", "Password mismatch (given password: hunter2)"),
        WORKER.format(30, "a@x.example,192.0.2.32,<Cd>", "Password mismatch"),
    )  # fmt: skip
    assert Counter({("a@x.example", "192.0.2.32", "auth", "password"): 2}) == failures(reader)


NAMES = (
    "boss@example.com", "x>, method=PLAIN, rip=6.6.6.6", "x>, method=PLAIN, rip=6.6.6.6, session=<b",
    "Login: user=<boss>, rip=6.6.6.6", "x,6.6.6.6): Password mismatch",
    "(auth failed, 9 attempts): user=<boss",
    "\\\x1b[31m", "имя\udcff", "",
)  # fmt: skip


@pytest.mark.parametrize("text", NAMES)
@pytest.mark.parametrize(
    "line",
    [
        "imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<{}>, method=PLAIN,"
        " rip=192.0.2.31" + TAIL,
        "imap-login: Disconnected (no auth attempts in 2 secs): user=<{}>, rip=192.0.2.31" + TAIL,
        "auth: passwd-file(x,192.0.2.31,<Ab>): Password mismatch (given password: {}hunter2)",
        "auth-worker(3): sql(x,192.0.2.31): unknown user (given password: {}hunter2)",
        "auth(x,192.0.2.31,sasl:login)<Ab>: Info: sql: Password mismatch (given password: {}hunter2)",
        ("auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 tty=dovecot ruser={}"
        " rhost=192.0.2.31"),
        ("auth: login(?,192.0.2.31,<Ab>): Username character disallowed by auth_username_chars: 0x2c"
        " (username: {})"),
    ],
)  # fmt: skip
def test_nobody_signs_in_by_words(line: str, text: str) -> None:
    """User names and passwords are strangers' text: no success, no other address, no password."""
    reader = read("Jul 22 18:52:46 mx1 dovecot: " + line.format(text))
    assert [] == [login for login in reader.ledger.logins if login.ok]
    assert {"192.0.2.31"} >= {login.address for login in reader.ledger.logins}
    assert "hunter2" not in str(reader.ledger.logins) + str(reader.shapes.most(9))


@covers("O-03", partly="by its parts")
def test_the_fixtures_come_out_as_expected() -> None:
    """Kind, account and address of every line that was written for this; the service of Dovecot's."""
    for row in map(json.loads, shared("corpora/logs/fixtures.jsonl").read_text().splitlines()):
        expected, ours = row["expect"], row["format"] in ("postfix", "dovecot")
        if not ours or expected["kind"] not in ("login", "fail", "authfail", "submit"):
            continue
        (login,) = read(row["line"]).ledger.logins
        assert (expected["kind"] in ("login", "submit"), expected["account"] or "", expected["ip"]) == (
            login.ok, login.account, login.address,
        ), row["line"]  # fmt: skip
        assert row["format"] == "postfix" or expected["service"] == login.service


def fail2ban(name: str) -> list[tuple[str, dict[str, object]]]:
    """Each line with what fail2ban's own tests expect of it."""
    found, expected = [], {}
    for line in shared(f"corpora/fail2ban_logs/{name}").read_text(errors="surrogateescape").splitlines():
        if line.lstrip("# ").startswith("failJSON:"):
            expected = json.loads(line.partition("failJSON:")[2])
        elif line and not line.startswith("#"):
            found.append((line, expected))
            expected = {}
    return found


NO_SIGN_IN = (
    "no auth attempts",
    "(disconnected ",
    "client didn't finish",
    "auth process",
    "Auth process",
)
"""What fail2ban bans for too, though no password was looked at."""


def test_fail2ban_s_lines_of_dovecot() -> None:
    """Every line that it counts as a failure is one of the same address; none becomes a success."""
    lines = fail2ban("dovecot")
    assert len(lines) > 50
    for line, expected in lines:
        reader = read(line)
        logins = reader.ledger.logins
        assert not any(login.ok for login in logins), line
        if expected.get("match") and not any(words in line for words in NO_SIGN_IN):
            assert [expected["host"]] == [login.address for login in logins], line


def test_fail2ban_s_lines_of_postfix() -> None:
    """Every SASL failure that it counts is one of the same address; none becomes a success."""
    for line, expected in fail2ban("postfix"):
        logins = read(line).ledger.logins
        assert not any(login.ok for login in logins), line
        if expected.get("match") and ": SASL " in line:
            assert [expected["host"]] == [login.address for login in logins], line


def test_crowdsec_s_lines_are_understood() -> None:
    """Of its tests' logs of Dovecot and Postfix, none is unknown, and each failure is one."""
    for path in sorted(shared("corpora/crowdsec_tests").glob("*/*.log")):
        if not path.parent.name.startswith(("dovecot", "postfix")):
            continue
        for line in path.read_text().splitlines():
            reader = read(line)
            assert [] == reader.shapes.most(5)
            failed = "auth failed" in line or "authentication failed" in line or "assword mismatch" in line
            assert failed <= (len(reader.ledger.logins) == 1), line
            assert not failed or not reader.ledger.logins[0].ok
