"""Postfix's lines: whose sign-in sent which message, what became of it, and what strangers cannot fake."""

import json
import random
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from bench.postfixlog import Order, stamp
from bench.postfixlog import lines as house

from covers import covers
from logs.lines import micros
from sekisho.logs.ledger import Ledger, Visit
from sekisho.logs.mailroom import Letter
from sekisho.logs.reading import Place, Reader
from sekisho.logs.stamp import Calendar
from sekisho.store.networktable import built_in
from shared import shared

USER = "taro@example.com"
HEADS = ("Jul 22 18:52:{:02d} mx1 ", "2013-07-22T18:52:{:02d}.1234+09:00 mx1 ", "Jul 22 18:52:{:02d}.5 mx1 ")
IDS = ("3F2A91C0DE", "4RxkWd1zhBz2xK9")


def read(*lines: str, head: str = HEADS[0]) -> Reader:
    """Each line one second after the other, all of one Postfix."""
    reader = Reader(Ledger())
    reader.begin(Place(0, b"log", Calendar(UTC, micros(datetime(2013, 7, 1, tzinfo=UTC)))))
    for second, line in enumerate(lines):
        reader.read_line((head.format(second) + "postfix" + line).encode("utf-8", "surrogateescape"))
    reader.settle()
    return reader


def visits(reader: Reader) -> list[Visit]:
    stories = reader.ledger.visits({login.account for login in reader.ledger.logins})
    return sorted((visit for story in stories.values() for visit in story), key=lambda visit: visit.row)


def letters(reader: Reader, owner: str = USER) -> list[Letter]:
    return reader.ledger.letters.get(owner, [])


RELAY = "mx.y.example[203.0.113.6]:25"


def sent(ident: str, to: str = "b@y.example", relay: str = RELAY, reply: str = "250 ok") -> str:
    return (
        f"/smtp[7]: {ident}: to=<{to}>, relay={relay}, delay=1.1, delays=0.1/0/0.5/0.5, dsn=2.0.0,"
        f" status=sent ({reply})"
    )


def client(
    ident: str, user: str = USER, address: str = "198.51.100.9", pid: int = 5, door: str = "/submission"
) -> str:
    tail = f", sasl_method=PLAIN, sasl_username={user}" if user else ""
    return f"{door}/smtpd[{pid}]: {ident}: client=pc.x.example[{address}]{tail}"


def taken(ident: str, recipients: int = 1, sender: str = USER) -> str:
    return f"/qmgr[3]: {ident}: from=<{sender}>, size=900, nrcpt={recipients} (queue active)"


@covers("O-03", partly="Dovecot, Exim and sendmail")
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("ident", IDS)
def test_the_queue_id_ties_a_message_to_its_sign_in(head: str, ident: str) -> None:
    """For certain, with size, recipients and what became of each."""
    refused = sent(ident, "c@y.example", reply="x").replace("dsn=2.0.0, status=sent (x)", (
        "dsn=5.1.1, status=bounced (host mx.y.example[203.0.113.6] said: 550 5.1.1 no such user"
        " (in reply to RCPT TO command))"
    ))  # fmt: skip
    end = f"/qmgr[3]: {ident}: removed"
    reader = read(client(ident), taken(ident, 2), sent(ident), refused, end, head=head)
    (visit,) = visits(reader)
    (letter,) = letters(reader)
    assert (USER, "submission", "198.51.100.9", "PLAIN", True) == (
        visit.login.account, visit.login.service, visit.login.address, visit.login.mechanism, visit.login.ok,
    )  # fmt: skip
    assert (visit.row, ident, 900, 2, True, 1.0) == (
        letter.row, letter.ident, letter.size, letter.recipient_count, letter.ended, letter.confidence,
    )  # fmt: skip
    results = [(attempt.result, attempt.cause, attempt.code) for attempt in letter.tries]
    assert [("delivered", "", 0), ("failed", "5yz", 550)] == results
    assert 0 == reader.shapes.count


@pytest.mark.parametrize(
    ("program", "service"),
    [
        ("/smtpd", "smtp"), ("/submission/smtpd", "submission"), ("/submissions/smtpd", "submissions"),
        ("/smtps/smtpd", "smtps"), ("-in/smtpd", "smtp"), ("-msa/submission/smtpd", "submission"),
        ("/465/smtpd", "smtps"), ("/587/smtpd", "submission"),
    ],
)  # fmt: skip
def test_the_door_is_in_the_program_s_name(program: str, service: str) -> None:
    """Instances and services of master.cf have names of their own."""
    reader = read(client(IDS[0]).replace("/submission/smtpd", program), taken(IDS[0]))
    assert [service] == [visit.login.service for visit in visits(reader)]


def test_one_session_with_three_messages_is_one_sign_in() -> None:
    """Where the log shows the connection; another connection of the same process is another sign-in."""
    begin, end = (f"/submission/smtpd[5]: {word} from pc[198.51.100.9]" for word in ("connect", "disconnect"))
    three = [line for ident in ("AAAAA1", "AAAAA2", "AAAAA3") for line in (client(ident), taken(ident))]
    reader = read(begin, *three, end, begin, client("AAAAA4"), taken("AAAAA4"), end)
    assert 2 == len(visits(reader))
    assert [0, 0, 0, 1] == [letter.row for letter in letters(reader)]
    assert 3 == len(visits(read(*three)))  # without connections each may be one of its own


@pytest.mark.parametrize(
    ("text", "account"),
    [
        (": UGFzc3dvcmQ6", ""), (":", ""), (": authentication failure", ""),
        (": (reason unavailable), sasl_username=admin", "admin"),
        (": authentication failure, sasl_username=Taro@Example.com", USER),
    ],
)  # fmt: skip
def test_a_failure_has_an_account_only_where_it_is_named(text: str, account: str) -> None:
    """Since Postfix 3.8 it is; before, the reason is all."""
    reader = read(f"/smtps/smtpd[9]: warning: unknown[2001:db8::22]: SASL login authentication failed{text}")
    (login,) = reader.ledger.logins
    assert (False, account, "2001:db8::22", "LOGIN", "smtps") == (
        login.ok, login.account, login.address, login.mechanism, login.service,
    )  # fmt: skip


def test_no_password_was_judged() -> None:
    """The authentication server was away: nobody's failure."""
    reader = read(
        "/smtpd[9]: warning: pc[192.0.2.1]: SASL PLAIN authentication failed: Connection lost to"
        " authentication server",
        "/smtp[9]: 3F2A91C0DE: SASL authentication failed; server mx[192.0.2.9] said: 535 5.7.8 Error",
    )
    assert (0, 0) == (len(reader.ledger), reader.shapes.count)


def filtered(*between: str) -> Reader:
    answer = "250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as BBBBB2"
    return read(
        client("AAAAA1"), taken("AAAAA1", 2),
        client("BBBBB2", "", "127.0.0.1", 8, ""), taken("BBBBB2", 2), *between,
        *(sent("AAAAA1", to, "127.0.0.1[127.0.0.1]:10024", answer) for to in ("b@y.example", "c@y.example")),
        "/qmgr[3]: AAAAA1: removed", sent("BBBBB2", "c@y.example"), "/qmgr[3]: BBBBB2: removed",
    )  # fmt: skip


@pytest.mark.parametrize("early", [True, False])
def test_a_filter_s_second_letter_is_the_first_one(early: bool) -> None:
    """Its results are the signed-in user's, also when it delivered before the filter answered."""
    reader = filtered(*([sent("BBBBB2")] if early else []))
    (letter,) = letters(reader)
    assert (2, 1, []) == (letter.recipient_count, reader.ledger.letter_count, letters(reader, ""))
    assert [0, 1][not early :] == sorted(letter.results())


def test_a_filter_before_the_queue() -> None:
    """The signed-in session has no queue id; its filter's answer tells it."""
    reader = read(
        client("NOQUEUE"), client("BBBBB2", "", "127.0.0.1", 8, "/10025"), taken("BBBBB2"),
        "/submission/smtpd[5]: proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as BBBBB2;"
        " from=<a@x.example> to=<b@y.example> proto=ESMTP helo=<pc>",
        sent("BBBBB2"),
    )  # fmt: skip
    assert [("BBBBB2", 0, 1)] == [(letter.ident, letter.row, len(letter.tries)) for letter in letters(reader)]


def test_a_stranger_s_host_cannot_hide_a_letter() -> None:
    """Its answer names the id of somebody's message: nothing is joined."""
    theirs = sent("BBBBB2", reply="250 2.0.0 Ok: queued as AAAAA1")
    eve = client("BBBBB2", "eve@example.com")
    reader = read(client("AAAAA1"), taken("AAAAA1"), eve, theirs, sent("AAAAA1"))
    assert [1, 1] == [len(letters(reader, owner)) for owner in (USER, "eve@example.com")]
    assert [1, 1] == [len(letters(reader, owner)[0].tries) for owner in (USER, "eve@example.com")]


def test_what_was_refused_is_no_message() -> None:
    """By a milter, by a header check, or as the client went away: the sign-in counts, the message not."""
    reader = read(
        client("AAAAA1"), "/cleanup[4]: AAAAA1: milter-reject: END-OF-MESSAGE from pc[198.51.100.9]: 5.7.1 x",
        client("AAAAA2"), "/cleanup[4]: AAAAA2: reject: header Subject: x from pc[198.51.100.9]; from=<a@x>",
        client("AAAAA3"), "/submission/smtpd[5]: lost connection after DATA (12 bytes) from pc[198.51.100.9]",
        client("AAAAA4"), taken("AAAAA4"), sent("AAAAA4"),
    )  # fmt: skip
    assert (4, ["AAAAA4"]) == (len(visits(reader)), [letter.ident for letter in letters(reader)])


def test_a_deferred_recipient_is_given_up_at_last() -> None:
    """Deferrals, queue runs and the end: one recipient, the last result stands."""
    later = sent("AAAAA1").replace("status=sent (250 ok)", "status=deferred (connect to mx[192.0.2.6]:25: x)")
    reader = read(
        client("AAAAA1"), taken("AAAAA1"), later, taken("AAAAA1"), later,
        "/qmgr[3]: AAAAA1: from=<taro@example.com>, status=expired, returned to sender",
        "/bounce[2]: AAAAA1: sender non-delivery notification: CCCCC3", taken("CCCCC3", 1, ""),
    )  # fmt: skip
    (letter,) = letters(reader)
    assert (1, ["deferred", "deferred", "failed"], {0: "failed"}) == (
        letter.recipient_count, [attempt.result for attempt in letter.tries], letter.results(),
    )  # fmt: skip
    assert [letter] == [other.bounce_of for other in letters(reader, "")]


def test_an_id_that_returns_is_another_letter() -> None:
    """Short ids are inodes: free again after `removed`, or when their end was lost."""
    once = [client("AAAAA1"), taken("AAAAA1"), sent("AAAAA1"), "/qmgr[3]: AAAAA1: removed"]
    reader = read(*once, *once[:3], *once)
    assert [True, False, True] == [letter.ended for letter in letters(reader)]


HOSTILE = (
    "boss@example.com",
    "x, sasl_username=boss@example.com",
    "x], sasl_method=PLAIN, sasl_username=boss@example.com",
    "AAAAA9: client=pc[6.6.6.6], sasl_method=PLAIN, sasl_username=boss@example.com",
    "> sasl_username=<boss@example.com",
    "a>, relay=local, delay=1, dsn=2.0.0, status=sent (x) (",
    "\\\n\x00\x1b[31m",
    "пользователь\udcff",
)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    "line",
    [
        "/smtpd[9]: warning: unknown[192.0.2.22]: SASL PLAIN authentication failed: x, sasl_username={}",
        "/smtpd[9]: NOQUEUE: reject: RCPT from a[192.0.2.22]: 554 5.7.1 <x>: no; from=<{}> to=<{}> helo=<{}>",
        "/cleanup[9]: 3F2A91C0DE: warning: header Subject: {} from unknown[192.0.2.22]; from=<{}> to=<b@y>",
        "/cleanup[9]: 3F2A91C0DE: message-id=<{}>",
        "/smtpd[9]: improper command pipelining after EHLO from unknown[192.0.2.22]: {}",
        "/smtp[9]: 3F2A91C0DE: host mx[192.0.2.22] said: 450 {} (in reply to RCPT TO command)",
        "/qmgr[3]: 3F2A91C0DE: from=<{}>, size=900, nrcpt=1 (queue active)",
        "/smtp[9]: 3F2A91C0DE: to=<{}>, relay=mx[192.0.2.22]:25, delay=1, dsn=5.0.0, status=bounced ({})",
    ],
)  # fmt: skip
def test_nobody_signs_in_by_words(line: str, text: str) -> None:
    """User name, greeting, sender, recipient, subject, message id and reply are strangers' text."""
    reader = read(*line.replace("{}", text).split("\n"))
    assert [] == [login for login in reader.ledger.logins if login.ok]
    assert {"192.0.2.22"} >= {login.address for login in reader.ledger.logins}
    assert [] == [letter for owner, group in reader.ledger.letters.items() if owner for letter in group]
    assert all(login.account.isprintable() for login in reader.ledger.logins)


def noisy(order: Order, chance: random.Random) -> bytes:
    """A house's log with strangers' words, rubbish and other programs between."""
    lines: list[str] = []
    for told in house(order, built_in().find):
        if isinstance(told, tuple):
            at, text = told
            head = f"{stamp(at // 1_000_000, order.stamps)} mx1 "
            lines.append(head + text)
            if chance.random() < 0.1:
                said = chance.choice(ODD).replace("{}", chance.choice(HOSTILE))
                lines.append(chance.choice((head, head, "")) + said)
    return "\n".join(lines[-12_000:]).encode("utf-8", "surrogateescape")


ODD = (
    "postfix/smtpd[9]: NOQUEUE: reject: RCPT from a[192.0.2.22]: 554 5.7.1 <x>: no; from=<{}> helo=<{}>",
    ("postfix/smtp[9]: 00001AAAAA: to=<{}>, relay=mx[192.0.2.22]:25, delay=1, delays=1/0/0/0, dsn=5.0.0,"
    " status=bounced ({})"),
    'postfix/smtp[9]: 00002BBBBB: to=<"a b"@x.example>, relay=none, delay=1, dsn=4.0.0, status=deferred (x)',
    "postfix/qmgr[3]: 00003CCCCC: from=<{}>, size=900, nrcpt=1 (queue active)",
    "postfix/qmgr[3]: 00003CCCCC: removed",
    "postfix/qmgr[3]: 00001AAAAA: from=<a@x>, status=expired, returned to sender", "postfix/smtpd[9]: {}",
    "postfix/smtpd[5]: connect from x[192.0.2.1]", "postfix/smtpd[5]: disconnect from x[192.0.2.1]",
    "postfix/pickup[4]: 00004DDDDD: uid=0 from=<{}>", "postfix/cleanup[4]: 00004DDDDD: message-id=<{}>",
    "dovecot[5]: imap-login: Login: user=<{}>, method=PLAIN, rip=192.0.2.9, lip=192.0.2.1, session=<x>",
    ("dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<{}>, method=PLAIN,"
    " rip=192.0.2.9"),
    "dovecot: imap({})<3><x>: Disconnected",
    "vpopmail[7]: vchkpw-pop3: login success a@x.example:192.0.2.7", "", "{}",
    "kernel: eth0: up", "postfix-in/smtpd[6]: AAAAA1: client=unknown[unknown]",
)


def essence(reader: Reader) -> tuple[object, ...]:
    ledger = reader.ledger
    told = [
        (owner, item.ident, item.at, item.line, item.size, item.row, item.count, tuple(item.recipients),
         tuple(item.tries), item.ended)
        for owner, group in sorted(ledger.letters.items()) for item in group
    ]  # fmt: skip
    counts = {name: count for name, count in reader.dialects.items() if count}
    seen = ledger.visits(ledger.accounts())
    numbers = (reader.lines, reader.shapes.count, ledger.passing_tries, ledger.letter_count)
    return told, counts, seen, numbers, ledger.mailboxes


@pytest.mark.parametrize(("seed", "stamps"), [(1, "classic"), (2, "iso")])
def test_blocks_and_lines_say_the_same(seed: int, stamps: str) -> None:
    """However a log is cut into blocks, it is read as it is line by line."""
    chance = random.Random(seed)
    text = noisy(Order(seed, 6, 0, 2, filtered=seed == 1, long_ids=seed == 2, stamps=stamps), chance)
    single, blocks = (Reader(Ledger()) for _ in range(2))
    for reader in (single, blocks):
        reader.begin(Place(0, b"log", Calendar(UTC, micros(datetime(2026, 1, 7, tzinfo=UTC)))))
    lines = text.split(b"\n")
    for line in lines:
        single.read_line(line)
    while lines:
        count = chance.randint(1, 2000)
        blocks.feed(b"\n" + b"\n".join(lines[:count]))
        lines = lines[count:]
    single.settle()
    blocks.settle()
    assert essence(single) == essence(blocks)
    assert single.dialects["postfix"] > 5000


def corpus() -> list[str]:
    """The lines of the grok patterns' own tests, with the program that says them."""
    lines = []
    for path in sorted(shared("corpora/postfix_grok_tests").glob("*.yaml")):
        found = re.search(r"^data: (.*)$", path.read_text(), re.MULTILINE)
        daemon = path.name.rpartition("_")[0].replace("trivial_rewrite", "trivial-rewrite")
        if found and daemon not in ("command_counter_data", "delays", "relay", "tls_features"):
            lines.append(f"/{daemon}[9]: {json.loads(found[1], strict=False)}")
    return lines


def test_the_lines_of_the_grok_tests_are_understood() -> None:
    """Every daemon's; the failed sign-in among them is one."""
    lines = corpus()
    assert len(lines) > 150
    reader = read(*(line.replace("\n", " ") for line in lines), head="Jul 22 18:52:46 mx1 ")
    assert [] == reader.shapes.most(20)
    assert [("3.84.57.208", False)] == [(login.address, login.ok) for login in reader.ledger.logins]
